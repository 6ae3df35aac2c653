/** Questions of the admin API to the Metrics objects: to all of them, or it is not answered. */
import type { Env } from "../platform/bindings.ts";
import { type Argument, callCoordinator, type Method, type Reply, withDeadline } from "../platform/coordinators.ts";
import { METRICS_SHARDS, metricsObjectName, type MetricsTotals } from "../protocol/metrics.ts";
import { addTotals } from "../protocol/metrics-totals.ts";
import { COORDINATOR_DEADLINE_MS } from "./reply.ts";

/** By shard. */
export function askMetrics<M extends Method<"METRICS">>(
  env: Env,
  method: M,
  argumentOf: (shard: number) => Argument<"METRICS", M>,
): Promise<Reply<"METRICS", M>[]> {
  return Promise.all(
    Array.from({ length: METRICS_SHARDS }, (_, shard) => {
      const call = callCoordinator(env, "METRICS", metricsObjectName(shard), method, argumentOf(shard));
      return withDeadline(call, COORDINATOR_DEADLINE_MS);
    }),
  );
}

export const readTotals = async (env: Env): Promise<MetricsTotals> =>
  addTotals(await askMetrics(env, "totals", () => ({ v: 2 as const })));
