/**
 * Header hygiene. What a client or an origin says about the connection or about us is dropped; what the next hop must
 * know is rebuilt. Names are deleted, not copied one by one: touching headers is the dearest part of a proxy's work.
 */

/** RFC 9110 section 7.6.1, and its predecessors. */
const HOP_BY_HOP: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
];

/** With what a client may only claim: never trusted, rebuilt or dropped. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  "forwarded",
  "x-real-ip",
  "x-client-ip",
  "x-original-url",
  "x-rewrite-url",
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
  "true-client-ip",
  "proxy-authorization",
  // What they name or claim is kept from routing, so it is kept from the origin, too.
  "x-host",
  "x-original-host",
  "x-forwarded",
  "x-cluster-client-ip",
  "x-originating-ip",
  "x-remote-ip",
  "x-remote-addr",
  "http2-settings",
]);

/** Whole families of names, likewise. */
const CLAIMED_FAMILIES: readonly string[] = ["x-forwarded-", "cf-", "weir-"];

/**
 * What may go to an origin whose answers are stored: fields whose meaning HTTP or browsers define, so that an origin knows
 * to name them in Vary, and those we write ourselves. Any other field could change an answer that all get, unseen.
 */
const DEFINED: ReadonlySet<string> = new Set([
  "accept",
  "accept-charset",
  "accept-datetime",
  "accept-encoding",
  "accept-language",
  "authorization",
  "baggage",
  "cache-control",
  "cdn-loop",
  "cookie",
  "device-memory",
  "dnt",
  "downlink",
  "dpr",
  "ect",
  "from",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "origin",
  "pragma",
  "prefer",
  "priority",
  "purpose",
  "range",
  "referer",
  "rtt",
  "save-data",
  "traceparent",
  "tracestate",
  "upgrade-insecure-requests",
  "user-agent",
  "via",
  "viewport-width",
  "width",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
]);
const DEFINED_FAMILY = "sec-";

/** Of a browser that is logged in to the dashboard. Its path keeps it from origins; one that came all the same goes no further. */
export const SESSION_COOKIE = "weir_session";

export const VIA = "1.1 weir";
const LOOP_TOKEN = "weir";

export interface ForwardedBy {
  /** "" when unknown. */
  readonly clientIp: string;
  readonly protocol: string;
  readonly host: string;
}

/** A copy of `inbound` that may go to an origin. */
export function cleanRequestHeaders(inbound: Headers, by: ForwardedBy): Headers {
  const headers = new Headers(inbound);
  const connection = headers.get("connection");
  if (connection !== null) dropNamed(headers, connection);
  for (const name of inbound.keys()) {
    if (name === "cookie") dropSession(headers);
    else if (NOT_FORWARDED.has(name) || isClaimed(name)) headers.delete(name);
  }
  if (by.clientIp !== "") headers.set("x-forwarded-for", by.clientIp);
  headers.set("x-forwarded-proto", by.protocol);
  headers.set("x-forwarded-host", by.host);
  headers.append("via", VIA);
  headers.append("cdn-loop", LOOP_TOKEN);
  return headers;
}

/** Drops, in place, what HTTP does not define, but for the names in `more` (lower case). */
export function keepDefined(headers: Headers, more: readonly string[]): void {
  const names = Array.from(headers.keys());
  for (const name of names) if (!isDefined(name) && !more.includes(name)) headers.delete(name);
}

/** Whether `keepDefined` would leave it as it is. */
export const isDefinedOnly = (headers: Headers, more: readonly string[]): boolean =>
  Array.from(headers.keys()).every((name) => isDefined(name) || more.includes(name));

/** `name` in lower case. */
export const isDefined = (name: string): boolean => DEFINED.has(name) || name.startsWith(DEFINED_FAMILY);

/** Drops from an origin's answer, in place, what is not for the client. */
export function cleanResponseHeaders(headers: Headers): void {
  const connection = headers.get("connection");
  if (connection !== null) dropNamed(headers, connection);
  for (const name of HOP_BY_HOP) headers.delete(name);
  headers.delete("weir-served");
}

/** A field of this name (lower-case) goes to the origin as it came, unless `Connection` names it. */
export const isPassedOn = (name: string): boolean =>
  !NOT_FORWARDED.has(name) && !isClaimed(name) && name !== "via" && name !== "cdn-loop";

function isClaimed(name: string): boolean {
  const first = name.charCodeAt(0);
  // x, c, w: the rest need no closer look.
  if (first !== 0x78 && first !== 0x63 && first !== 0x77) return false;
  return CLAIMED_FAMILIES.some((family) => name.startsWith(family));
}

function dropSession(headers: Headers): void {
  const cookie = headers.get("cookie") ?? "";
  if (!cookie.includes(SESSION_COOKIE)) return;
  const kept = cookie.split(";").filter((pair) => !pair.trimStart().startsWith(`${SESSION_COOKIE}=`));
  if (kept.length === 0) headers.delete("cookie");
  else headers.set("cookie", kept.join(";").trim());
}

/** Names listed in `Connection`, except the ones that mean something else. */
function dropNamed(headers: Headers, connection: string): void {
  for (const part of connection.split(",")) {
    const name = part.trim().toLowerCase();
    if (name === "" || name === "close" || name === "keep-alive" || !isToken(name)) continue;
    headers.delete(name);
  }
}

function isToken(name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index);
    const valid =
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x30 && code <= 0x39) ||
      "!#$%&'*+-.^_`|~".includes(name.charAt(index));
    if (!valid) return false;
  }
  return name !== "";
}

/** The request has been through here before. */
export function hasLoop(headers: Headers): boolean {
  return listHas(headers.get("cdn-loop"), isLoopToken) || listHas(headers.get("via"), isOurVia);
}

function listHas(value: string | null, isOurs: (item: string) => boolean): boolean {
  return value !== null && value.split(",").some((item) => isOurs(item.trim().toLowerCase()));
}

/** RFC 8586: a name, then parameters. */
const isLoopToken = (item: string): boolean => item.split(";", 1)[0]?.trim() === LOOP_TOKEN;
/** RFC 9110 section 7.6.3: protocol, name, comment, with any white space between them. */
const isOurVia = (item: string): boolean => item.split(/[ \t(]+/, 2)[1] === LOOP_TOKEN;
