/** forward: one origin call, when the breaker lets it pass. What failed goes on to the ladder. */
import { buildAnswer } from "../answer.ts";
import { callOrigin, type OriginAnswer, type OriginFailed } from "../call-origin.ts";
import type { Edge } from "../edge.ts";
import type { Exchange, StageAnswer } from "../exchange.ts";
import { addConditions, receiveFromOrigin } from "./cache.ts";

export function forward(edge: Edge, x: Exchange): StageAnswer {
  const { route, caller, breaker: passage, url } = x;
  if (route === undefined || caller === undefined || url === undefined) return undefined;
  if (passage === undefined || passage.kind === "refused") return undefined;
  if (route.config.cache !== undefined) addConditions(x);
  return callOrigin(edge.origins, {
    env: x.env,
    waitUntil: x.waitUntil,
    origin: route.origin,
    configVersion: x.tables.configVersion,
    method: x.method,
    path: url.path,
    query: url.query,
    headers: x.headers,
    body: x.request.body,
    deadlineMs: route.deadlineMs,
    passage,
    tenantId: caller.tenant.id,
    pop: x.pop,
    priority: caller.tenant.priority,
    inboundAttempt: x.inboundAttempt,
  }).then((outcome) => conclude(edge, x, outcome));
}

function conclude(edge: Edge, x: Exchange, outcome: OriginAnswer | OriginFailed): StageAnswer {
  if (outcome.kind === "failed") {
    x.failure = { reason: outcome.reason, retryAfterMs: undefined, response: undefined };
    return undefined;
  }
  if (outcome.verdict.kind === "failure") {
    x.failure = { reason: "status", retryAfterMs: undefined, response: buildAnswer(outcome) };
    return undefined;
  }
  x.served = "origin";
  return receiveFromOrigin(edge, x, outcome);
}
