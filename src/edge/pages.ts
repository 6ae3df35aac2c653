/**
 * What Weir says when it answers by itself: the page of the route, else the gateway's for this kind, else the built-in
 * one; in the form that `Accept` wants and the language that `Accept-Language` wants. Pages are made whole by the build
 * (`config/pages`); here their variables are filled in, each escaped for its media type.
 */
import type { PageTemplate } from "../config/model.ts";
import { PAGE_LANGUAGES, PAGE_MEDIA_TYPES, type PageKind, type PageLanguage } from "../config/pages/vocabulary.ts";
import type { CompiledPages, PageSet } from "../config/tables.ts";
import { negotiate, negotiateLanguage } from "../http/negotiation.ts";
import { DEFAULT_HTML } from "./default-pages/html.ts";
import { TEXTS, type PageTexts } from "./default-pages/texts.ts";

export interface PageWanted {
  readonly kind: PageKind;
  readonly status: number;
  readonly request: Pick<Request, "method" | "headers">;
  readonly requestId: string;
  /** Undefined: no time is known. */
  readonly retryAfterMs: number | undefined;
  readonly routeId: string;
  readonly originId: string;
  /** The route's own. */
  readonly own: PageSet | undefined;
  /** What programs get where nothing else is configured; undefined: what the page says. */
  readonly problem: Readonly<Record<string, unknown>> | undefined;
}

export function pageResponse(pages: CompiledPages, wanted: PageWanted): Response {
  const { request, status, kind } = wanted;
  const accept = request.headers.get("accept");
  const acceptLanguage = request.headers.get("accept-language");
  const own = wanted.own ?? pages.byKind.get(kind);
  const offers = own === undefined ? PAGE_MEDIA_TYPES : [...own.keys(), ...PAGE_MEDIA_TYPES];
  const mediaType = negotiate(accept, offers) ?? offers[0] ?? PAGE_MEDIA_TYPES[0];
  const templates = own?.get(mediaType);
  const languages = templates === undefined ? builtInLanguages(pages.languages) : [...templates.keys()];
  const language = negotiateLanguage(acceptLanguage, languages) ?? languages[0] ?? PAGE_LANGUAGES[0];
  const template = templates?.get(language);
  const page =
    template === undefined ? builtIn(mediaType, language, wanted) : fillTemplate(template, mediaType, language, wanted);
  return new Response(request.method === "HEAD" ? null : page.body, { status, headers: headersOf(mediaType, page) });
}

interface Page {
  readonly body: string;
  readonly language: string;
  readonly contentSecurityPolicy: string | undefined;
}

function headersOf(mediaType: string, page: Page): Record<string, string> {
  return {
    "content-type": mediaType.startsWith("text/") ? `${mediaType}; charset=utf-8` : mediaType,
    "content-language": page.language,
    "cache-control": "no-store",
    vary: "accept, accept-language",
    "x-content-type-options": "nosniff",
    ...(page.contentSecurityPolicy === undefined ? {} : { "content-security-policy": page.contentSecurityPolicy }),
  };
}

/** The configured ones that have texts; the default where none has. */
function builtInLanguages(configured: readonly string[]): readonly string[] {
  const known = configured.filter((language) => Object.hasOwn(TEXTS, language));
  return known.length === 0 ? [PAGE_LANGUAGES[0]] : known;
}

/** By the language itself, else by what it is a variety of, else the default. */
function textsOf(language: string): PageTexts {
  const [base = ""] = language.split("-");
  return TEXTS[PAGE_LANGUAGES.find((known: PageLanguage) => known === base) ?? PAGE_LANGUAGES[0]];
}

function builtIn(mediaType: string, language: string, wanted: PageWanted): Page {
  if (mediaType === "text/html") return fillTemplate(DEFAULT_HTML, mediaType, language, wanted);
  const none = { contentSecurityPolicy: undefined };
  if (mediaType !== "text/plain" && wanted.problem !== undefined) {
    return { body: JSON.stringify(wanted.problem), language: "en", ...none };
  }
  const { title, message, retryAfterText, retryAfterSeconds, reference, requestId } = variablesOf(wanted, language);
  if (mediaType === "text/plain") {
    const lines = [title, message, retryAfterText, `${reference} ${requestId}`].filter((line) => line !== "");
    return { body: `${lines.join("\n")}\n`, language, ...none };
  }
  const body = {
    type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
    title,
    status: wanted.status,
    detail: message,
    retryAfterSeconds,
    requestId,
  };
  return { body: JSON.stringify(body), language, ...none };
}

function fillTemplate(template: PageTemplate, mediaType: string, language: string, wanted: PageWanted): Page {
  const variables: Readonly<Record<string, string | number>> = variablesOf(wanted, language);
  const escape = mediaType === "text/html" ? escapeHtml : mediaType === "text/plain" ? String : escapeJson;
  const texts = template.parts.map((part, index) => (index % 2 === 0 ? part : escape(String(variables[part] ?? ""))));
  return { body: texts.join(""), language, contentSecurityPolicy: template.contentSecurityPolicy };
}

/** `PAGE_VARIABLES`, and what only the built-in page uses. */
function variablesOf(wanted: PageWanted, language: string) {
  const texts = textsOf(language);
  const [title, message] = texts.kinds[wanted.kind];
  const retryAfterSeconds = Math.ceil((wanted.retryAfterMs ?? 0) / 1_000);
  const isLost = wanted.kind === "not-found";
  return {
    language,
    title,
    message,
    retryAfterSeconds,
    retryAfterText: retryAfterSeconds === 0 ? "" : texts.retryIn(timeInWords(retryAfterSeconds, texts)),
    requestId: wanted.requestId,
    status: wanted.status,
    routeId: wanted.routeId,
    originId: wanted.originId,
    action: isLost ? texts.home : texts.again,
    actionLink: isLost ? "/" : "",
    reference: texts.reference,
  };
}

/** In a unit that leaves a number one can take in: up to 90 seconds, up to 90 minutes, hours. */
function timeInWords(seconds: number, { units, space }: PageTexts): string {
  const size = seconds <= 90 ? 0 : seconds <= 5_400 ? 1 : 2;
  const count = Math.ceil(seconds / 60 ** size);
  const [one = "", several = ""] = units[size] ?? [];
  return `${count}${space}${count === 1 ? one : several}`;
}

const HTML_ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => HTML_ENTITIES[character] ?? "");
}

/** Inside a JSON string, and also where a template put a number bare. */
function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
