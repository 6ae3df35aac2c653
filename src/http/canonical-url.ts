/**
 * The canonical form of a request's URL: the only form that anything after ingress sees, so that routing, cache key and
 * origin URL can never disagree. Percent-encoded unreserved characters are decoded, other escapes get upper-case hex;
 * backslashes become slashes, duplicate slashes one; dot segments, also encoded ones, are removed; `;` and `%2F` stay
 * data; a host loses the dot at its end. Refused: control bytes, raw or encoded (in a query, encoded tabs and line breaks pass: forms send them), broken
 * escapes, hosts of other bytes than names have, over-long URLs. Canonicalising twice changes nothing.
 */
export interface CanonicalUrl {
  /** Scheme and host. What is stored is of a site, and the origin is told nothing else of where the client came to. */
  readonly site: string;
  /** Lower-case host without port. */
  readonly host: string;
  /** Canonical path, starts with "/". */
  readonly path: string;
  /** "" or "?..." as received, after checks. */
  readonly query: string;
}

export type CanonicalResult =
  | { readonly ok: true; readonly url: CanonicalUrl }
  | { readonly ok: false; readonly reason: "control-byte" | "bad-escape" | "bad-host" | "too-long" | "not-http" };

/** Path and query together, in UTF-16 units. */
export const MAX_URL_LENGTH = 8_192;

/** `rawUrl`: absolute, as `Request.url` gives it. */
export function canonicalUrl(rawUrl: string): CanonicalResult {
  const scheme = rawUrl.indexOf("://");
  if (scheme === -1) return { ok: false, reason: "not-http" };
  const authorityAt = scheme + 3;
  let pathAt = authorityAt;
  while (pathAt < rawUrl.length && !isAuthorityEnd(rawUrl.charCodeAt(pathAt))) pathAt++;
  const fragmentAt = rawUrl.indexOf("#", pathAt);
  const end = fragmentAt === -1 ? rawUrl.length : fragmentAt;
  if (end - pathAt > MAX_URL_LENGTH) return { ok: false, reason: "too-long" };
  const protocol = rawUrl.slice(0, scheme).toLowerCase();
  const host = hostOf(rawUrl.slice(authorityAt, pathAt));
  if (!isHost(host)) return { ok: false, reason: "bad-host" };
  const site = `${protocol}://${host}`;
  const queryAt = rawUrl.indexOf("?", pathAt);
  const pathEnd = queryAt === -1 || queryAt > end ? end : queryAt;
  const query = pathEnd === end ? "" : rawUrl.slice(pathEnd, end);
  if (query !== "" && hasControlByte(query)) return { ok: false, reason: "control-byte" };
  const rawPath = pathEnd === pathAt ? "/" : rawUrl.slice(pathAt, pathEnd);
  if (isPlainPath(rawPath)) return { ok: true, url: { site, host, path: rawPath, query } };
  const path = canonicalPath(rawPath);
  if (typeof path !== "string") return { ok: false, reason: path.reason };
  return path.length + query.length > MAX_URL_LENGTH
    ? { ok: false, reason: "too-long" }
    : { ok: true, url: { site, host, path, query } };
}

const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const DOT = 0x2e;

function isAuthorityEnd(code: number): boolean {
  return code === SLASH || code === BACKSLASH || code === 0x3f || code === 0x23;
}

const OTHER_HOST_BYTES: readonly number[] = [DOT, 0x2d, 0x5f, 0x5b, 0x5d];
function hostOf(authority: string): string {
  const at = authority.lastIndexOf("@");
  const withPort = at === -1 ? authority : authority.slice(at + 1);
  const bracket = withPort.lastIndexOf("]");
  const colon = withPort.indexOf(":", bracket === -1 ? 0 : bracket);
  let host = (colon === -1 ? withPort : withPort.slice(0, colon)).toLowerCase();
  // The same host, written as the root of all names sees it.
  while (host.endsWith(".")) host = host.slice(0, -1);
  return host;
}

/** Letters, digits and `.-_:[]`: the runtime lets other bytes through, and they would go on to the origin. */
function isHost(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const letter = code >= 0x61 && code <= 0x7a;
    // Digits and the colon are neighbours.
    if (!letter && !(code >= 0x30 && code <= 0x3a) && !OTHER_HOST_BYTES.includes(code)) return false;
  }
  return true;
}

/** The fast path: nothing in it would be changed. Every request comes through here; it allocates nothing. */
function isPlainPath(path: string): boolean {
  let previous = 0;
  for (let index = 0; index < path.length; index++) {
    const code = path.charCodeAt(index);
    if (code === PERCENT || code === BACKSLASH || code < 0x21 || code > 0x7e) return false;
    // A slash or a dot behind a slash may begin something to remove.
    if (previous === SLASH && (code === SLASH || code === DOT)) return false;
    previous = code;
  }
  return path.charCodeAt(0) === SLASH;
}

function canonicalPath(rawPath: string): string | { readonly reason: "control-byte" | "bad-escape" } {
  const decoded = normaliseEscapes(rawPath);
  if (typeof decoded !== "string") return decoded;
  const kept: string[] = [];
  const segments = decoded.split("/");
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
    // What ended in a slash, or in a dot segment, still ends in a slash.
    if (last && (segment === "" || segment === "." || segment === "..") && kept.length > 0) kept.push("");
  }
  return `/${kept.join("/")}`;
}

const ENCODER = new TextEncoder();

function normaliseEscapes(rawPath: string): string | { readonly reason: "control-byte" | "bad-escape" } {
  let out = "";
  for (let index = 0; index < rawPath.length; index++) {
    const code = rawPath.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return { reason: "control-byte" };
    if (code === BACKSLASH) out += "/";
    else if (code === PERCENT) {
      const byte = hexByte(rawPath, index + 1);
      if (byte === -1) return { reason: "bad-escape" };
      if (byte < 0x20 || byte === 0x7f) return { reason: "control-byte" };
      // An encoded backslash counts as what some origins take it for.
      if (byte === BACKSLASH) out += "/";
      else out += isUnreserved(byte) ? String.fromCharCode(byte) : escaped(byte);
      index += 2;
    } else if (code === 0x20 || code > 0x7e) {
      const whole = String.fromCodePoint(rawPath.codePointAt(index) ?? code);
      for (const byte of ENCODER.encode(whole)) out += escaped(byte);
      index += whole.length - 1;
    } else out += rawPath.charAt(index);
  }
  return out;
}

function hexByte(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high === -1 || low === -1 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return -1;
}

function escaped(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** RFC 3986 section 2.3. */
function isUnreserved(byte: number): boolean {
  return (
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === DOT ||
    byte === 0x5f ||
    byte === 0x7e
  );
}

/** Raw, or encoded as %00 to %1F or %7F; encoded tabs and line breaks are allowed, because forms send them. */
function hasControlByte(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
    if (code === PERCENT) {
      const byte = hexByte(text, index + 1);
      if (byte !== -1 && (byte < 0x20 || byte === 0x7f) && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return true;
    }
  }
  return false;
}
