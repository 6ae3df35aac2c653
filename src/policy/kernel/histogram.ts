/**
 * Latency histogram with fixed, log-spaced buckets: merging is adding, and the buckets are Prometheus' own `le` bounds.
 * Bounds are in seconds; a value falls into the first bucket whose bound is not below it, above the last into +Inf.
 */
export const LATENCY_BOUNDS_SECONDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** One for each bucket. */
export const newLatencyCounts = (): number[] => [...LATENCY_BOUNDS_SECONDS.map(() => 0), 0];

/** Index into the buckets, `LATENCY_BOUNDS_SECONDS.length` being +Inf. */
export function latencyBucket(durationMs: number): number {
  const seconds = durationMs / 1000;
  for (let index = 0; index < LATENCY_BOUNDS_SECONDS.length; index++) {
    const bound = LATENCY_BOUNDS_SECONDS[index];
    if (bound !== undefined && seconds <= bound) return index;
  }
  return LATENCY_BOUNDS_SECONDS.length;
}
