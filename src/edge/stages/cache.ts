/**
 * cache: answers fresh entries; answers stale ones while they are refreshed behind the answer; remembers others for
 * revalidation and for the ladder; lets one of concurrent equal misses go on. Only routes that ask for it, only GET and
 * HEAD; unsafe methods retire what they touch.
 */
import type { CompiledRoute } from "../../config/tables.ts";
import { parseCacheControl } from "../../policy/cache/cache-control.ts";
import { judgeUse, mayServeOnError } from "../../policy/cache/freshness.ts";
import { variantKey } from "../../policy/cache/storing.ts";
import { hit, ttlSeconds } from "../cache/answering.ts";
import type { Flight, Landing, SharedAnswer } from "../cache/flights.ts";
import { keyOf } from "../cache/key.ts";
import { flightKeyOf, isPersonal } from "../cache/receiving.ts";
import { refreshBehind } from "../cache/refreshing.ts";
import { countUnpurged, purgeSite, standing } from "../cache/standing.ts";
import type { StoredResponse } from "../cache/response-store.ts";
import type { Edge } from "../edge.ts";
import { type Answer, atEnd, type CacheContext, type Exchange, type StageAnswer } from "../exchange.ts";
import { fieldsOf } from "../outbound.ts";
import { refuse } from "../refuse.ts";
import { series } from "../../protocol/series.ts";

/** Conditions that only the origin can judge: such requests pass the cache by. */
const PRECONDITIONS: readonly string[] = ["if-match", "if-unmodified-since"];
/** A follower leads anew after this share of its deadline. */
const FOLLOW_RATIO = 0.4;

export function cacheLookup(edge: Edge, x: Exchange): StageAnswer {
  const { inbound, route, caller, url } = x;
  const policy = route?.config.cache;
  if (route === undefined || policy === undefined || caller === undefined || url === undefined) return undefined;
  const key = keyOf(route, caller, url);
  const reads = x.method === "GET" || x.method === "HEAD";
  // Who is let in during maintenance wants the origin itself; and what it says then is not for everybody.
  const passesBy = x.maintenance?.kind === "allowed" || PRECONDITIONS.some((name) => inbound.has(name));
  const cacheable = reads && !passesBy;
  const cacheControl = inbound.get("cache-control") ?? inbound.get("pragma");
  const asked = cacheControl === null ? undefined : parseCacheControl(cacheControl);
  const context: CacheContext = {
    key,
    policy,
    cacheable,
    asked,
    entry: undefined,
    flight: undefined,
    requestedAtMs: x.nowMs,
    purges: edge.purges.of(route.origin.stateId),
    purgeEpoch: 0,
  };
  x.cache = context;
  if (!cacheable) {
    x.cacheStatus = reads ? "weir; fwd=bypass" : "weir; fwd=method";
    return undefined;
  }
  const { purges, requestedAtMs } = context;
  const waits = !purges.isFresh(requestedAtMs) && edge.purges.refresh(purgeSite(x, route), requestedAtMs);
  const remembered = edge.responses.recall(key, fieldsOf(x), isByLanguage(context));
  if (remembered !== undefined && !waits) return use(edge, x, context, route, remembered, requestedAtMs);
  return findUnpurged(edge, x, context, route, remembered, waits);
}

const isByLanguage = ({ policy }: CacheContext): boolean => policy.byContentLanguage === true;

/** Where nothing is stored, there is nothing that a purge could concern, and nobody waits to hear of one. */
async function findUnpurged(
  edge: Edge,
  x: Exchange,
  context: CacheContext,
  route: CompiledRoute,
  remembered: StoredResponse | undefined,
  waits: boolean,
): Promise<Answer | undefined> {
  // A leader may have landed while this one looked: then there is something in memory, and no flight to follow.
  const found =
    remembered ??
    (await edge.responses.find(context.key, fieldsOf(x), isByLanguage(context))) ??
    edge.responses.recall(context.key, fieldsOf(x), isByLanguage(context));
  if (found !== undefined && waits) await edge.purges.wait(route.origin.stateId);
  return use(edge, x, context, route, found, edge.now());
}

/** From here on as if nothing were stored, nor to be. A flight that it leads lands when it ends. */
export function passBy(x: Exchange, context: CacheContext): void {
  x.cache = { ...context, cacheable: false, entry: undefined };
  if (context.cacheable) x.cacheStatus = "weir; fwd=bypass";
}

function use(
  edge: Edge,
  x: Exchange,
  context: CacheContext,
  route: CompiledRoute,
  found: StoredResponse | undefined,
  nowMs: number,
): StageAnswer {
  const entry = standing(edge, x, context, found);
  context.entry = entry;
  if (entry === undefined) return forwardOr504(edge, x, context, route);
  switch (judgeUse(entry.freshness, context.asked, nowMs)) {
    case "fresh":
      edge.origins.keepCurrent(x, route.origin, nowMs);
      x.served = "cache";
      return answerStored(edge, x, context, route, entry, nowMs);
    case "stale-while-revalidate":
      refreshBehind(edge, x, context, route);
      x.served = "stale";
      return answerStored(edge, x, context, route, entry, nowMs);
    case "stale":
      return answerFailing(edge, x, context, route, entry, nowMs);
  }
}

/** Where the last refresh failed nobody waits for the next one. */
function answerFailing(
  edge: Edge,
  x: Exchange,
  context: CacheContext,
  route: CompiledRoute,
  entry: StoredResponse,
  nowMs: number,
): StageAnswer {
  const tryAgain = edge.flights.mayTryAgain(context.key, nowMs);
  if (tryAgain === undefined || context.asked !== undefined || !mayServeOnError(entry.freshness, nowMs)) {
    return forwardOr504(edge, x, context, route);
  }
  edge.origins.keepCurrent(x, route.origin, nowMs);
  if (tryAgain) refreshBehind(edge, x, context, route);
  x.served = "stale";
  return answerStored(edge, x, context, route, entry, nowMs, "; detail=refresh-failed");
}

function answerStored(
  edge: Edge,
  x: Exchange,
  context: CacheContext,
  route: CompiledRoute,
  entry: StoredResponse,
  nowMs: number,
  detail = "",
): StageAnswer {
  if (context.purges.mayHaveMissed(nowMs)) countUnpurged(edge, route);
  const answer = hit(edge, x, entry, nowMs, `weir; hit; ttl=${ttlSeconds(entry, nowMs)}${detail}`);
  if (!(answer instanceof Promise)) return answer;
  return answer.then((response) => response ?? gone(edge, x, context, route));
}

/** Its body had left the PoP's cache. */
function gone(edge: Edge, x: Exchange, context: CacheContext, route: CompiledRoute): StageAnswer {
  context.entry = undefined;
  x.served = undefined;
  return forwardOr504(edge, x, context, route);
}

/** As long as nothing is stored for this request. */
function whyForwarded(edge: Edge, { entry, key, asked }: CacheContext): string {
  if (asked?.noCache === true || asked?.noStore === true) return "fwd=request";
  if (entry !== undefined) return "fwd=stale";
  return edge.responses.knows(key) ? "fwd=vary-miss" : "fwd=uri-miss";
}

function forwardOr504(edge: Edge, x: Exchange, context: CacheContext, route: CompiledRoute): StageAnswer {
  x.cacheStatus = `weir; ${whyForwarded(edge, context)}`;
  // RFC 9111 section 5.2.1.7.
  if (context.asked?.onlyIfCached === true) return refuse(x, "not-cached");
  return mayCollapse(x, context) ? board(edge, x, context, route, context.requestedAtMs) : undefined;
}

/** A range, or a request with directives of its own, wants what is its own; maintenance leads nowhere. */
const mayCollapse = (x: Exchange, { asked }: CacheContext): boolean =>
  x.method === "GET" &&
  x.maintenance === undefined &&
  !x.inbound.has("range") &&
  asked?.noCache !== true &&
  asked?.noStore !== true;

/** Leads and goes on, or follows and waits. */
function board(edge: Edge, x: Exchange, context: CacheContext, route: CompiledRoute, sinceMs: number): StageAnswer {
  const boarding = edge.flights.board(flightKeyOf(x, context));
  if (boarding.kind === "alone") return undefined;
  const { flight } = boarding;
  if (boarding.kind === "follows") {
    return edge.origins.isShut(route.origin.stateId) ? undefined : follow(edge, x, context, route, flight, sinceMs);
  }
  context.flight = flight;
  // So that it comes to its end for the others also when this client is gone.
  x.waitUntil(flight.landed);
  atEnd(x, () => {
    flight.land({ kind: "alone" });
  });
  return undefined;
}

async function follow(
  edge: Edge,
  x: Exchange,
  context: CacheContext,
  route: CompiledRoute,
  flight: Flight,
  sinceMs: number,
): Promise<Answer | undefined> {
  edge.counters.countEvent(series("weir_cache_collapsed_total"));
  const landing = await flight.follow(route.deadlineMs * FOLLOW_RATIO);
  if (landing === undefined) {
    edge.flights.giveUp(flightKeyOf(x, context), flight);
    // Another, whose timer ended before, may have led anew and landed.
    const stored = await afterLanding(edge, x, context);
    if (stored !== undefined) return stored;
    // Twice at most, so that there is time left for a call.
    return edge.now() - sinceMs < route.deadlineMs / 2 ? board(edge, x, context, route, sinceMs) : undefined;
  }
  switch (landing.kind) {
    case "stored":
      return afterLanding(edge, x, context);
    case "failed":
      return noteShared(x, landing);
    case "alone":
      return undefined;
  }
}

/** What the leader stored, where it is for this request, too. */
function afterLanding(edge: Edge, x: Exchange, context: CacheContext): StageAnswer {
  const stored = edge.responses.recall(context.key, fieldsOf(x), isByLanguage(context));
  const entry = standing(edge, x, context, stored);
  const nowMs = edge.now();
  if (entry === undefined || judgeUse(entry.freshness, context.asked, nowMs) !== "fresh") return undefined;
  x.served = "cache";
  const status = `${x.cacheStatus ?? "weir"}; collapsed; ttl=${ttlSeconds(entry, nowMs)}`;
  context.entry = entry;
  return hit(edge, x, entry, nowMs, status);
}

/** The leader's failure is everybody's: nobody asks the origin again for it, and the ladder answers. */
function noteShared(x: Exchange, landing: Extract<Landing, { kind: "failed" }>): undefined {
  const { reason, retryAfterMs, answer } = landing;
  // The leader was held back; whether this caller is, is asked for itself.
  if (reason === "maintenance") return undefined;
  if (reason === "status" && (answer === undefined || !isFor(x, answer))) return undefined;
  const response =
    answer === undefined
      ? undefined
      : new Response(answer.body, {
          status: answer.status,
          headers: answer.headers.map(([n, v]): [string, string] => [n, v]),
        });
  x.failure = { reason, retryAfterMs, response };
  return undefined;
}

const isFor = (x: Exchange, { vary, variant }: SharedAnswer): boolean =>
  !isPersonal(x) && variantKey(vary, fieldsOf(x)) === variant;
