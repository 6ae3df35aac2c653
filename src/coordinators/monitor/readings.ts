/** Asks all Metrics objects for their totals. One that does not answer in time is left out: the next reading has it. */
import type { Env } from "../../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../../platform/coordinators.ts";
import { METRICS_SHARDS, metricsObjectName, type ShardTotals } from "../../protocol/metrics.ts";

const DEADLINE_MS = 2_000;

export interface Readings {
  readonly totals: readonly { readonly shard: number; readonly totals: ShardTotals }[];
  readonly failed: number;
}

export async function readMetrics(env: Env): Promise<Readings> {
  const shards = Array.from({ length: METRICS_SHARDS }, (_, shard) => shard);
  const read = await Promise.all(shards.map((shard) => readShard(env, shard)));
  const totals = read.filter((one) => one !== undefined);
  return { totals, failed: shards.length - totals.length };
}

async function readShard(env: Env, shard: number): Promise<Readings["totals"][number] | undefined> {
  try {
    const call = callCoordinator(env, "METRICS", metricsObjectName(shard), "totals", { v: 2 });
    return { shard, totals: await withDeadline(call, DEADLINE_MS) };
  } catch {
    // Counted by the caller, who tells it as a condition.
    return undefined;
  }
}
