/** breaker: closed → go; open → the ladder; half-open → only with a probe lease; ramp → by tenant. */
import type { Edge } from "../edge.ts";
import type { BreakerPassage, Exchange, StageAnswer } from "../exchange.ts";

export function breaker(edge: Edge, x: Exchange): StageAnswer {
  const { route, caller } = x;
  // A failure known already: another request's, which this one has waited for.
  if (route === undefined || caller === undefined || x.failure !== undefined) return undefined;
  const passage = edge.origins.pass({
    env: x.env,
    waitUntil: x.waitUntil,
    nowMs: edge.now(),
    origin: route.origin,
    configVersion: x.tables.configVersion,
    caller,
    method: x.method,
    pop: x.pop,
  });
  return passage instanceof Promise ? passage.then((settled) => note(x, settled)) : note(x, passage);
}

function note(x: Exchange, passage: BreakerPassage): undefined {
  x.breaker = passage;
  if (passage.kind === "refused") {
    x.failure = { reason: "breaker-open", retryAfterMs: passage.retryAfterMs, response: undefined };
  }
  return undefined;
}
