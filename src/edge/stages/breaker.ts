/** breaker: closed → go; open → the ladder; half-open → only with a probe lease; ramp → by tenant. */
import type { CompiledRoute } from "../../config/tables.ts";
import type { Edge } from "../edge.ts";
import type { BreakerPassage, Caller, Exchange, StageAnswer } from "../exchange.ts";
import { passBy } from "./cache.ts";

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
    routeId: route.id,
    clientIp: x.clientIp,
  });
  return passage instanceof Promise
    ? passage.then((settled) => {
        noteAllowed(edge, x, route, caller);
        return note(x, settled);
      })
    : note(x, passage);
}

/** The view that had to be asked for may say what the one before did not: `maintenance` noted nothing then. */
function noteAllowed(edge: Edge, x: Exchange, route: CompiledRoute, { keyId }: Caller): void {
  const asks = { routeId: route.id, clientIp: x.clientIp, keyId };
  x.maintenance = edge.origins.maintenanceOf(route.origin, asks, edge.now());
  if (x.maintenance?.kind === "allowed" && x.cache !== undefined) passBy(x, x.cache);
}

function note(x: Exchange, passage: BreakerPassage): undefined {
  x.breaker = passage;
  if (passage.kind === "refused") {
    const reason = passage.isMaintenance === true ? "maintenance" : "breaker-open";
    x.failure = { reason, retryAfterMs: passage.retryAfterMs, response: undefined };
  }
  return undefined;
}
