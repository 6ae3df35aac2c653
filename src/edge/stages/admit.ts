/**
 * admit: all limits that apply (tenant, route, principal) together, through the tenant's escrow leases; then the
 * tenant's concurrency cap. Warm: synchronous, no call. A route with `charge: "miss"` is charged only behind the cache.
 */
import type { CompiledRoute } from "../../config/tables.ts";
import { refuse } from "../refuse.ts";
import type { Edge } from "../edge.ts";
import type { Caller, Exchange, StageAnswer } from "../exchange.ts";
import type { Admission, AdmitRequest } from "../lessees.ts";

/** Before the cache: charges, or on `charge: "miss"` only sees to it that the caller's key still stands. */
export function admit(edge: Edge, x: Exchange): StageAnswer {
  const { route, caller } = x;
  if (route === undefined || caller === undefined) return undefined;
  if (!chargesOnMiss(route)) return charge(edge, x, route, caller);
  if (caller.keyId === undefined) return undefined;
  return settle(edge, x, edge.lessees.admit({ ...admitRequest(edge, x, route, caller), chargeNothing: true }), false);
}

/** Behind the cache: charges what `admit` left. */
export function admitMiss(edge: Edge, x: Exchange): StageAnswer {
  const { route, caller } = x;
  if (route === undefined || caller === undefined || !chargesOnMiss(route)) return undefined;
  return charge(edge, x, route, caller);
}

/** The request as the limiter sees it; also what the `RateLimit` headers are read with. */
export function admitRequest(edge: Edge, x: Exchange, route: CompiledRoute, caller: Caller): AdmitRequest {
  return {
    env: x.env,
    waitUntil: x.waitUntil,
    nowMs: edge.now(),
    coordinatorName: caller.coordinatorName,
    configVersion: x.tables.configVersion,
    tenantLimits: caller.tenant.limits,
    routeLimits: route.limits,
    principal: caller.principal,
    costMicro: route.costMicro,
    keyId: caller.keyId,
    chargeNothing: caller.exempt,
  };
}

function chargesOnMiss(route: CompiledRoute): boolean {
  return route.config.charge === "miss" && route.config.cache !== undefined;
}

function charge(edge: Edge, x: Exchange, route: CompiledRoute, caller: Caller): StageAnswer {
  const busy = refuseOverConcurrency(edge, x, caller);
  if (busy !== undefined) return busy;
  return settle(edge, x, edge.lessees.admit(admitRequest(edge, x, route, caller)), true);
}

function settle(edge: Edge, x: Exchange, admission: Admission | Promise<Admission>, charged: boolean): StageAnswer {
  return admission instanceof Promise
    ? admission.then((settled) => conclude(edge, x, settled, charged))
    : conclude(edge, x, admission, charged);
}

function conclude(edge: Edge, x: Exchange, admission: Admission, charged: boolean): Response | undefined {
  if (admission.admitted) {
    if (!charged) return undefined;
    x.admission = admission;
    occupySlot(edge, x);
    if (admission.decidedBy === "fail-local" || admission.decidedBy === "fail-open") {
      edge.counters.countEvent(`weir_limit_failed_total{mode="${admission.decidedBy}"}`);
    }
    return undefined;
  }
  x.refusal = admission.reason;
  if (admission.reason !== "key-revoked") x.retryAfterMs = admission.retryAfterMs;
  x.violated = admission.violated;
  if (admission.reason === "coordinator-unreachable") {
    edge.counters.countEvent('weir_limit_failed_total{mode="fail-closed"}');
  }
  return refuse(x, admission.reason);
}

/** The cap holds for this isolate: requests of one tenant whose answer is not yet complete. */
function refuseOverConcurrency(edge: Edge, x: Exchange, caller: Caller): Response | undefined {
  const cap = caller.tenant.concurrency;
  if (cap === undefined || (edge.tenantSlots.get(caller.coordinatorName) ?? 0) < cap) return undefined;
  x.refusal = "concurrency";
  x.retryAfterMs = 1_000;
  return refuse(x, "concurrency");
}

function occupySlot(edge: Edge, x: Exchange): void {
  const { caller } = x;
  if (caller?.tenant.concurrency === undefined) return;
  edge.tenantSlots.set(caller.coordinatorName, (edge.tenantSlots.get(caller.coordinatorName) ?? 0) + 1);
  x.holdsSlot = true;
}

export function releaseSlot(edge: Edge, x: Exchange): void {
  if (!x.holdsSlot || x.caller === undefined) return;
  x.holdsSlot = false;
  const left = (edge.tenantSlots.get(x.caller.coordinatorName) ?? 1) - 1;
  if (left > 0) edge.tenantSlots.set(x.caller.coordinatorName, left);
  else edge.tenantSlots.delete(x.caller.coordinatorName);
}
