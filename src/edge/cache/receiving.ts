/**
 * What an origin's answer does to the store: it is kept, renews what is kept, or retires it. What fails leaves it as it
 * is. Everything that takes time goes on behind the answer.
 */
import {
  ageMs,
  type CachePolicy,
  endedAt,
  failureFreshness,
  freshnessOf,
  type HeaderReader,
} from "../../policy/cache/freshness.ts";
import {
  INVALIDATING_FIELDS,
  judgeHead,
  languageOf,
  mayStore,
  mergeNotModified,
  type HeaderList,
  storedHeaders,
  varyFields,
  variantKey,
} from "../../policy/cache/storing.ts";
import { parseTags } from "../../policy/cache/tags.ts";
import { buildAnswer } from "../answer.ts";
import type { OriginAnswer } from "../call-origin.ts";
import type { CompiledRoute } from "../../config/tables.ts";
import type { Edge } from "../edge.ts";
import type { CacheContext, Exchange } from "../exchange.ts";
import type { SnapshotSite } from "../snapshots.ts";
import { answerFrom, forClient, reader, responseReader } from "./answering.ts";
import { copyWhileSending } from "./body-part.ts";
import type { Landing, SharedAnswer } from "./flights.ts";
import { MAX_STORED_BYTES, type StoredResponse } from "./response-store.ts";
import { stillStanding } from "./standing.ts";
import { keyOf, resolveOnHost } from "./key.ts";
import { isForGets } from "./posted.ts";
import { series } from "../../protocol/series.ts";

/** Answers, not failures: they retire what is stored (serving it on would be an authorisation bug). */
const RETIRING_STATUS: readonly number[] = [401, 403, 404, 410];
const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** The origin has answered: stores, merges a 304, retires, and makes the client's answer. */
export function receiveFromOrigin(edge: Edge, x: Exchange, answer: OriginAnswer): Response | Promise<Response> {
  const context = x.cache;
  if (context === undefined) return buildAnswer(answer);
  if (!context.cacheable || x.method !== "GET") {
    if (x.method === "HEAD" && context.cacheable) renewByHead(edge, x, context, answer);
    else if (!SAFE_METHODS.includes(x.method) && answer.status < 400) invalidate(edge, x, context, answer);
    return buildAnswer(answer);
  }
  edge.flights.noteAnswered(context.key);
  const nowMs = edge.now();
  const kept = keep(edge, x, context, x.headers, answer, nowMs);
  const stored = kept.entry;
  land(edge, x, context, stored, nowMs);
  if (answer.status === 304) {
    // Without an entry of ours there was no condition of ours: the origin answered out of turn.
    if (stored === undefined) return buildAnswer(answer);
    return answerRenewed(edge, x, stored, nowMs, answer);
  }
  x.cacheStatus = `${x.cacheStatus ?? "weir"}; fwd-status=${answer.status}${stored === undefined && kept.body === undefined ? "" : "; stored"}`;
  const response = buildAnswer(kept.body === undefined ? answer : { ...answer, body: kept.body });
  if (answer.status !== 200 || !(answer.body instanceof ArrayBuffer)) return response;
  return forClient(x, 200, response.headers, answer.body, answer.body.byteLength, nowMs);
}

async function answerRenewed(
  edge: Edge,
  x: Exchange,
  stored: StoredResponse,
  nowMs: number,
  answer: OriginAnswer,
): Promise<Response> {
  const response = await answerFrom(edge, x, stored, nowMs, "weir; fwd=stale; fwd-status=304; stored");
  // A large body that has gone meanwhile: the client's own copy may be good, ours is not.
  return response ?? buildAnswer(answer);
}

/** Those who wait for this answer look at the store again, or go by themselves. */
function land(edge: Edge, x: Exchange, context: CacheContext, stored: StoredResponse | undefined, nowMs: number): void {
  const { flight } = context;
  if (flight === undefined) return;
  const useful = stored?.body instanceof ArrayBuffer && ageMs(stored.freshness, nowMs) < stored.freshness.lifetimeMs;
  const landing: Landing = useful && !stored.freshness.noCache ? { kind: "stored" } : { kind: "alone" };
  if (landing.kind === "alone") edge.flights.keepApart(flightKeyOf(x, context));
  flight.land(landing);
}

export interface Kept {
  /** Undefined: not stored. */
  readonly entry: StoredResponse | undefined;
  /** To be sent instead of the answer's own, which is being copied. */
  readonly body: ReadableStream | undefined;
}

const NOTHING_KEPT: Kept = { entry: undefined, body: undefined };

/** `requestHeaders` are those the origin saw. */
export function keep(
  edge: Edge,
  x: Exchange,
  context: CacheContext,
  requestHeaders: Headers,
  answer: OriginAnswer,
  nowMs: number,
): Kept {
  if (answer.status === 304) {
    const entry = stillStanding(edge, x, context);
    if (entry === undefined) return NOTHING_KEPT;
    return { entry: renew(edge, x, context, requestHeaders, answer.headers, entry, nowMs), body: undefined };
  }
  const retires = RETIRING_STATUS.includes(answer.status);
  if (answer.verdict.kind === "failure" || !mayKeepAnswer(context, requestHeaders, answer)) {
    if (retires) retire(edge, x, context);
    return NOTHING_KEPT;
  }
  if (answer.body instanceof ReadableStream)
    return keepLarge(edge, x, context, requestHeaders, answer, answer.body, nowMs);
  const fresh = entryOf(edge, context, answer, answer.body ?? new ArrayBuffer(0), nowMs);
  if (retires) {
    x.waitUntil(edge.responses.replace(context.key, reader(requestHeaders), fresh));
    retireSnapshot(edge, x, context);
  } else {
    x.waitUntil(edge.responses.put(context.key, reader(requestHeaders), fresh));
    offerSnapshot(edge, x, context, fresh);
  }
  return { entry: fresh, body: undefined };
}

function mayKeepAnswer(context: CacheContext, requestHeaders: Headers, answer: OriginAnswer): boolean {
  // A large one is complete once it has been sent, or it is not kept.
  const complete = answer.complete || answer.body instanceof ReadableStream;
  return complete && mayKeep(context, requestHeaders, answer.status, responseReader(answer.headers));
}

/** `requestHeaders`: undefined asks whether it may be kept for any request at all. */
function mayKeep(
  { asked, policy }: CacheContext,
  requestHeaders: Headers | undefined,
  status: number,
  header: HeaderReader,
): boolean {
  return mayStore(
    {
      method: "GET",
      authorized: requestHeaders?.has("authorization") === true,
      withCookie: requestHeaders?.has("cookie") === true,
      requestNoStore: requestHeaders !== undefined && asked?.noStore === true,
      status,
      complete: true,
    },
    header,
    policy,
  );
}

function entryOf(
  edge: Edge,
  context: CacheContext,
  answer: OriginAnswer,
  body: ArrayBuffer,
  nowMs: number,
): StoredResponse {
  return { ...recordOf(edge, context, answer, nowMs), body, bytes: body.byteLength };
}

function recordOf(
  edge: Edge,
  { policy, requestedAtMs, purgeEpoch }: CacheContext,
  answer: OriginAnswer,
  nowMs: number,
): Omit<StoredResponse, "body" | "bytes"> {
  const header = responseReader(answer.headers);
  return {
    status: answer.status,
    headers: storedHeaders(answer.headers),
    freshness: freshnessOf(answer.status, header, policy, requestedAtMs, nowMs),
    ...selection(policy, header),
    tags: tagsOf(edge, answer.headers.get("cache-tag")),
    purgeEpoch,
  };
}

/** By what it is found. */
function selection(policy: CachePolicy, header: HeaderReader): Pick<StoredResponse, "vary" | "language"> {
  const vary = varyFields(header("vary")) ?? [];
  const language = policy.byContentLanguage === true ? languageOf(vary, header) : undefined;
  return language === undefined ? { vary } : { vary, language };
}

function tagsOf(edge: Edge, header: string | null): readonly string[] {
  const { tags, ignored } = parseTags(header);
  if (ignored > 0) edge.counters.countEvent(series("weir_cache_tags_ignored_total"), ignored);
  return tags;
}

/** Is there for others once all of it has been sent. */
function keepLarge(
  edge: Edge,
  x: Exchange,
  context: CacheContext,
  requestHeaders: Headers,
  answer: OriginAnswer,
  body: ReadableStream,
  nowMs: number,
): Kept {
  const length = answer.headers.has("content-encoding") ? null : answer.headers.get("content-length");
  const declared = length === null ? undefined : Number(length);
  if ((declared ?? 0) > MAX_STORED_BYTES) return NOTHING_KEPT;
  const copied = copyWhileSending(body, declared, MAX_STORED_BYTES);
  const record = recordOf(edge, context, answer, nowMs);
  x.waitUntil(edge.responses.putLarge(context.key, reader(requestHeaders), record, copied));
  return { entry: undefined, body: copied.client };
}

/**
 * RFC 9111 section 4.3.4: the stored body with new fields. These decide anew whether it may be kept: by them it may be
 * for one user from now on, or vary by more than before.
 */
function renew(
  edge: Edge,
  x: Exchange,
  context: CacheContext,
  requestHeaders: Headers,
  update: Headers,
  entry: StoredResponse,
  nowMs: number,
): StoredResponse {
  const { key, policy, requestedAtMs, purgeEpoch } = context;
  const headers = mergeNotModified(entry.headers, update);
  const header = responseReader(toHeaders(headers));
  const freshness = freshnessOf(entry.status, header, policy, requestedAtMs, nowMs);
  const tags = update.get("cache-tag");
  const { language: _, ...same } = entry;
  const renewed: StoredResponse = {
    ...same,
    headers,
    freshness,
    ...selection(policy, header),
    tags: tags === null ? entry.tags : tagsOf(edge, tags),
    purgeEpoch,
  };
  if (mayKeep(context, requestHeaders, entry.status, header)) {
    x.waitUntil(edge.responses.put(key, reader(requestHeaders), renewed));
    offerSnapshot(edge, x, context, renewed);
  } else if (!mayKeep(context, undefined, entry.status, header)) retire(edge, x, context);
  return renewed;
}

function toHeaders(list: HeaderList): Headers {
  const headers = new Headers();
  for (const [name, value] of list) headers.append(name, value);
  return headers;
}

/** RFC 9111 section 4.3.5. */
function renewByHead(edge: Edge, x: Exchange, context: CacheContext, answer: OriginAnswer): void {
  const { key } = context;
  const entry = stillStanding(edge, x, context);
  if (RETIRING_STATUS.includes(answer.status)) retire(edge, x, context);
  if (entry === undefined || answer.status !== 200 || entry.status !== 200) return;
  const nowMs = edge.now();
  const stored = reader(toHeaders(entry.headers));
  if (judgeHead(stored, reader(answer.headers), entry.bytes) === "renewed") {
    renew(edge, x, context, x.headers, answer.headers, entry, nowMs);
    return;
  }
  const outdated = { ...entry, freshness: endedAt(entry.freshness, nowMs) };
  x.waitUntil(edge.responses.put(key, reader(x.headers), outdated));
}

/**
 * RFC 9111 section 4.4: of the URL itself, and of those on the same host that the answer names. The answer itself may take
 * the place of what is retired.
 */
function invalidate(edge: Edge, x: Exchange, context: CacheContext, answer: OriginAnswer): void {
  if (answer.body instanceof ArrayBuffer && isForGets(x, context, answer)) {
    const posted = entryOf(edge, context, answer, answer.body, edge.now());
    x.waitUntil(edge.responses.replace(context.key, reader(x.headers), posted));
    retireSnapshot(edge, x, context);
    x.cacheStatus = `weir; fwd=method; fwd-status=${answer.status}; stored`;
  } else retire(edge, x, context);
  const { route, caller, url } = x;
  if (route === undefined || caller === undefined || url === undefined) return;
  for (const field of INVALIDATING_FIELDS) {
    const value = answer.headers.get(field);
    const named = value === null ? undefined : resolveOnHost(value, x.request.url);
    if (named === undefined || named.host !== url.host) continue;
    const key = keyOf(route, caller, named);
    if (key !== context.key) retire(edge, x, { ...context, key });
  }
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

export function snapshotSite(
  edge: Edge,
  x: Exchange,
  { key, purges }: CacheContext,
  route: CompiledRoute,
): SnapshotSite {
  return { env: x.env, originId: route.origin.stateId, key, header: reader(x.headers), nowMs: edge.now(), purges };
}

/**
 * The origin answered with a failure of its own, and nothing better was left. It is kept only where the origin itself
 * says how long it is good for, and never in the place of a good answer.
 */
export function keepFailure(edge: Edge, x: Exchange, answer: OriginAnswer): void {
  const { cache } = x;
  if (cache?.cacheable !== true || x.method !== "GET" || (cache.entry?.status ?? 500) < 500) return;
  if (!(answer.body instanceof ArrayBuffer) || !mayKeepAnswer(cache, x.headers, answer)) return;
  const made = entryOf(edge, cache, answer, answer.body, edge.now());
  const entry = { ...made, freshness: failureFreshness(made.freshness) };
  if (entry.freshness.lifetimeMs > 0) x.waitUntil(edge.responses.put(cache.key, reader(x.headers), entry));
}

/** What followers may be told of a failure: nothing that was meant for the leader alone. */
export function shared(x: Exchange, answer: OriginAnswer): SharedAnswer | undefined {
  const vary = varyFields(answer.headers.get("vary"));
  if (vary === undefined || answer.body instanceof ReadableStream || answer.headers.has("set-cookie")) return undefined;
  if (isPersonal(x)) return undefined;
  const { status, body } = answer;
  return { status, headers: storedHeaders(answer.headers), body, vary, variant: variantKey(vary, reader(x.headers)) };
}

/**
 * Requests with credentials collapse among themselves only: what is found out about theirs ("not for others") says nothing
 * about the others', and nobody can take the others' collapsing away by sending a credential.
 */
export const flightKeyOf = (x: Exchange, { key }: CacheContext): string => (isPersonal(x) ? `${key}\npersonal` : key);

/** The request carries something that an answer may be made for. */
export const isPersonal = ({ headers }: Exchange): boolean => headers.has("authorization") || headers.has("cookie");
