/**
 * Which requests are sampled, without a random number for each: one says how many pass until the next. Each request has
 * the chance `ratio`, independently of all others, as if a coin were thrown for each (the gaps are geometric), so that no
 * rhythm of the traffic is met or missed.
 *
 * `ratio` 0..1, `random` in [0, 1). What comes back is 1 (the next one) or more; Infinity: none.
 * Source: Vitter, "Faster methods for random sampling" (1984).
 */
export function requestsUntilSample(ratio: number, random: number): number {
  if (ratio <= 0) return Number.POSITIVE_INFINITY;
  return 1 + Math.floor(Math.log(1 - random) / Math.log(1 - Math.min(1, ratio)));
}
