/** The two documents of the admin API: for programs and for people. They hold no data; made when first asked for. */
import { describeApi } from "./openapi.ts";
import { OPERATIONS } from "./operations.ts";
import { type Page, referencePage } from "./reference.ts";

const DOCUMENT_PATH = "/_weir/api/openapi.json";
const REFERENCE_PATH = "/_weir/api/";

export class Documents {
  #document: string | undefined;
  #reference: Page | undefined;

  has(path: string): boolean {
    return path === DOCUMENT_PATH || path === REFERENCE_PATH;
  }

  async answer(path: string): Promise<Response> {
    if (path === DOCUMENT_PATH) {
      this.#document ??= JSON.stringify(describeApi(OPERATIONS));
      return new Response(this.#document, { headers: { "content-type": "application/json" } });
    }
    this.#reference ??= await referencePage(describeApi(OPERATIONS), DOCUMENT_PATH);
    const { html, contentSecurityPolicy } = this.#reference;
    const headers = {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": contentSecurityPolicy,
    };
    return new Response(html, { headers });
  }
}
