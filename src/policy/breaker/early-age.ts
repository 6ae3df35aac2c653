/**
 * At which age a pending call counts as late: twice what hardly any call takes (the 99th percentile of lately answered
 * ones, rounded up to the histogram's bucket), never below the configured age. So a slow origin is not taken for a
 * hanging one, and an origin that has become slower is soon not either. Unknown until SAMPLES calls were answered.
 */
import { LATENCY_BOUNDS_SECONDS, newLatencyCounts } from "../kernel/histogram.ts";

export interface Latencies {
  readonly counts: number[];
  halvedAtMs: number;
}

const HALF_LIFE_MS = 60_000;
const SAMPLES = 100;
const FACTOR = 2;

export function newLatencies(nowMs: number): Latencies {
  return { counts: newLatencyCounts(), halvedAtMs: nowMs };
}

/** `counts`: calls by bucket of the histogram; further ones are ignored. */
export function addLatencies(latencies: Latencies, counts: readonly number[], nowMs: number): void {
  if (nowMs - latencies.halvedAtMs >= HALF_LIFE_MS) {
    const factor = 0.5 ** Math.floor((nowMs - latencies.halvedAtMs) / HALF_LIFE_MS);
    for (const [bucket, count] of latencies.counts.entries()) latencies.counts[bucket] = count * factor;
    latencies.halvedAtMs = nowMs;
  }
  for (const [bucket, count] of latencies.counts.entries()) latencies.counts[bucket] = count + (counts[bucket] ?? 0);
}

/** Undefined: not known yet. Above the last bucket it is Infinity: no call is late. */
export function earlyAgeOf(latencies: Latencies, leastMs: number): number | undefined {
  const total = latencies.counts.reduce((sum, count) => sum + count, 0);
  if (total < SAMPLES) return undefined;
  let slower = total;
  for (const [bucket, count] of latencies.counts.entries()) {
    slower -= count;
    if (slower <= total / 100) {
      return Math.max(leastMs, FACTOR * 1_000 * (LATENCY_BOUNDS_SECONDS[bucket] ?? Number.POSITIVE_INFINITY));
    }
  }
  return undefined;
}
