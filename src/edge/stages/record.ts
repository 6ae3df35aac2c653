/** record: counts, behind the answer. Nothing on the request's way waits for telemetry. */
import { callCoordinator, withDeadline } from "../../platform/coordinators.ts";
import { FLUSH_INTERVAL_MS, type Outcome } from "../counters.ts";
import type { Edge } from "../edge.ts";
import type { Exchange } from "../exchange.ts";
import { releaseSlot } from "./admit.ts";

const FLUSH_DEADLINE_MS = 5_000;
export const METRICS_OBJECT = "metrics:0";

export function record(edge: Edge, x: Exchange, answer: Response): void {
  releaseSlot(edge, x);
  edge.counters.countRequest(x.route?.id ?? "none", outcomeOf(x, answer), edge.now() - x.startedAtMs);
  if (x.admission !== undefined) edge.counters.countTenant(x.caller?.tenant.id ?? "none", true);
  else if (answer.status === 429) edge.counters.countTenant(x.caller?.tenant.id ?? "none", false);
  if (edge.counters.claimFlush()) x.waitUntil(flush(edge, x));
}

function outcomeOf(x: Exchange, answer: Response): Outcome {
  if (x.refusal !== undefined) {
    if (answer.status === 429) return "throttled";
    return answer.status === 503 ? "shed" : "refused";
  }
  return x.served ?? "error";
}

async function flush(edge: Edge, x: Exchange): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, FLUSH_INTERVAL_MS);
  });
  const batch = edge.counters.takeBatch();
  if (batch === undefined) return;
  try {
    const call = callCoordinator(x.env, "METRICS", METRICS_OBJECT, "flush", batch);
    edge.counters.acknowledge((await withDeadline(call, FLUSH_DEADLINE_MS)).seq);
  } catch {
    // Kept, and sent again with the same number by the next flush.
    edge.counters.countEvent("weir_metrics_flush_failures_total");
  }
}
