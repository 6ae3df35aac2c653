/**
 * respond: the headers every answer carries. `Retry-After` is never earlier than the reset the RateLimit field names;
 * it is rounded up to whole seconds.
 */
import { VIA } from "../../http/headers.ts";
import { proxyStatus, rateLimitMember, rateLimitPolicy } from "../../http/structured.ts";
import type { CompiledRoute } from "../../config/tables.ts";
import type { Edge } from "../edge.ts";
import type { Caller, Exchange } from "../exchange.ts";
import { admitRequest } from "./admit.ts";

export function respond(edge: Edge, x: Exchange, answer: Response): Response {
  const { headers } = answer;
  if (x.served !== undefined) headers.set("weir-served", x.served);
  headers.set("weir-request-id", x.requestId);
  headers.append("via", VIA);
  if (x.cacheStatus !== undefined) headers.append("cache-status", x.cacheStatus);
  if (x.proxyError !== undefined && x.route !== undefined) {
    headers.append("proxy-status", proxyStatus(x.proxyError, x.route.origin.id, x.failure?.response?.status));
  }
  let resetSeconds = 0;
  const limited = x.caller?.exempt === false && (x.admission !== undefined || x.refusal === "limited");
  if (limited && x.route !== undefined && x.caller !== undefined) {
    resetSeconds = setRateLimit(edge, x, headers, x.route, x.caller);
  }
  if (x.retryAfterMs !== undefined) {
    const seconds = Math.max(1, Math.ceil(x.retryAfterMs / 1_000));
    headers.set("retry-after", String(x.refusal === "limited" ? Math.max(seconds, resetSeconds) : seconds));
  }
  if (x.refusal === "unauthenticated" || x.refusal === "invalid-key" || x.refusal === "key-revoked") {
    headers.set("www-authenticate", 'Bearer realm="weir"');
  }
  if (x.env.WEIR_SERVER_TIMING === "1") setServerTiming(edge, x, headers);
  return answer;
}

/** Returns the latest reset among violated limits, in seconds. */
function setRateLimit(edge: Edge, x: Exchange, headers: Headers, route: CompiledRoute, caller: Caller): number {
  let members = "";
  let latestReset = 0;
  for (const reading of edge.lessees.describe(admitRequest(edge, x, route, caller))) {
    if (reading.limit.mode !== "enforce") continue;
    members += `${members === "" ? "" : ", "}${rateLimitMember(reading.limit.name, reading.remainingTokens, reading.resetSeconds)}`;
    if (x.violated.includes(reading.limit)) latestReset = Math.max(latestReset, reading.resetSeconds);
  }
  if (members === "") return 0;
  headers.set("ratelimit-policy", edge.policyHeader(caller.tenant.limits, route.limits, rateLimitPolicy));
  headers.set("ratelimit", members);
  return latestReset;
}

function setServerTiming(edge: Edge, x: Exchange, headers: Headers): void {
  headers.append("server-timing", `total;dur=${edge.now() - x.startedAtMs}`);
  if (x.admission !== undefined) {
    headers.append("server-timing", `admit;desc="${x.admission.decidedBy}@${x.admission.decidedAtMs}"`);
  }
}
