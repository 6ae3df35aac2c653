/** Seeded streams of numbers: the same seed gives the same run, on every machine. */

/** mulberry32: numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Time to the next event of a Poisson stream, in milliseconds. */
export function exponentialMs(ratePerSecond: number, random: () => number): number {
  return (-Math.log(1 - random()) * 1_000) / ratePerSecond;
}

/** Picks an index with probability proportional to its weight. */
export function weightedPick(weights: readonly number[], random: () => number): () => number {
  let total = 0;
  const upTo = weights.map((weight) => (total += weight));
  return () => {
    const at = random() * total;
    let low = 0;
    let high = upTo.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] ?? total) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
