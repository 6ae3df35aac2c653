/** record: counts, behind the answer. Nothing on the request's way waits for telemetry. */
import { callCoordinator, withDeadline } from "../../platform/coordinators.ts";
import { CONTROL_OBJECT } from "../../protocol/control.ts";
import { TRIAL_REPORT_INTERVAL_MS } from "../trial-counts.ts";
import type { Outcome } from "../../protocol/metrics.ts";
import type { Edge } from "../edge.ts";
import type { Exchange } from "../exchange.ts";
import { flush } from "../flush.ts";
import { lateCostMicro } from "../../policy/limits/late-cost.ts";
import { series } from "../../protocol/series.ts";

const REPORT_DEADLINE_MS = 5_000;

/** The answer, with a body that tells when it has been sent where that matters. */
export function record(edge: Edge, x: Exchange, answer: Response): Response {
  settleCharge(edge, x);
  const outcome = outcomeOf(x, answer.status);
  const { nowMs } = x;
  edge.logs.note(x, answer.status, outcome, nowMs);
  // Without a place to flush to nothing is counted.
  if (x.env.METRICS !== undefined) count(edge, x, answer.status, outcome, nowMs);
  if (x.trialNumber !== undefined) countForTrial(edge, x, answer, x.trialNumber);
  return endWith(x, answer);
}

function count(edge: Edge, x: Exchange, status: number, outcome: Outcome, nowMs: number): void {
  const { route } = x;
  const durationMs = nowMs - x.startedAtMs;
  edge.counters.countRequest(route?.id ?? NONE, route?.origin.id ?? NONE, outcome, durationMs);
  if (edge.tail.listening) edge.tail.offer(x, status, outcome, nowMs, edge.random);
  const isAdmitted = x.admission !== undefined;
  if (isAdmitted || status === 429) {
    const costMicro = (x.terms ?? route)?.costMicro ?? 0;
    edge.counters.countTenant(x.caller?.tenant.id ?? NONE, isAdmitted, costMicro, durationMs);
  }
  if (edge.counters.claimFlush(nowMs)) x.waitUntil(flush(edge, x));
}

/** Before the route, or the caller, was known. */
const NONE = "none";

/** A cost that the origin told is charged; quota comes back when the origin did not answer. */
function settleCharge(edge: Edge, x: Exchange): void {
  const { route, admission } = x;
  if (admission === undefined) return;
  if (x.failure !== undefined && x.served !== "failover") admission.charged.refund();
  if (route?.lateCost === undefined || x.lateCost === undefined) return;
  const extraMicro = lateCostMicro(x.lateCost, route.costMicro, route.lateCost.mostMicro);
  if (extraMicro === undefined) edge.counters.countEvent(series("weir_late_cost_invalid_total", { route: route.id }));
  else admission.charged.settle(extraMicro, edge.now());
}

/** Calls `onEnd` now, or when a body that still comes has been sent or its client is gone. */
function endWith(x: Exchange, answer: Response): Response {
  const { onEnd } = x;
  if (onEnd === undefined) return answer;
  if (!x.streams || answer.body === null) {
    onEnd();
    return answer;
  }
  const length = answer.headers.has("content-encoding") ? null : answer.headers.get("content-length");
  const { readable, writable } =
    length === null ? new IdentityTransformStream() : new FixedLengthStream(Number(length));
  x.waitUntil(answer.body.pipeTo(writable).then(onEnd, onEnd));
  return new Response(readable, answer);
}

/** Both arms of a config on trial. */
function countForTrial(edge: Edge, x: Exchange, answer: Response, trialNumber: number): void {
  const failed = answer.status >= 500 || x.failure !== undefined;
  edge.trialCounts.count(trialNumber, x.inCanary ? "canary" : "control", failed, answer.status === 429);
  if (edge.trialCounts.claimReport()) x.waitUntil(reportTrial(edge, x));
}

async function reportTrial(edge: Edge, x: Exchange): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, TRIAL_REPORT_INTERVAL_MS));
  const batch = edge.trialCounts.takeBatch();
  if (batch === undefined) return;
  try {
    const call = callCoordinator(x.env, "CONTROL", CONTROL_OBJECT, "countTrial", { v: 1, edgeId: edge.id, ...batch });
    const { seq, inForce } = await withDeadline(call, REPORT_DEADLINE_MS);
    edge.trialCounts.acknowledge(seq);
    edge.config.heard(inForce, x);
  } catch {
    // Kept, and sent again with the same number by the next report.
    edge.counters.countEvent(series("weir_trial_report_failures_total"));
  }
}

function outcomeOf(x: Exchange, status: number): Outcome {
  // The ladder's end is its end, with a page of the route's own or without.
  if (x.rung !== undefined && x.served === "fallback") {
    return x.failure?.reason === "maintenance" ? "maintenance" : "fallback";
  }
  if (x.refusal !== undefined) {
    if (status === 429) return "throttled";
    return status === 503 ? "shed" : "refused";
  }
  return x.served ?? "error";
}
