/**
 * Whether a response may be stored, under which key, and what a 304 changes. Decided by the response's own headers,
 * never by the look of a URL. Source: RFC 9111 sections 3, 3.5, 4.1, 4.3.4; DESIGN section 7.
 */
import { governingDirectives, HEURISTIC_STATUS, type CachePolicy, type HeaderReader } from "./freshness.ts";
import type { StoredPlace } from "./purge.ts";

export interface StoringContext {
  readonly method: string;
  /** The request carried Authorization, and the origin has seen it. */
  readonly authorized: boolean;
  /** The request carried Cookie, and the origin has seen it. */
  readonly withCookie: boolean;
  /** The request said no-store. */
  readonly requestNoStore: boolean;
  readonly status: number;
  /** The whole body is there. */
  readonly complete: boolean;
}

/** Variants of one URL; more and the oldest goes. */
export const MAX_VARIANTS = 16;
const MAX_VARY_FIELDS = 8;
/** Characters of a field's value. */
const MAX_NORMALISED = 1_024;
/** Those of RFC 9110 whose caching means nothing special; 206 and 304 are never stored. */
const UNDERSTOOD_STATUS: readonly number[] = [...HEURISTIC_STATUS, 302, 303, 307, 400, 401, 403, 500, 502, 503, 504];

/**
 * Nothing that was made for one user is kept for others. By the book: Authorization needs a word of the origin's (section
 * 3.5), on a tenant's own entries, too, because a tenant has many users. Stricter than the book: what the origin says
 * nothing about is not kept for a request with Cookie (web cache deception lives on that). `private` is kept on a
 * tenant's own entries only where the origin saw nothing that tells the tenant's users apart.
 */
export function mayStore(context: StoringContext, header: HeaderReader, policy: CachePolicy): boolean {
  const { method, authorized, withCookie, requestNoStore, status, complete } = context;
  if (method !== "GET" || requestNoStore || !complete || status < 200 || status === 206 || status === 304) return false;
  if (header("set-cookie") !== null) return false;
  if (varyFields(header("vary")) === undefined) return false;
  const { directives, targeted } = governingDirectives(header);
  if (directives.mustUnderstand && !UNDERSTOOD_STATUS.includes(status)) return false;
  // RFC 9111 section 5.2.2.3: with must-understand, no-store is for caches that do not know that directive.
  if (directives.noStore && !directives.mustUnderstand) return false;
  const shared = policy.scope === "shared" || authorized || withCookie;
  if (directives.isPrivate && shared) return false;
  const mayShareAuthorized = directives.isPublic || directives.sMaxage !== undefined || directives.mustRevalidate;
  if (authorized && !mayShareAuthorized) return false;
  const explicit =
    directives.maxAge !== undefined ||
    directives.sMaxage !== undefined ||
    directives.isPublic ||
    (!targeted && header("expires") !== null);
  return explicit || (!withCookie && HEURISTIC_STATUS.includes(status));
}

/**
 * RFC 9110 section 9.3.3: whether the answer to a POST may be kept as what a GET of the same URL is answered with, once
 * its Content-Location has been found to be that URL. Only where the route asks for it, and the origin says for how long;
 * stricter than the book: never to a request that carried credentials. `context.method` is taken to be POST.
 */
export function mayStorePosted(context: StoringContext, header: HeaderReader, policy: CachePolicy): boolean {
  if (policy.storePost !== true || context.status !== 200 || context.authorized || context.withCookie) return false;
  const { directives, targeted } = governingDirectives(header);
  const byExpires = !targeted && header("expires") !== null;
  if (directives.maxAge === undefined && directives.sMaxage === undefined && !byExpires) return false;
  return mayStore({ ...context, method: "GET" }, header, policy);
}

/** Names of the fields a response varies by, lower-case and sorted; undefined: `*`, or too many. */
export function varyFields(vary: string | null): readonly string[] | undefined {
  if (vary === null || vary.trim() === "") return [];
  const names = [...new Set(vary.split(",").map((name) => name.trim().toLowerCase()))].filter((name) => name !== "");
  return names.includes("*") || names.length > MAX_VARY_FIELDS ? undefined : names.toSorted();
}

/** Parts cannot run into each other: none of them can contain a line break. */
export function primaryKey(originId: string, site: string, path: string, query: string, tenantId: string): string {
  return `${originId}\n${tenantId}\n${site}\n${path}${query}`;
}

/** What `primaryKey` put together, as purges name it. */
export function placeOf(key: string, tags: readonly string[]): StoredPlace {
  const [, tenant = "", host = "", path = ""] = key.split("\n", 4);
  return { tenant, host, path, tags };
}

export function variantKey(fields: readonly string[], header: HeaderReader): string {
  let key = "";
  for (const field of fields) {
    const value = header(field);
    // Absent matches absent alone (section 4.1): an empty value is another one.
    key += value === null ? `${field}\n` : `${field}:${normalised(field, value)}\n`;
  }
  return key;
}

/** Stands for Accept-Language; no field can have this name. */
const LANGUAGE = "=language";

/** Under which a response in this language is found by those whose favourite it is. */
export function languageKey(fields: readonly string[], header: HeaderReader, language: string): string {
  return variantKey(
    fields.map((name) => (name === "accept-language" ? LANGUAGE : name)),
    (name) => (name === LANGUAGE ? language : header(name)),
  );
}

/** A longer tag is none. */
const MAX_LANGUAGE = 35;

/** Of a response that varies by language and is in one alone, in lower case. */
export function languageOf(vary: readonly string[], header: HeaderReader): string | undefined {
  const language = vary.includes("accept-language") ? header("content-language")?.trim().toLowerCase() : undefined;
  if (language === undefined || language === "" || language.length > MAX_LANGUAGE) return undefined;
  return language.includes(",") ? undefined : language;
}

/** Spaces and, for negotiation fields, case and order carry no meaning. */
function normalised(field: string, value: string): string {
  const trimmed = value.trim();
  // In a quoted string a comma is data; what nobody would write is not worth the work.
  if (trimmed.length > MAX_NORMALISED || trimmed.includes('"')) return trimmed;
  const parts = trimmed.split(",").map((part) => part.trim());
  if (field !== "accept-encoding" && field !== "accept-language") return parts.join(",");
  return parts
    .map((part) => part.replaceAll(" ", "").toLowerCase())
    .toSorted()
    .join(",");
}

/** Never stored: they describe one connection, one client, or what we say ourselves. */
const NOT_STORED: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "set-cookie",
  "content-length",
  "age",
  "weir-served",
  "cache-tag",
  "proxy-authenticate",
  "proxy-authentication-info",
];
/** A 304 says nothing of the body that is kept. */
const NOT_UPDATED: readonly string[] = [...NOT_STORED, "content-encoding", "content-range", "content-md5", "etag"];
/** The runtime has undone these when a body is read; what is stored is the plain body. */
const DECODED: readonly string[] = ["gzip", "x-gzip", "br"];

export type HeaderList = readonly (readonly [name: string, value: string])[];

export function storedHeaders(headers: Iterable<readonly [string, string]>): HeaderList {
  return kept([...headers], NOT_STORED);
}

/** RFC 9111 section 3.2: the 304's fields replace the stored ones, the body's description stays. */
export function mergeNotModified(stored: HeaderList, update: Iterable<readonly [string, string]>): HeaderList {
  const fresh = kept([...update], NOT_UPDATED);
  const replaced = new Set(fresh.map(([name]) => name));
  return [...stored.filter(([name]) => !replaced.has(name)), ...fresh];
}

/** Without the fields that `Connection` names, either. */
function kept(headers: HeaderList, dropped: readonly string[]): HeaderList {
  const connection = headers.find(([name]) => name === "connection")?.[1] ?? "";
  const named = connection.split(",").map((name) => name.trim().toLowerCase());
  return headers.filter(
    ([name, value]) =>
      !dropped.includes(name) &&
      !named.includes(name) &&
      !(name === "content-encoding" && DECODED.includes(value.trim().toLowerCase())),
  );
}

export type HeadVerdict = "renewed" | "outdated";

/**
 * What a 200 to HEAD says of a stored response: it is the same, so its fields are renewed, or it is another one by now.
 * `bytes`: of the stored body. Source: RFC 9111 section 4.3.5.
 */
export function judgeHead(stored: HeaderReader, head: HeaderReader, bytes: number): HeadVerdict {
  for (const validator of ["etag", "last-modified"]) {
    const told = head(validator);
    if (told !== null && told !== stored(validator)) return "outdated";
  }
  const length = head("content-length");
  const sameLength = length === null || head("content-encoding") !== null || Number(length) === bytes;
  return sameLength ? "renewed" : "outdated";
}

/** Of a successful unsafe request: what else it may have changed. Source: RFC 9111 section 4.4. */
export const INVALIDATING_FIELDS: readonly string[] = ["location", "content-location"];
