/**
 * An HTML page made whole: style sheets, images and fonts beside it are inlined, and what a browser would refuse under
 * the page's security policy is refused here, with its place: scripts, frames, forms, whatever comes from elsewhere.
 * The rest of the text stays as it is, byte for byte.
 */
import { type DefaultTreeAdapterTypes, parse } from "parse5";
import { sha256Base64 } from "../../http/digest.ts";
import { inlineAsset, isInside, type ReadAsset, readBeside } from "./assets.ts";
import { inlineStyle } from "./css.ts";
import type { PageFinding, Variable } from "./template.ts";

type Element = DefaultTreeAdapterTypes.Element;

const NOT_HERE: Readonly<Record<string, string>> = {
  script: "a page has no scripts: its security policy lets none run",
  base: "<base> would move every link of the page",
  form: "a page sends no forms: its security policy lets none go",
  ...Object.fromEntries(
    ["iframe", "frame", "object", "embed", "applet", "audio", "video", "source", "track", "portal"].map((name) => [
      name,
      `<${name}> loads something from elsewhere, which a page must not need`,
    ]),
  ),
};
/** Attributes whose value is a URL. */
const URL_ATTRIBUTES: readonly string[] = ["href", "src", "xlink:href", "action", "formaction", "cite", "ping"];

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What one pass over the page gathers. */
interface Work {
  readonly html: string;
  readonly path: string;
  readonly read: ReadAsset;
  readonly edits: Edit[];
  readonly findings: PageFinding[];
}

export async function inlineHtml(
  html: string,
  path: string,
  variables: readonly Variable[],
  read: ReadAsset,
): Promise<{ readonly html: string; readonly findings: readonly PageFinding[] }> {
  const work: Work = { html, path, read, edits: [], findings: [] };
  const elements = [...elementsOf(parse(html, { sourceCodeLocationInfo: true }))];
  for (const element of elements) {
    checkElement(element, work);
    checkVariables(element, variables, work);
    if (element.tagName === "style") await inlineStyleElement(element, work);
    else if (element.tagName === "link") await inlineLink(element, work);
    else await inlineImage(element, work);
  }
  let text = "";
  let done = 0;
  for (const edit of work.edits.toSorted((a, b) => a.start - b.start)) {
    text += html.slice(done, edit.start) + edit.text;
    done = edit.end;
  }
  return { html: text + html.slice(done), findings: work.findings };
}

/** The policy under which a browser shows this page as it is meant. */
export async function securityPolicy(html: string): Promise<string> {
  const styles = new Set<string>();
  for (const element of elementsOf(parse(html))) {
    if (element.tagName === "style") styles.add(`'sha256-${await sha256Base64(textOf(element))}'`);
  }
  const allowed = styles.size === 0 ? "" : ` style-src ${[...styles].join(" ")};`;
  return `default-src 'none';${allowed} img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

function* elementsOf(node: DefaultTreeAdapterTypes.ParentNode): Generator<Element> {
  for (const child of node.childNodes) {
    if (!("tagName" in child)) continue;
    yield child;
    yield* elementsOf(child);
    if ("content" in child) yield* elementsOf(child.content);
  }
}

const textOf = (element: Element): string =>
  element.childNodes.map((child) => ("value" in child ? child.value : "")).join("");

const attributeOf = (element: Element, name: string): string | undefined =>
  element.attrs.find((attribute) => attributeName(attribute) === name)?.value;

const attributeName = ({ name, prefix }: { readonly name: string; readonly prefix?: string }): string =>
  prefix === undefined || prefix === "" ? name : `${prefix}:${name}`;

/** Of a tag that the parser made up (`<tbody>`): none. */
function startOf(element: Element): number | undefined {
  return element.sourceCodeLocation?.startOffset;
}

function checkElement(element: Element, { findings }: Work): void {
  const offset = startOf(element);
  if (offset === undefined) return;
  const found = (message: string, at = offset): void => {
    findings.push({ offset: at, message });
  };
  const refused = NOT_HERE[element.tagName];
  if (refused !== undefined) found(refused);
  for (const attribute of element.attrs) {
    const name = attributeName(attribute);
    const at = element.sourceCodeLocation?.attrs?.[name]?.startOffset ?? offset;
    const url = attribute.value.trim();
    if (name.startsWith("on")) found(`"${name}" is a script; a page has none`, at);
    else if (name === "style") found('a "style" attribute would be refused by the browser; use a <style> element', at);
    else if (name === "srcset") found('"srcset" names several files; give one in "src"', at);
    else if (name === "background" || name === "poster") found(`"${name}" loads a file; use a <style> element`, at);
    else if (URL_ATTRIBUTES.includes(name) && /^(javascript|vbscript):/i.test(url)) found("a script in a link", at);
    else if (name === "src" && element.tagName !== "img" && refused === undefined) {
      found(`<${element.tagName}> must not load a file; only <img> may`, at);
    } else if (name.endsWith("href") && isDrawn(element) && !isInside(url)) {
      found(`<${element.tagName}> must not load a file; only "#…" and data: are allowed`, at);
    }
  }
}

/** SVG elements whose `href` is drawn, not followed. */
const isDrawn = ({ tagName }: Element): boolean => tagName === "use" || tagName === "image" || tagName === "feImage";

/** Escaping makes a value safe in text and between quotes, and nowhere else. */
function checkVariables(element: Element, variables: readonly Variable[], { html, findings }: Work): void {
  const tag = element.sourceCodeLocation?.startTag;
  if (tag === undefined) return;
  const attributes = Object.entries(element.sourceCodeLocation?.attrs ?? {});
  for (const variable of variables) {
    if (variable.start < tag.startOffset || variable.end > tag.endOffset) continue;
    const place = attributes.find(([, at]) => at.startOffset <= variable.start && variable.end <= at.endOffset);
    const [name = "", at] = place ?? [];
    const before = at === undefined ? "" : html.slice(at.startOffset, variable.start);
    const quoted = /^[^=]*=\s*["']([^]*)$/.exec(before);
    if (quoted === null) {
      findings.push({ offset: variable.start, message: `{{${variable.name}}} stands bare in a tag; put it in quotes` });
    } else if (URL_ATTRIBUTES.includes(name) && quoted[1]?.trim() === "") {
      findings.push({ offset: variable.start, message: `{{${variable.name}}} must not be the beginning of a link` });
    }
  }
}

async function inlineStyleElement(element: Element, { html, path, read, edits, findings }: Work): Promise<void> {
  const location = element.sourceCodeLocation;
  if (location?.startTag === undefined) return;
  const start = location.startTag.endOffset;
  const end = location.endTag?.startOffset ?? location.endOffset;
  const style = await inlineStyle(html.slice(start, end), path, read);
  edits.push({ start, end, text: style.text });
  findings.push(...style.findings.map(({ offset, message }) => ({ offset: start + offset, message })));
}

async function inlineLink(element: Element, work: Work): Promise<void> {
  const location = element.sourceCodeLocation;
  const href = attributeOf(element, "href")?.trim() ?? "";
  if (location === undefined || location === null) return;
  const found = (message: string): void => {
    work.findings.push({ offset: location.startOffset, message });
  };
  const kinds = (attributeOf(element, "rel") ?? "").toLowerCase().split(/\s+/);
  if (kinds.includes("stylesheet")) {
    const sheet = await readBeside(href, work.path, work.read);
    if ("problem" in sheet) return found(sheet.problem);
    const css = new TextDecoder().decode(sheet.bytes).replaceAll("\r\n", "\n");
    const style = await inlineStyle(css, sheet.path, work.read);
    for (const { offset, message } of style.findings) found(`${placeIn(sheet.path, css, offset)} ${message}`);
    const media = attributeOf(element, "media");
    const attribute = media === undefined ? "" : ` media="${media.replaceAll('"', "&quot;")}"`;
    work.edits.push({ start: location.startOffset, end: location.endOffset, text: `<style${attribute}>${style.text}</style>` });
  } else if (kinds.includes("icon")) await inlineAttribute(element, "href", work);
  else if (!kinds.some((kind) => ["canonical", "author", "license", "help", "alternate"].includes(kind))) {
    found(`<link rel="${kinds.join(" ")}"> loads something from elsewhere; valid: stylesheet, icon`);
  }
}

async function inlineImage(element: Element, work: Work): Promise<void> {
  if (element.tagName === "img") await inlineAttribute(element, "src", work);
}

async function inlineAttribute(element: Element, name: string, work: Work): Promise<void> {
  const at = element.sourceCodeLocation?.attrs?.[name];
  const url = attributeOf(element, name)?.trim() ?? "";
  if (at === undefined || isInside(url)) return;
  const inlined = await inlineAsset(url, work.path, work.read);
  if ("problem" in inlined) work.findings.push({ offset: at.startOffset, message: inlined.problem });
  else work.edits.push({ start: at.startOffset, end: at.endOffset, text: `${name}="${inlined.url}"` });
}

/** `pages/outage.html:3:7`, both from 1. */
export function placeIn(path: string, text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `${path}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}
