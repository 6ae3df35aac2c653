/**
 * The most that was admitted beyond burst + rate × length, over every window (s, t]; at or below 0: never too much.
 * Windows that begin just before one admission and end at another are the worst; a running maximum finds them in O(n).
 */
export function worstExcess(admittedAtMs: readonly number[], ratePerSecond: number, burst: number): number {
  const sorted = admittedAtMs.toSorted((a, b) => a - b);
  let worst = Number.NEGATIVE_INFINITY;
  let best = Number.NEGATIVE_INFINITY;
  for (const [index, atMs] of sorted.entries()) {
    best = Math.max(best, (ratePerSecond * atMs) / 1_000 - index);
    worst = Math.max(worst, index + 1 - (ratePerSecond * atMs) / 1_000 + best - burst);
  }
  return worst;
}
