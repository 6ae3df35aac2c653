/**
 * Bulkheads: an origin's slots, and one tenant's slots there, for the whole world. They are limits of slots like a
 * tenant's concurrency, leased from coordinators of their own kind; a call holds them until its answer is complete.
 * A full origin is a failure like any other (the ladder answers); a tenant that has used up its own slots is throttled.
 */
import type { LimitConfig } from "../config/model.ts";
import type { CompiledBulkhead } from "../config/tables.ts";
import { underWayInTheWorld } from "../policy/breaker/sight.ts";
import { isShed, tierOf } from "../policy/forwarding/shedding.ts";
import type { OriginAnswer, OriginFailed, OriginRequest } from "./call-origin.ts";
import type { Edge } from "./edge.ts";
import type { Caller } from "./exchange.ts";
import type { Admission, AdmitRequest } from "./lessees.ts";
import type { Charged } from "./lessees/charged.ts";
import { series } from "../protocol/series.ts";

const NO_LIMITS: readonly LimitConfig[] = [];
const SHED_RETRY_AFTER_MS = 1_000;

export interface BulkheadCall extends OriginRequest {
  readonly caller: Caller;
  /** A body that still comes holds its slots until `release` is called, which whoever sends it on must do. */
  readonly whileStreaming: (release: () => void) => void;
}

export function bulkheadObjectName(originId: string): string {
  return `bulkhead:${originId}`;
}

/** Calls the origin when slots are free. Probes need none: while they go out, nothing else does. */
export function callThroughBulkhead(edge: Edge, call: BulkheadCall): Promise<OriginAnswer | OriginFailed> {
  const { bulkhead } = call.origin;
  return bulkhead === undefined || call.passage.kind === "probe"
    ? edge.callOrigin(call)
    : callHolding(edge, call, bulkhead);
}

async function callHolding(
  edge: Edge,
  call: BulkheadCall,
  bulkhead: CompiledBulkhead,
): Promise<OriginAnswer | OriginFailed> {
  const held: Charged[] = [];
  const release = (): void => {
    for (const charged of held.splice(0)) charged.release(call, edge.now());
  };
  const refused = await enter(edge, call, bulkhead, held);
  if (refused !== undefined) {
    release();
    return refused;
  }
  const { promise: ended, resolve: end } = Promise.withResolvers<undefined>();
  const leave = (): void => {
    release();
    end(undefined);
  };
  // To its end also when the client is gone: else nobody would give the slots back.
  for (const charged of held) call.waitUntil(charged.renewUntil(ended, call, edge.now));
  let streams = false;
  try {
    const outcome = await edge.origins.counted(call, call.caller.tenant.id, edge.callOrigin(call));
    streams = outcome.kind === "answer" && outcome.body instanceof ReadableStream;
    if (streams) call.whileStreaming(leave);
    return outcome;
  } finally {
    if (!streams) leave();
  }
}

/** Undefined: entered, and `held` is what must be given back. */
async function enter(
  edge: Edge,
  call: BulkheadCall,
  bulkhead: CompiledBulkhead,
  held: Charged[],
): Promise<OriginFailed | undefined> {
  if (bulkhead.perTenant.length > 0) {
    const admission = await admit(edge, call, call.caller.coordinatorName, bulkhead.perTenant, call.configVersion);
    if (!admission.admitted) return refusedBy(edge, call, admission, "tenant");
    held.push(admission.charged);
  }
  if (bulkhead.slots === undefined) return undefined;
  const sight = edge.origins.sight(call.origin.stateId);
  const { slots, version } = sight.view?.slots ?? { slots: bulkhead.slots, version: call.configVersion };
  const tenantId = call.caller.tenant.id;
  const tier = tierOf(call.priority, sight.byTenant.get(tenantId) ?? 0, sight.underWay, sight.byTenant.size);
  if (isShed(tier, underWayInTheWorld(sight), slots, tenantId)) {
    countRefused(edge, call, "load");
    return { kind: "failed", reason: "bulkhead", attempts: 0, retryAfterMs: SHED_RETRY_AFTER_MS };
  }
  const admission = await admit(edge, call, bulkheadObjectName(call.origin.stateId), bulkhead.limits(slots), version);
  if (!admission.admitted) return refusedBy(edge, call, admission, "slots");
  held.push(admission.charged);
  return undefined;
}

/** Why a call was not made: the tenant's own slots, the origin's, or its load before that. */
type Refusal = "tenant" | "slots" | "load";

function refusedBy(
  edge: Edge,
  call: BulkheadCall,
  { violated, retryAfterMs }: Extract<Admission, { admitted: false }>,
  why: Refusal,
): OriginFailed {
  countRefused(edge, call, why);
  const reason = why === "tenant" ? "tenant-bulkhead" : "bulkhead";
  return { kind: "failed", reason, attempts: 0, violated, retryAfterMs };
}

function countRefused(edge: Edge, { origin }: BulkheadCall, reason: Refusal): void {
  edge.counters.countEvent(series("weir_bulkhead_refused_total", { origin: origin.id, reason }));
}

function admit(
  edge: Edge,
  call: BulkheadCall,
  coordinatorName: string,
  limits: readonly LimitConfig[],
  configVersion: number,
): Admission | Promise<Admission> {
  const { env, waitUntil, caller } = call;
  const request: AdmitRequest = {
    env,
    waitUntil,
    configVersion,
    nowMs: edge.now(),
    coordinatorName,
    tenantLimits: NO_LIMITS,
    routeLimits: limits,
    principal: caller.principal,
    costMicro: 1,
    keyId: undefined,
  };
  return edge.lessees.admit(request);
}
