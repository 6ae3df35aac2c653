/**
 * admit: all limits that apply (tenant, route, principal, concurrency) together, through the tenant's escrow leases.
 * Warm: synchronous, no call. A route with `charge: "miss"` is charged only behind the cache. Exempt callers are held
 * to the concurrency alone.
 */
import type { LimitConfig } from "../../config/model.ts";
import type { CompiledRoute } from "../../config/tables.ts";
import type { FailMode } from "../../policy/limits/types.ts";
import { refuse } from "../refuse.ts";
import type { Edge } from "../edge.ts";
import { atEnd, type Caller, type ChargeTerms, type Exchange, type StageAnswer } from "../exchange.ts";
import type { Admission, AdmitRequest } from "../lessees.ts";
import type { Charged } from "../lessees/charged.ts";
import { series } from "../../protocol/series.ts";

/** Before the cache: charges, or on `charge: "miss"` only sees to it that the caller's key still stands. */
export function admit(edge: Edge, x: Exchange): StageAnswer {
  const { route, caller } = x;
  if (route === undefined || caller === undefined) return undefined;
  if (!chargesOnMiss(route)) return charge(edge, x, route, caller);
  if (caller.tenant.anonymous) return undefined;
  return settle(edge, x, edge.lessees.admit({ ...admitRequest(edge, x, route, caller), chargeNothing: true }), false);
}

/** Behind the cache: charges what `admit` left. */
export function admitMiss(edge: Edge, x: Exchange): StageAnswer {
  const { route, caller } = x;
  if (route === undefined || caller === undefined || !chargesOnMiss(route)) return undefined;
  return charge(edge, x, route, caller);
}

/** The request as the limiter sees it; also what the `RateLimit` headers are read with. */
export function admitRequest(edge: Edge, x: Exchange, terms: ChargeTerms, caller: Caller): AdmitRequest {
  return {
    env: x.env,
    waitUntil: x.waitUntil,
    nowMs: x.nowMs,
    coordinatorName: caller.coordinatorName,
    configVersion: x.tables.configVersion,
    tenantLimits: caller.exempt ? caller.tenant.slotLimits : caller.tenant.limits,
    routeLimits: caller.exempt ? NO_LIMITS : terms.limits,
    principal: caller.principal,
    costMicro: terms.costMicro,
    keyId: caller.keyId,
    keyUse: caller.keyUse,
    named: !caller.tenant.anonymous,
  };
}

const NO_LIMITS: readonly LimitConfig[] = [];

export function chargesOnMiss(route: CompiledRoute): boolean {
  return route.config.charge === "miss" && route.config.cache !== undefined;
}

export function charge(edge: Edge, x: Exchange, terms: ChargeTerms, caller: Caller): StageAnswer {
  return settle(edge, x, edge.lessees.admit(admitRequest(edge, x, terms, caller)), true);
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
    if (admission.charged.holdsSlots) holdSlots(edge, x, admission.charged);
    if (admission.decidedBy === "fail-local") noteFailMode(edge, x, "local");
    else if (admission.decidedBy === "fail-open") noteFailMode(edge, x, "open");
    return undefined;
  }
  if (admission.reason !== "key-revoked" && admission.reason !== "suspended") x.retryAfterMs = admission.retryAfterMs;
  x.violated = admission.violated;
  if (admission.reason === "coordinator-unreachable") noteFailMode(edge, x, "closed");
  return refuse(x, isBusy(admission) ? "concurrency" : admission.reason);
}

/** Only slots were missing. */
function isBusy({ violated }: { readonly violated: readonly LimitConfig[] }): boolean {
  return violated.length > 0 && violated.every(({ spec }) => spec.kind === "slots");
}

function noteFailMode(edge: Edge, x: Exchange, mode: FailMode): void {
  x.failMode = mode;
  edge.counters.countEvent(series("weir_limit_failed_total", { tenant: x.caller?.tenant.id ?? "none", mode }));
}

/**
 * Until `record` ends the exchange. `waitUntil` also keeps the exchange going to its end when the client is gone, so that
 * the slots come back.
 */
function holdSlots(edge: Edge, x: Exchange, charged: Charged): void {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const site = { env: x.env, waitUntil: x.waitUntil, configVersion: x.tables.configVersion };
  atEnd(x, () => {
    charged.release(site, edge.now());
    resolve(undefined);
  });
  x.waitUntil(charged.renewUntil(promise, site, edge.now));
}
