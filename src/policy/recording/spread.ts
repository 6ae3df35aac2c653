/**
 * How a rate is spread over time: a histogram of samples with log-spaced bounds, STEPS_PER_DOUBLING to each factor of two.
 * Merging is adding. A quantile is told as its bucket's upper bound, so it is never too small, and too large by less than
 * 19 % (2^(1/4)); below LEAST everything is LEAST.
 * Bounds: MOST_BUCKETS buckets, up to 10^9. Only samples above zero are kept: quantiles are of the time in which something
 * was asked for, because those of a caller who sleeps most of the day say nothing of what he needs.
 */
const LEAST = 0.001;
const STEPS_PER_DOUBLING = 4;
const MOST_BUCKETS = 160;

/** Samples by bucket. */
export type Spread = Map<number, number>;

export function addSample(spread: Spread, value: number, times = 1): void {
  if (!(value > 0)) return;
  const step = Math.ceil(Math.log2(value / LEAST) * STEPS_PER_DOUBLING - 1e-9);
  const bucket = Math.min(MOST_BUCKETS - 1, Math.max(0, step));
  spread.set(bucket, (spread.get(bucket) ?? 0) + times);
}

export function addSpread(into: Spread, from: ReadonlyMap<number, number>): void {
  for (const [bucket, samples] of from) into.set(bucket, (into.get(bucket) ?? 0) + samples);
}

/** The least bound that this share of the samples (0..1) is not above; 0 without samples. */
export function quantile(spread: ReadonlyMap<number, number>, ratio: number): number {
  let left = 0;
  for (const samples of spread.values()) left += samples;
  left *= ratio;
  let bound = 0;
  for (const [bucket, samples] of [...spread].toSorted(([a], [b]) => a - b)) {
    bound = LEAST * 2 ** (bucket / STEPS_PER_DOUBLING);
    left -= samples;
    if (left <= 1e-9) break;
  }
  return bound;
}
