/**
 * maintenance: an origin or route taken out of service by hand. Here it is noted for the stages behind, which make no
 * origin call; with `pageOnly` the page is the answer at once, before any limit is charged. A view too old to go by is
 * asked for first, but only while it says that there is maintenance: nobody else waits.
 */
import type { CompiledRoute } from "../../config/tables.ts";
import type { MaintenanceVerdict } from "../../policy/degradation/maintenance.ts";
import type { Edge } from "../edge.ts";
import type { Caller, Exchange, StageAnswer } from "../exchange.ts";
import { endOfLadder, PROXY_ERROR } from "../fallback.ts";
import { siteOf } from "../origin-views.ts";
import { series } from "../../protocol/series.ts";

export function maintenance(edge: Edge, x: Exchange): StageAnswer {
  const { route, caller } = x;
  if (route === undefined || caller === undefined) return undefined;
  if (edge.origins.sight(route.origin.stateId).view?.maintenance === undefined) return undefined;
  const asking = edge.origins.refreshIfOld(siteOf(x, route.origin), edge.now());
  return asking === undefined ? note(edge, x, route, caller) : asking.then(() => note(edge, x, route, caller));
}

function note(edge: Edge, x: Exchange, route: CompiledRoute, caller: Caller): Response | undefined {
  x.maintenance = edge.origins.maintenanceOf(
    route.origin,
    { routeId: route.id, clientIp: x.clientIp, keyId: caller.keyId },
    edge.now(),
  );
  return x.maintenance?.kind === "held" && x.maintenance.pageOnly ? pageOnly(edge, x, route, x.maintenance) : undefined;
}

function pageOnly(
  edge: Edge,
  x: Exchange,
  route: CompiledRoute,
  { retryAfterMs }: Extract<MaintenanceVerdict, { kind: "held" }>,
): Response {
  edge.origins.keepCurrent(x, route.origin, edge.now());
  edge.counters.countEvent(series("weir_origin_failures_total", { origin: route.origin.id, reason: "maintenance" }));
  x.failure = { reason: "maintenance", retryAfterMs, response: undefined };
  x.proxyError = PROXY_ERROR.maintenance;
  const answer = endOfLadder(x, { reason: "maintenance", retryAfterMs, byHand: true });
  edge.counters.countEvent(
    series("weir_rungs_total", { route: route.id, rung: x.rung ?? "plain", result: "answered" }),
  );
  return answer;
}
