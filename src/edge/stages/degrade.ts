/**
 * degrade: the ladder. The origin could not answer; the best true answer that is left is given, and its rung is named in
 * `Weir-Served`. Always ends in an answer. `Retry-After` is computed: the breaker's next probe, or the route's own.
 */
import { mayServeOnError } from "../../policy/cache/freshness.ts";
import { ladder, type LadderFacts, type Rung } from "../../policy/degradation/ladder.ts";
import { buildAnswer } from "../answer.ts";
import { callThroughBulkhead } from "../bulkhead.ts";
import type { Edge } from "../edge.ts";
import { atEnd, type Exchange, type OriginFailure } from "../exchange.ts";
import { fallbackPage, type Outage, plainRefusal, PROXY_ERROR } from "../fallback.ts";
import { lastResort } from "../last-resort.ts";
import { answerFrom, ttlSeconds } from "../cache/answering.ts";
import { keepFailure, shared, snapshotSite } from "../cache/receiving.ts";
import type { CompiledRoute } from "../../config/tables.ts";
import type { StoredResponse } from "../cache/response-store.ts";
import { countUnpurged, purgeSite, stillStanding } from "../cache/standing.ts";
import { noteAnswer } from "./forward.ts";
import { series } from "../../protocol/series.ts";

const REPEATABLE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** The origin was called, and failed. */
const CALLED: readonly OriginFailure["reason"][] = ["network", "timeout", "status", "body", "internal"];

export async function degrade(edge: Edge, x: Exchange): Promise<Response> {
  const { route, failure } = x;
  if (route === undefined || failure === undefined) return lastResort(x.requestId, x.inbound.get("accept"));
  x.proxyError = PROXY_ERROR[failure.reason];
  edge.counters.countEvent(series("weir_origin_failures_total", { origin: route.origin.id, reason: failure.reason }));
  tellFollowers(edge, x, failure);
  await renewPurges(edge, x, route);
  const isMaintenance = failure.reason === "maintenance";
  const rungs = rungsOf(edge, x, route, { isMaintenance, hasOriginAnswer: failure.response !== undefined });
  for (const rung of rungs) {
    const answer = await climb(edge, x, route, rung, failure);
    const result = answer === undefined ? "nothing" : "answered";
    edge.counters.countEvent(series("weir_rungs_total", { route: route.id, rung, result }));
    if (answer === undefined) continue;
    x.rung = rung;
    noteInCacheStatus(x, rung, failure);
    if (answer !== failure.response) dropUnused(x, failure.response);
    return answer;
  }
  return lastResort(x.requestId, x.inbound.get("accept"));
}

/** This request's ladder, with what is stored for it now. */
export function rungsOf(
  edge: Edge,
  x: Exchange,
  route: CompiledRoute,
  failed: Pick<LadderFacts, "isMaintenance" | "hasOriginAnswer">,
): readonly Rung[] {
  const entry = x.cache?.entry;
  return ladder({
    ...failed,
    order: route.ladder,
    mayServeStale: entry !== undefined && mayServeOnError(entry.freshness, edge.now()),
    mayUseSnapshot: x.cache?.cacheable === true,
    repeatable: REPEATABLE_METHODS.includes(x.method),
  });
}

/** What is stored stays only if purges left it standing; the origin may have taken its time to fail. */
async function renewPurges(edge: Edge, x: Exchange, route: CompiledRoute): Promise<void> {
  const { cache } = x;
  if (cache?.cacheable !== true) return;
  if (cache.entry === undefined && route.config.cache?.snapshotIntervalMs === undefined) return;
  const { purges } = cache;
  const nowMs = edge.now();
  const waits = !purges.isFresh(nowMs) && edge.purges.refresh(purgeSite(x, route), nowMs);
  if (waits) await edge.purges.wait(route.origin.stateId);
  stillStanding(edge, x, cache);
}

/** They answer by their own ladders, and nobody waits for this URL's next refresh. */
function tellFollowers(edge: Edge, x: Exchange, { reason, retryAfterMs, answer }: OriginFailure): void {
  const { cache } = x;
  if (cache === undefined) return;
  if (CALLED.includes(reason)) edge.flights.noteFailed(cache.key, edge.now());
  cache.flight?.land({
    kind: "failed",
    reason,
    retryAfterMs,
    answer: answer === undefined ? undefined : shared(x, answer),
  });
}

/** RFC 9211: `fwd` only where the request went forward. What is stored says its own, see `fromStore`. */
function noteInCacheStatus(x: Exchange, rung: Rung, { reason }: OriginFailure): void {
  if (x.cacheStatus === undefined || rung === "stale" || rung === "snapshot") return;
  const went = rung === "failover" || CALLED.includes(reason);
  x.cacheStatus = went ? `${x.cacheStatus}; detail=${rung}` : `weir; detail=${rung}`;
}

/** A body nobody reads would hold its connection. */
function dropUnused(x: Exchange, response: Response | undefined): void {
  const body = response?.body ?? null;
  if (body !== null) x.waitUntil(body.cancel().catch(() => undefined));
}

function climb(
  edge: Edge,
  x: Exchange,
  route: CompiledRoute,
  rung: Rung,
  failure: OriginFailure,
): Response | undefined | Promise<Response | undefined> {
  switch (rung) {
    case "stale":
      return x.cache?.entry === undefined ? undefined : fromStore(edge, x, route, x.cache.entry, rung, failure);
    case "snapshot":
      return snapshot(edge, x, route, failure);
    case "failover":
      return failOver(edge, x);
    case "page":
      return fallbackPage(x, outageOf(edge, x, failure));
    case "origin-answer":
      x.served = "origin";
      if (failure.answer !== undefined) keepFailure(edge, x, failure.answer);
      return failure.response;
    case "plain":
      return plainRefusal(x, outageOf(edge, x, failure));
  }
}

async function snapshot(
  edge: Edge,
  x: Exchange,
  route: CompiledRoute,
  failure: OriginFailure,
): Promise<Response | undefined> {
  const { cache } = x;
  if (cache === undefined) return undefined;
  const entry = await edge.snapshots.find(snapshotSite(edge, x, cache, route));
  return entry === undefined ? undefined : fromStore(edge, x, route, entry, "snapshot", failure);
}

/** RFC 9211: a request that went to the origin was forwarded, and is no hit, whatever it is answered with. */
function fromStore(
  edge: Edge,
  x: Exchange,
  route: CompiledRoute,
  entry: StoredResponse,
  rung: "stale" | "snapshot",
  { reason, response }: OriginFailure,
): Response | Promise<Response | undefined> {
  x.served = rung;
  if (x.cache?.purges.mayHaveMissed(edge.now()) === true) countUnpurged(edge, route);
  const nowMs = edge.now();
  const status = response === undefined ? "" : `; fwd-status=${response.status}`;
  const how = CALLED.includes(reason) ? `${x.cacheStatus ?? "weir"}${status}` : "weir; hit";
  return answerFrom(edge, x, entry, nowMs, `${how}; ttl=${ttlSeconds(entry, nowMs)}; detail=${rung}`);
}

/** The second origin, behind a breaker of its own. What it answers is not stored under the first one's name. */
async function failOver(edge: Edge, x: Exchange): Promise<Response | undefined> {
  const { route, caller, url } = x;
  if (route?.failover === undefined || caller === undefined || url === undefined) return undefined;
  const site = {
    env: x.env,
    waitUntil: x.waitUntil,
    configVersion: x.tables.configVersion,
    pop: x.pop,
    origin: route.failover,
    method: x.method,
  };
  const passage = await edge.origins.pass({
    ...site,
    nowMs: edge.now(),
    caller,
    routeId: route.id,
    clientIp: x.clientIp,
  });
  if (passage.kind === "refused") return undefined;
  const outcome = await callThroughBulkhead(edge, {
    ...site,
    path: url.path,
    query: url.query,
    headers: x.headers,
    body: null,
    deadlineMs: route.failover.config.deadlineMs,
    passage,
    priority: caller.tenant.priority,
    inboundAttempt: true,
    clientGone: x.request.signal,
    caller,
    whileStreaming: (release) => {
      atEnd(x, release);
    },
  });
  x.attempts += outcome.attempts;
  if (outcome.kind === "failed" || outcome.verdict.kind === "failure" || outcome.status === 304) return undefined;
  x.served = "failover";
  noteAnswer(x, outcome);
  return buildAnswer(outcome);
}

/** For the end of the ladder: whether somebody opened the breaker by hand is worth saying. */
function outageOf(edge: Edge, x: Exchange, { reason, retryAfterMs }: OriginFailure): Outage {
  const view = x.route === undefined ? undefined : edge.origins.sight(x.route.origin.stateId).view;
  return { reason, retryAfterMs, byHand: view?.state === "forced-open" };
}
