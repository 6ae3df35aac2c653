/** A stored response as an answer to one request: whole, one range of it, without its body (HEAD), or 304. */
import { targetedCacheControl } from "../../http/structured.ts";
import { isNotModified, judgeRange } from "../../policy/cache/conditions.ts";
import { ageMs, type HeaderReader } from "../../policy/cache/freshness.ts";
import type { Edge } from "../edge.ts";
import { type Answer, Draft, type Exchange } from "../exchange.ts";
import { bodyPart } from "./body-part.ts";
import type { StoredResponse } from "./response-store.ts";

export const reader =
  (headers: Headers): HeaderReader =>
  (name) =>
    headers.get(name);

/** Of an origin's answer; `CDN-Cache-Control` only where it is what RFC 9213 asks for. */
export const responseReader =
  (headers: Headers): HeaderReader =>
  (name) =>
    name === "cdn-cache-control" ? targetedCacheControl(headers.get(name)) : headers.get(name);

/** Of `Cache-Status`: below zero it is stale. */
export const ttlSeconds = ({ freshness }: StoredResponse, nowMs: number): number =>
  Math.floor((freshness.lifetimeMs - ageMs(freshness, nowMs)) / 1_000);

/** As `answerFrom`; the usual hit, a whole small body to a plain GET, is left to be made at once with all its fields. */
export function hit(
  edge: Edge,
  x: Exchange,
  entry: StoredResponse,
  nowMs: number,
  cacheStatus: string,
): Answer | Promise<Answer | undefined> {
  const { body } = entry;
  if (!(body instanceof ArrayBuffer) || entry.status !== 200 || x.method !== "GET" || asksForLess(x.inbound)) {
    return answerFrom(edge, x, entry, nowMs, cacheStatus);
  }
  x.cacheStatus = cacheStatus;
  const draft = new Draft(body, { ...edge.responses.fieldsOf(entry) }, edge.responses.keptHeaders(entry));
  draft.set("age", ageSeconds(entry, nowMs));
  return draft;
}

/** A condition, or a range. */
const asksForLess = (asked: Headers): boolean =>
  asked.has("if-none-match") || asked.has("if-modified-since") || asked.has("range");

const ageSeconds = ({ freshness }: StoredResponse, nowMs: number): string =>
  String(Math.floor(ageMs(freshness, nowMs) / 1_000));

/** Undefined: its body is large, and has gone from the PoP's cache meanwhile. */
export function answerFrom(
  edge: Edge,
  x: Exchange,
  entry: StoredResponse,
  nowMs: number,
  cacheStatus: string,
): Response | Promise<Response | undefined> {
  const { body } = entry;
  if (body instanceof ArrayBuffer) return answerWith(x, entry, nowMs, cacheStatus, body);
  if (x.method === "HEAD") return answerWith(x, entry, nowMs, cacheStatus, null);
  const key = x.cache?.key ?? "";
  return edge.responses.open(key, body).then((stream) => {
    if (stream === undefined) return undefined;
    x.streams = true;
    return answerWith(x, entry, nowMs, cacheStatus, stream.pipeThrough(new FixedLengthStream(entry.bytes)));
  });
}

function answerWith(
  x: Exchange,
  entry: StoredResponse,
  nowMs: number,
  cacheStatus: string,
  body: ArrayBuffer | ReadableStream | null,
): Response {
  x.cacheStatus = cacheStatus;
  const headers = new Headers();
  for (const [name, value] of entry.headers) headers.append(name, value);
  headers.set("age", ageSeconds(entry, nowMs));
  return forClient(x, entry.status, headers, body, entry.bytes, nowMs);
}

/** 304 when the client's own copy is still good, 206 when it asked for a range. `bytes`: of the whole body. */
export function forClient(
  x: Exchange,
  status: number,
  headers: Headers,
  body: ArrayBuffer | ReadableStream | null,
  bytes: number,
  nowMs: number,
): Response {
  const bodyless = x.method === "HEAD" || status === 204;
  if (status !== 200) return new Response(dropped(x, body, bodyless), { status, headers });
  const asked = reader(x.inbound);
  const stored = reader(headers);
  if (isNotModified(asked, stored, nowMs)) {
    for (const name of ["content-length", "content-type", "content-encoding"]) headers.delete(name);
    return new Response(dropped(x, body, true), { status: 304, headers });
  }
  if (bodyless) return new Response(dropped(x, body, true), { status, headers });
  const range = x.inbound.has("range") ? judgeRange(asked, stored, bytes) : undefined;
  if (range?.kind === "unsatisfiable") {
    headers.set("content-range", `bytes */${bytes}`);
    return new Response(dropped(x, body, true), { status: 416, headers });
  }
  if (range?.kind === "part" && body !== null) {
    headers.set("content-range", `bytes ${range.from}-${range.to}/${bytes}`);
    headers.delete("content-length");
    return new Response(bodyPart(body, range.from, range.to + 1), { status: 206, headers });
  }
  return new Response(body, { status, headers });
}

/** A stream that nobody reads would hold what it comes from. */
function dropped(
  x: Exchange,
  body: ArrayBuffer | ReadableStream | null,
  drop: boolean,
): ArrayBuffer | ReadableStream | null {
  if (!drop) return body;
  if (body instanceof ReadableStream) x.waitUntil(body.cancel().catch(() => undefined));
  return null;
}
