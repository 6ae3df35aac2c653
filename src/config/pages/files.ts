/** Which files the config's pages are in, by media type and language; each is read and prepared once. */
import type { Finding, Path } from "../checks.ts";
import type { PageForms, PageTemplate } from "../model.ts";
import type { ConfigFile, PageFiles } from "../schema.ts";
import { BOUNDS } from "../schema-parts.ts";
import type { ReadAsset } from "./assets.ts";
import type { PreparePage } from "./prepare.ts";
import { PAGE_LANGUAGES, PAGE_MEDIA_TYPES, type PageMediaType } from "./vocabulary.ts";

/** Where pages come from: file access is the caller's. */
export interface PageSource {
  /** Text of a page file by its path in the config; undefined when there is none. */
  readonly readPage: (path: string) => Promise<string | undefined>;
  /** Bytes of a file that a page uses. */
  readonly readAsset?: ReadAsset;
  /** `prepare.ts`, where pages can be prepared: it parses HTML, which a Worker need not carry. */
  readonly preparePage?: PreparePage;
}

export interface ReadPages {
  /** The default first. */
  readonly languages: readonly string[];
  readonly templates: ReadonlyMap<string, PageTemplate>;
  readonly findings: readonly Finding[];
  forms(files: PageFiles | undefined): PageForms;
}

export async function readPages(file: ConfigFile, source: PageSource): Promise<ReadPages> {
  const languages = file.pages?.languages ?? PAGE_LANGUAGES;
  const templates = new Map<string, PageTemplate>();
  const seen = new Map<string, readonly string[]>();
  const findings: Finding[] = [];
  for (const { path, mediaType, filePath } of pageFilesOf(file)) {
    const text = await source.readPage(filePath);
    if (text === undefined) {
      findings.push({ path, message: `no file "${filePath}" beside the config file` });
      continue;
    }
    for (const [, variant] of variantsOf(filePath, languages)) {
      const name = templateName(mediaType, variant);
      const problems = seen.get(name) ?? (await readOne(variant, mediaType, templates, source));
      seen.set(name, problems);
      findings.push(...problems.map((message) => ({ path, message })));
    }
  }
  checkTotal(templates, findings);
  checkLanguages(languages, findings);
  return { languages, templates, findings, forms: (files) => formsOf(files, languages, templates) };
}

/** Its problems; a variant that is not there is none. */
async function readOne(
  filePath: string,
  mediaType: PageMediaType,
  templates: Map<string, PageTemplate>,
  { readPage, readAsset = async () => undefined, preparePage }: PageSource,
): Promise<readonly string[]> {
  const text = await readPage(filePath);
  if (text === undefined) return [];
  if (preparePage === undefined) return [`"${filePath}" cannot be prepared here: pages are made whole by the build`];
  const prepared = await preparePage({ path: filePath, mediaType, text }, readAsset);
  if (!prepared.ok) return prepared.problems;
  templates.set(templateName(mediaType, filePath), prepared.template);
  return [];
}

interface PageFile {
  /** In the config. */
  readonly path: Path;
  readonly mediaType: PageMediaType;
  readonly filePath: string;
}

function* pageFilesOf(file: ConfigFile): Generator<PageFile> {
  for (const [kind, files] of Object.entries(file.pages?.files ?? {})) {
    yield* formFiles(["pages", "files", kind], files);
  }
  for (const [index, route] of file.routes.entries()) {
    yield* formFiles(["routes", index, "degraded", "pages"], route.degraded?.pages);
  }
}

function* formFiles(path: Path, files: PageFiles | undefined): Generator<PageFile> {
  for (const mediaType of PAGE_MEDIA_TYPES) {
    const filePath = files?.[mediaType];
    if (filePath !== undefined) yield { path: [...path, mediaType], mediaType, filePath };
  }
}

/** One file may be two pages: what has to be checked differs by media type. */
export const templateName = (mediaType: PageMediaType, filePath: string): string => `${filePath} as ${mediaType}`;

/** `outage.html`: in the default language itself; `outage.de.html`: in German. The more particular file comes later. */
function variantsOf(filePath: string, languages: readonly string[]): (readonly [language: string, path: string])[] {
  const dot = filePath.lastIndexOf(".");
  const end = dot > filePath.lastIndexOf("/") ? dot : filePath.length;
  const named = languages.map(
    (language) => [language, `${filePath.slice(0, end)}.${language}${filePath.slice(end)}`] as const,
  );
  return [[languages[0] ?? "en", filePath], ...named];
}

function formsOf(
  files: PageFiles | undefined,
  languages: readonly string[],
  templates: ReadonlyMap<string, PageTemplate>,
): PageForms {
  const forms: Record<string, Record<string, string>> = {};
  for (const { mediaType, filePath } of formFiles([], files)) {
    const named = variantsOf(filePath, languages).map(
      ([language, path]) => [language, templateName(mediaType, path)] as const,
    );
    forms[mediaType] = Object.fromEntries(named.filter(([, name]) => templates.has(name)));
  }
  return forms;
}

function checkTotal(templates: ReadonlyMap<string, PageTemplate>, findings: Finding[]): void {
  const bytes = [...templates.values()].reduce((sum, { parts }) => sum + parts.join("").length, 0);
  if (bytes <= BOUNDS.pagesBytes) return;
  const message = `all pages together have ${bytes} characters with what is inlined; at most ${BOUNDS.pagesBytes} are allowed`;
  findings.push({ path: ["routes"], message });
}

function checkLanguages(languages: readonly string[], findings: Finding[]): void {
  for (const [index, language] of languages.entries()) {
    if (languages.indexOf(language) !== index) {
      findings.push({ path: ["pages", "languages", index], message: `"${language}" comes twice` });
    }
  }
}
