/**
 * Fallback pages: the route's own templates (mustache, every variable escaped for its media type), else a built-in page.
 * Templates are compiled once for each text and kept.
 */
import { LRUCache } from "lru-cache";
import mustache from "mustache";
import { negotiate, PAGE_CSP } from "../http/problem.ts";

/** Compiled templates kept by one isolate. */
const MAX_TEMPLATES = 500;

export interface PageVariables {
  readonly retryAfterSeconds: number;
  readonly requestId: string;
  readonly status: number;
  readonly title: string;
  readonly routeId: string;
  readonly originId: string;
}

const BUILT_IN: Readonly<Record<string, string>> = {
  "application/problem+json": `{"type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity","title":"{{title}}","status":{{status}},"retryAfterSeconds":{{retryAfterSeconds}},"requestId":"{{requestId}}"}`,
  "text/html": `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{title}}</title><style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}</style><main><h1>{{title}}</h1><p>Please try again in about {{retryAfterSeconds}} seconds.</p><p><small>Reference {{requestId}}</small></p></main></html>`,
};

export class Pages {
  readonly #compiled = new LRUCache<string, mustache.Writer>({ max: MAX_TEMPLATES });

  /** `own`: media type → template. The first of equally welcome types is taken: JSON before HTML for programs. */
  render(
    own: Readonly<Record<string, string>>,
    accept: string | null,
    variables: PageVariables,
  ): { readonly mediaType: string; readonly body: string } {
    const offers = { ...BUILT_IN, ...own };
    const types = Object.keys(own).length > 0 ? Object.keys(own).toSorted(byJsonFirst) : Object.keys(BUILT_IN);
    const mediaType = negotiate(accept, types) ?? negotiate(accept, Object.keys(offers)) ?? types[0] ?? "text/html";
    return { mediaType, body: this.#fill(offers[mediaType] ?? "", mediaType, variables) };
  }

  #fill(template: string, mediaType: string, variables: PageVariables): string {
    let writer = this.#compiled.get(template);
    if (writer === undefined) {
      writer = new mustache.Writer();
      this.#compiled.set(template, writer);
    }
    const escape = mediaType === "text/html" ? mustache.escape : mediaType === "text/plain" ? String : escapeJson;
    return writer.render(template, variables, undefined, { escape });
  }
}

const byJsonFirst = (a: string, b: string): number => Number(b.includes("json")) - Number(a.includes("json"));

/** Inside a JSON string, and also where a template put a number bare. */
function escapeJson(value: unknown): string {
  return JSON.stringify(String(value)).slice(1, -1);
}

export function pageHeaders(mediaType: string): Record<string, string> {
  return {
    "content-type": mediaType.startsWith("text/") ? `${mediaType}; charset=utf-8` : mediaType,
    "cache-control": "no-store",
    ...(mediaType === "text/html" ? { "content-security-policy": PAGE_CSP } : {}),
  };
}
