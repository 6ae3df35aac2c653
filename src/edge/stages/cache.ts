/**
 * cache: answers fresh entries; answers stale ones while they are refreshed behind the answer; remembers others for
 * revalidation and for the ladder. Only routes that ask for it, only GET and HEAD; unsafe methods retire what they touch.
 */
import type { CompiledRoute } from "../../config/tables.ts";
import { parseCacheControl } from "../../policy/cache/cache-control.ts";
import { ageMs, freshnessOf, judgeUse } from "../../policy/cache/freshness.ts";
import { parseHttpDate } from "../../policy/cache/http-date.ts";
import {
  isNotModified,
  mayStore,
  mergeNotModified,
  primaryKey,
  storedHeaders,
  varyFields,
} from "../../policy/cache/storing.ts";
import { buildAnswer } from "../answer.ts";
import { callThroughBulkhead } from "../bulkhead.ts";
import type { OriginAnswer } from "../call-origin.ts";
import type { Edge } from "../edge.ts";
import type { CacheContext, Exchange, StageAnswer } from "../exchange.ts";
import type { StoredResponse } from "../response-store.ts";
import type { SnapshotSite } from "../snapshots.ts";
import { refuse } from "../refuse.ts";

const CONDITIONS: readonly string[] = [
  "if-none-match",
  "if-modified-since",
  "if-match",
  "if-unmodified-since",
  "if-range",
];
/** Answers, not failures: they retire what is stored (serving it on would be an authorisation bug). */
const RETIRING_STATUS: readonly number[] = [401, 403, 404, 410];
/** Refreshes under way in this isolate; more are left to later requests. */
const MAX_REFRESHES = 200;

export function cacheLookup(edge: Edge, x: Exchange): StageAnswer {
  const { route, caller, url } = x;
  const policy = route?.config.cache;
  if (route === undefined || policy === undefined || caller === undefined || url === undefined) return undefined;
  const tenantId = policy.scope === "tenant" ? caller.tenant.id : "";
  const key = primaryKey(route.origin.id, url.host, url.path, url.query, tenantId);
  const cacheable = (x.method === "GET" || x.method === "HEAD") && !x.headers.has("range");
  const cacheControl = x.headers.get("cache-control") ?? x.headers.get("pragma");
  const asked = cacheControl === null ? undefined : parseCacheControl(cacheControl);
  const context: CacheContext = { key, policy, cacheable, asked, entry: undefined, requestedAtMs: edge.now() };
  x.cache = context;
  if (!cacheable) return undefined;
  const remembered = edge.responses.recall(key, reader(x.headers));
  if (remembered !== undefined) return use(edge, x, context, route, remembered);
  return edge.responses.find(key, reader(x.headers)).then((found) => use(edge, x, context, route, found));
}

function use(
  edge: Edge,
  x: Exchange,
  context: CacheContext,
  route: CompiledRoute,
  entry: StoredResponse | undefined,
): Response | undefined {
  context.entry = entry;
  if (entry === undefined) {
    x.cacheStatus = "weir; fwd=uri-miss";
    return context.asked?.onlyIfCached === true ? refuse(x, "not-cached") : undefined;
  }
  const nowMs = edge.now();
  switch (judgeUse(entry.freshness, context.asked, nowMs)) {
    case "fresh":
      x.served = "cache";
      return answerFrom(x, entry, nowMs, `weir; hit; ttl=${ttlSeconds(entry, nowMs)}`);
    case "stale-while-revalidate":
      x.served = "stale";
      refreshBehind(edge, x, context, route);
      return answerFrom(x, entry, nowMs, `weir; hit; ttl=${ttlSeconds(entry, nowMs)}`);
    case "stale":
      x.cacheStatus = "weir; fwd=stale";
      // RFC 9111 section 5.2.1.7.
      return context.asked?.onlyIfCached === true ? refuse(x, "not-cached") : undefined;
  }
}

function ttlSeconds({ freshness }: StoredResponse, nowMs: number): number {
  return Math.floor((freshness.lifetimeMs - ageMs(freshness, nowMs)) / 1_000);
}

/** The stored response as an answer to this request: whole, without its body (HEAD), or 304. */
export function answerFrom(x: Exchange, entry: StoredResponse, nowMs: number, cacheStatus: string): Response {
  x.cacheStatus = cacheStatus;
  const headers = new Headers();
  for (const [name, value] of entry.headers) headers.append(name, value);
  headers.set("age", String(Math.floor(ageMs(entry.freshness, nowMs) / 1_000)));
  return conditional(x, entry.status, headers, entry.body, nowMs);
}

/** 304 when the client's own copy is still good. */
function conditional(x: Exchange, status: number, headers: Headers, body: ArrayBuffer | null, nowMs: number): Response {
  const dateOf = (value: string | null): number | undefined => parseHttpDate(value, nowMs);
  const unchanged =
    status === 200 &&
    isNotModified(reader(x.request.headers), headers.get("etag"), dateOf(headers.get("last-modified")), dateOf);
  if (unchanged) {
    for (const name of ["content-length", "content-type", "content-encoding"]) headers.delete(name);
    return new Response(null, { status: 304, headers });
  }
  return new Response(x.method === "HEAD" || status === 204 ? null : body, { status, headers });
}

const reader =
  (headers: Headers) =>
  (name: string): string | null =>
    headers.get(name);

/** Before forwarding: the conditions are ours, because the answer is to be stored; the client's are met from it. */
export function addConditions(x: Exchange): void {
  if (x.cache?.cacheable !== true || x.method !== "GET") return;
  conditionsOf(x.headers, x.cache.entry);
}

function conditionsOf(headers: Headers, entry: StoredResponse | undefined): void {
  for (const name of CONDITIONS) headers.delete(name);
  if (entry === undefined) return;
  for (const [name, value] of entry.headers) {
    if (name === "etag") headers.set("if-none-match", value);
    if (name === "last-modified") headers.set("if-modified-since", value);
  }
}

/** The origin has answered: stores, merges a 304, retires, and makes the client's answer. */
export function receiveFromOrigin(edge: Edge, x: Exchange, answer: OriginAnswer): Response {
  const context = x.cache;
  if (context === undefined) return buildAnswer(answer);
  if (!context.cacheable || x.method !== "GET") {
    const safe = ["GET", "HEAD", "OPTIONS"].includes(x.method);
    if (!safe && answer.status < 400) retire(edge, x, context);
    return buildAnswer(answer);
  }
  const nowMs = edge.now();
  const stored = store(edge, x, context, x.headers, answer, nowMs);
  if (answer.status === 304) {
    // Without an entry of ours there was no condition of ours: the origin answered out of turn.
    return stored === undefined
      ? buildAnswer(answer)
      : answerFrom(x, stored, nowMs, "weir; fwd=stale; fwd-status=304; stored");
  }
  const why = context.entry === undefined ? "uri-miss" : "stale";
  x.cacheStatus = `weir; fwd=${why}; fwd-status=${answer.status}${stored === undefined ? "" : "; stored"}`;
  const response = buildAnswer(answer);
  if (answer.status !== 200 || !(answer.body instanceof ArrayBuffer)) return response;
  return conditional(x, 200, response.headers, answer.body, nowMs);
}

/** Undefined: not stored. `requestHeaders` are those the origin saw. */
function store(
  edge: Edge,
  x: Exchange,
  context: CacheContext,
  requestHeaders: Headers,
  answer: OriginAnswer,
  nowMs: number,
): StoredResponse | undefined {
  const { key, policy, entry, requestedAtMs } = context;
  const header = reader(answer.headers);
  if (answer.status === 304 && entry !== undefined) {
    const headers = mergeNotModified(entry.headers, answer.headers);
    const merged = new Headers(headers.map(([name, value]): [string, string] => [name, value]));
    const freshness = freshnessOf(entry.status, reader(merged), policy, requestedAtMs, nowMs);
    const renewed: StoredResponse = { ...entry, headers, freshness };
    x.waitUntil(edge.responses.put(key, reader(requestHeaders), renewed));
    offerSnapshot(edge, x, context, renewed);
    return renewed;
  }
  const may = mayStore(
    {
      method: "GET",
      authorized: requestHeaders.has("authorization"),
      requestNoStore: context.asked?.noStore === true,
      status: answer.status,
      complete: answer.complete,
    },
    header,
    policy,
  );
  if (!may || answer.verdict.kind === "failure") {
    if (RETIRING_STATUS.includes(answer.status)) retire(edge, x, context);
    return undefined;
  }
  const fresh: StoredResponse = {
    status: answer.status,
    headers: storedHeaders(answer.headers),
    body: answer.body instanceof ArrayBuffer ? answer.body : new ArrayBuffer(0),
    freshness: freshnessOf(answer.status, header, policy, requestedAtMs, nowMs),
    vary: varyFields(header("vary")) ?? [],
  };
  x.waitUntil(edge.responses.put(key, reader(requestHeaders), fresh));
  if (RETIRING_STATUS.includes(answer.status)) retireSnapshot(edge, x, context);
  else offerSnapshot(edge, x, context, fresh);
  return fresh;
}

/** The origin has said that what is stored is no answer any more. */
function retire(edge: Edge, x: Exchange, context: CacheContext): void {
  x.waitUntil(edge.responses.forget(context.key));
  retireSnapshot(edge, x, context);
}

function retireSnapshot(edge: Edge, x: Exchange, context: CacheContext): void {
  const { route } = x;
  if (route?.config.cache?.snapshotIntervalMs === undefined) return;
  const work = edge.snapshots.retire(snapshotSite(edge, x, context, route));
  if (work !== undefined) x.waitUntil(work);
}

function offerSnapshot(edge: Edge, x: Exchange, context: CacheContext, entry: StoredResponse): void {
  const { route } = x;
  const intervalMs = route?.config.cache?.snapshotIntervalMs;
  if (route === undefined || intervalMs === undefined) return;
  const work = edge.snapshots.offer(snapshotSite(edge, x, context, route), entry, intervalMs);
  if (work !== undefined) x.waitUntil(work);
}

export function snapshotSite(edge: Edge, x: Exchange, { key }: CacheContext, route: CompiledRoute): SnapshotSite {
  return { env: x.env, originId: route.origin.id, key, header: reader(x.headers), nowMs: edge.now() };
}

/** One refresh of a URL at a time in this isolate. What fails leaves the stored entry as it is. */
function refreshBehind(edge: Edge, x: Exchange, context: CacheContext, route: CompiledRoute): void {
  if (edge.refreshes.has(context.key) || edge.refreshes.size >= MAX_REFRESHES) return;
  edge.refreshes.add(context.key);
  x.waitUntil(
    refresh(edge, x, context, route).finally(() => {
      edge.refreshes.delete(context.key);
    }),
  );
}

async function refresh(edge: Edge, x: Exchange, context: CacheContext, route: CompiledRoute): Promise<void> {
  const { caller, url } = x;
  if (caller === undefined || url === undefined) return;
  const site = {
    env: x.env,
    waitUntil: x.waitUntil,
    configVersion: x.tables.configVersion,
    pop: x.pop,
    origin: route.origin,
  };
  const passage = await edge.origins.pass({
    ...site,
    nowMs: edge.now(),
    caller,
    method: "GET",
  });
  if (passage.kind === "refused") return;
  const headers = new Headers(x.headers);
  conditionsOf(headers, context.entry);
  const answer = await callThroughBulkhead(edge, {
    ...site,
    method: "GET",
    path: url.path,
    query: url.query,
    headers,
    body: null,
    deadlineMs: route.deadlineMs,
    passage,
    priority: caller.tenant.priority,
    inboundAttempt: x.inboundAttempt,
    clientGone: undefined,
    caller,
    whileStreaming: (release) => {
      release();
    },
  });
  if (answer.kind === "failed") return;
  store(edge, x, { ...context, requestedAtMs: x.startedAtMs }, headers, answer, edge.now());
  // Too large to be kept, and nobody reads it.
  if (answer.body instanceof ReadableStream) await answer.body.cancel();
}
