/**
 * respond: the headers every answer carries. `Retry-After` is never earlier than the reset the RateLimit field names;
 * it is rounded up to whole seconds.
 */
import { VIA } from "../../http/headers.ts";
import { REFUSALS } from "../../http/problem.ts";
import { type ProxyError, proxyStatus, rateLimitMember, rateLimitPolicy } from "../../http/structured.ts";
import type { CompiledRoute } from "../../config/tables.ts";
import type { Edge } from "../edge.ts";
import { type Answer, type Caller, type ChargeTerms, Draft, type Exchange, type Fields } from "../exchange.ts";
import type { LimitReading } from "../lessees/readings.ts";
import { admitRequest } from "./admit.ts";

export function respond(edge: Edge, x: Exchange, answer: Answer): Response {
  const headers: Fields = answer instanceof Draft ? answer : answer.headers;
  setOwnHeaders(x, headers);
  let resetSeconds = 0;
  const terms = x.terms ?? x.route;
  const limited = x.caller?.exempt === false && (x.admission !== undefined || isThrottled(x));
  if (limited && terms !== undefined && x.caller !== undefined) {
    resetSeconds = setRateLimit(edge, x, headers, terms, x.caller);
  }
  setRetryAfter(x, headers, resetSeconds);
  if (x.env.WEIR_SERVER_TIMING === "1") setServerTiming(edge, x, headers);
  return answer instanceof Draft ? answer.toResponse() : answer;
}

const isThrottled = ({ refusal }: Exchange): boolean => refusal === "limited" || refusal === "concurrency";

/** What needs no state. */
export function setOwnHeaders(x: Exchange, headers: Fields): void {
  if (x.served !== undefined) headers.set("weir-served", x.served);
  headers.set("weir-request-id", x.requestId);
  headers.append("via", VIA);
  if (x.cacheStatus !== undefined) headers.append("cache-status", x.cacheStatus);
  if (x.proxyError !== undefined && x.route !== undefined) setProxyStatus(x, headers, x.proxyError, x.route);
  if (x.failMode !== undefined) headers.set("weir-fail-mode", x.failMode);
  // For us alone; on other routes a cache in front of us may want it.
  if (x.route?.config.cache !== undefined && mayCarryTags(x)) headers.delete("cache-tag");
  if (x.route?.lateCost !== undefined) headers.delete(x.route.lateCost.header);
  if (x.refusal !== undefined && REFUSALS[x.refusal].status === 401)
    headers.set("www-authenticate", 'Bearer realm="weir"');
}

/** Why the origin did not answer and which rung did; behind it, the origin that answered instead. */
function setProxyStatus({ failure, rung }: Exchange, headers: Fields, error: ProxyError, route: CompiledRoute): void {
  const details = failure === undefined || rung === undefined ? undefined : `${failure.reason}: ${rung}`;
  headers.append("proxy-status", proxyStatus(error, route.origin.id, failure?.response?.status, details));
  if (rung === "failover" && route.failover !== undefined) {
    headers.append("proxy-status", `weir;next-hop="${route.failover.id}"`);
  }
}
/** What is stored is kept without them. */
const mayCarryTags = ({ served }: Exchange): boolean => served === "origin" || served === "failover";

export function setRetryAfter(x: Exchange, headers: Fields, resetSeconds: number): void {
  if (x.retryAfterMs === undefined) return;
  const seconds = Math.max(1, Math.ceil(x.retryAfterMs / 1_000));
  headers.set("retry-after", String(isThrottled(x) ? Math.max(seconds, resetSeconds) : seconds));
}

/** Returns the latest reset among violated limits, in seconds. */
function setRateLimit(edge: Edge, x: Exchange, headers: Fields, terms: ChargeTerms, caller: Caller): number {
  const readings =
    x.admission?.charged.readings(x.nowMs) ?? edge.lessees.describe(admitRequest(edge, x, terms, caller));
  if (readings.length === 0) return 0;
  const fields = x.tables.rateLimitFields;
  if (fields === "ietf" || fields === "both") setFields(edge, headers, readings, terms, caller);
  if (fields === "legacy" || fields === "both") setLegacyFields(headers, readings);
  let latestReset = 0;
  for (const { limit, resetSeconds = 0 } of readings) {
    if (x.violated.includes(limit)) latestReset = Math.max(latestReset, resetSeconds);
  }
  return latestReset;
}

function setFields(
  edge: Edge,
  headers: Fields,
  readings: readonly LimitReading[],
  terms: ChargeTerms,
  caller: Caller,
): void {
  let members = "";
  let overridden = false;
  for (const reading of readings) {
    const { limit, remainingTokens, resetSeconds } = reading;
    const partitionKey = limit.partition === "principal" ? caller.partitionKey : undefined;
    const member = rateLimitMember(limit.name, remainingTokens, resetSeconds, partitionKey);
    members = members === "" ? member : `${members}, ${member}`;
    overridden ||= reading.overridden;
  }
  const policy = overridden
    ? rateLimitPolicy(readings.map((reading) => ({ ...reading.limit, ...reading })))
    : edge.policyHeader(caller.tenant.limits, terms.limits, rateLimitPolicy);
  headers.set("ratelimit-policy", policy);
  headers.set("ratelimit", members);
}

/** The limit that has the least left, in the form GitHub and others made usual; the reset is in seconds from now. */
function setLegacyFields(headers: Fields, readings: readonly LimitReading[]): void {
  let tightest: LimitReading | undefined;
  for (const reading of readings) {
    if (reading.resetSeconds === undefined) continue;
    if (tightest === undefined || reading.remainingTokens < tightest.remainingTokens) tightest = reading;
  }
  if (tightest === undefined) return;
  headers.set("x-ratelimit-limit", String(tightest.quotaTokens));
  headers.set("x-ratelimit-remaining", String(tightest.remainingTokens));
  headers.set("x-ratelimit-reset", String(tightest.resetSeconds ?? 0));
}

function setServerTiming(edge: Edge, x: Exchange, headers: Fields): void {
  headers.append("server-timing", `total;dur=${edge.now() - x.startedAtMs}`);
  if (x.admission !== undefined) {
    headers.append("server-timing", `admit;desc="${x.admission.decidedBy}@${x.admission.decidedAtMs}"`);
  }
}
