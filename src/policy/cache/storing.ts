/**
 * Whether a response may be stored, under which key, and what a 304 changes. Decided by the response's own headers,
 * never by the look of a URL. Source: RFC 9111 sections 3, 3.5, 4.1, 4.3.4; DESIGN section 7.
 */
import { governingDirectives, HEURISTIC_STATUS, type CachePolicy, type HeaderReader } from "./freshness.ts";

export interface StoringContext {
  readonly method: string;
  /** The request carried credentials that the origin has seen. */
  readonly authorized: boolean;
  /** The request said no-store. */
  readonly requestNoStore: boolean;
  readonly status: number;
  /** The whole body is there. */
  readonly complete: boolean;
}

/** Variants of one URL; more and the oldest goes. */
export const MAX_VARIANTS = 16;
const MAX_VARY_FIELDS = 8;

export function mayStore(context: StoringContext, header: HeaderReader, policy: CachePolicy): boolean {
  const { method, authorized, requestNoStore, status, complete } = context;
  if (method !== "GET" || requestNoStore || !complete || status < 200 || status === 206 || status === 304) return false;
  if (header("set-cookie") !== null) return false;
  if (varyFields(header("vary")) === undefined) return false;
  const { directives, targeted } = governingDirectives(header);
  if (directives.noStore) return false;
  const shared = policy.scope === "shared";
  if (directives.isPrivate && shared) return false;
  const mayShareAuthorized = directives.isPublic || directives.sMaxage !== undefined || directives.mustRevalidate;
  if (authorized && shared && !mayShareAuthorized) return false;
  const explicit =
    directives.maxAge !== undefined ||
    directives.sMaxage !== undefined ||
    directives.isPublic ||
    (!targeted && header("expires") !== null);
  return explicit || HEURISTIC_STATUS.includes(status);
}

/** Names of the fields a response varies by, lower-case and sorted; undefined: `*`, or too many. */
export function varyFields(vary: string | null): readonly string[] | undefined {
  if (vary === null || vary.trim() === "") return [];
  const names = [...new Set(vary.split(",").map((name) => name.trim().toLowerCase()))].filter((name) => name !== "");
  return names.includes("*") || names.length > MAX_VARY_FIELDS ? undefined : names.toSorted();
}

/** Parts cannot run into each other: none of them can contain a line break. */
export function primaryKey(originId: string, host: string, path: string, query: string, tenantId: string): string {
  return `${originId}\n${tenantId}\n${host}\n${path}${query}`;
}

export function variantKey(fields: readonly string[], header: HeaderReader): string {
  let key = "";
  for (const field of fields) key += `${field}:${normalised(field, header(field))}\n`;
  return key;
}

/** Spaces and, for negotiation fields, case and order carry no meaning. */
function normalised(field: string, value: string | null): string {
  if (value === null) return "";
  if (field !== "accept-encoding" && field !== "accept-language") return value.trim();
  return value
    .toLowerCase()
    .split(",")
    .map((part) => part.replaceAll(" ", ""))
    .toSorted()
    .join(",");
}

/** Never stored or never updated by a 304: they describe one connection or the body's own transfer. */
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
  "content-encoding",
  "age",
  "weir-served",
  "proxy-authenticate",
  "proxy-authentication-info",
];
const NOT_UPDATED: readonly string[] = [...NOT_STORED, "content-range", "content-type", "content-md5", "etag"];

export type HeaderList = readonly (readonly [name: string, value: string])[];

export function storedHeaders(headers: Iterable<readonly [string, string]>): HeaderList {
  return [...headers].filter(([name]) => !NOT_STORED.includes(name));
}

/** RFC 9111 section 3.2: the 304's fields replace the stored ones, the body's description stays. */
export function mergeNotModified(stored: HeaderList, update: Iterable<readonly [string, string]>): HeaderList {
  const fresh = [...update].filter(([name]) => !NOT_UPDATED.includes(name));
  const replaced = new Set(fresh.map(([name]) => name));
  return [...stored.filter(([name]) => !replaced.has(name)), ...fresh];
}

/** RFC 9110 section 13: true when the client's copy is still good. */
export function isNotModified(
  request: HeaderReader,
  etag: string | null,
  lastModifiedMs: number | undefined,
  parseDate: (value: string | null) => number | undefined,
): boolean {
  const noneMatch = request("if-none-match");
  if (noneMatch !== null) {
    if (noneMatch.trim() === "*") return true;
    return etag !== null && noneMatch.split(",").some((candidate) => opaque(candidate) === opaque(etag));
  }
  const sinceMs = parseDate(request("if-modified-since"));
  return sinceMs !== undefined && lastModifiedMs !== undefined && lastModifiedMs <= sinceMs;
}

/** Weak comparison: the tag without `W/`. */
function opaque(tag: string): string {
  const trimmed = tag.trim();
  return trimmed.startsWith("W/") ? trimmed.slice(2) : trimmed;
}
