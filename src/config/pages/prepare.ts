/**
 * The text of a page's file → the page as the bundle carries it: whole, checked, with its security policy. Every problem
 * comes back with file, line and column. For the build: the Worker never runs it.
 */
import type { PageTemplate } from "../model.ts";
import { BOUNDS } from "../schema-parts.ts";
import type { ReadAsset } from "./assets.ts";
import { inlineHtml, placeIn, securityPolicy } from "./html.ts";
import { type PageFinding, readTemplate, templateParts } from "./template.ts";
import type { PageMediaType, PageVariable } from "./vocabulary.ts";

export type PreparedPage =
  | { readonly ok: true; readonly template: PageTemplate }
  | { readonly ok: false; readonly problems: readonly string[] };

export type PreparePage = (
  page: { readonly path: string; readonly mediaType: PageMediaType; readonly text: string },
  read: ReadAsset,
) => Promise<PreparedPage>;

export const preparePage: PreparePage = async ({ path, mediaType, text: fileText }, read) => {
  // A browser hashes a style with its line ends as the parser leaves them.
  const text = fileText.replace(/\r\n?/g, "\n");
  const { variables, findings } = readTemplate(text);
  const refused = (all: readonly PageFinding[]): PreparedPage => ({
    ok: false,
    problems: all.map(({ offset, message }) => `${placeIn(path, text, offset)} ${message}`),
  });
  if (mediaType !== "text/html") {
    if (findings.length > 0) return refused(findings);
    const parts = templateParts(text);
    if (mediaType !== "text/plain" && !isJson(parts)) {
      return refused([{ offset: 0, message: "is no JSON once its variables are filled in" }]);
    }
    return bounded(path, { parts });
  }
  const page = await inlineHtml(text, path, variables, read);
  const all = [...findings, ...page.findings].toSorted((a, b) => a.offset - b.offset);
  if (all.length > 0) return refused(all);
  return bounded(path, {
    parts: templateParts(page.html),
    contentSecurityPolicy: await securityPolicy(page.html),
  });
};

function bounded(path: string, template: PageTemplate): PreparedPage {
  const bytes = sizeOf(template);
  if (bytes <= BOUNDS.pageBytes) return { ok: true, template };
  return {
    ok: false,
    problems: [`${path} has ${bytes} bytes with what is inlined; at most ${BOUNDS.pageBytes} are allowed`],
  };
}

export function sizeOf({ parts }: PageTemplate): number {
  return new TextEncoder().encode(parts.join("")).length;
}

const NUMBERS: readonly string[] = ["status", "retryAfterSeconds"] satisfies PageVariable[];

function isJson(parts: readonly string[]): boolean {
  const text = parts.map((part, index) => (index % 2 === 0 ? part : NUMBERS.includes(part) ? "1" : "x")).join("");
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
