/** Waiting before a try: exponential growth, random spread. `random` is in [0, 1). */

/** min(capMs, baseMs · 2^(failures − 1)); 0 before the first failure. */
export function backoff(failures: number, baseMs: number, capMs: number): number {
  return failures <= 0 ? 0 : Math.min(capMs, baseMs * 2 ** (failures - 1));
}

/** Full jitter: 0 to 100 % of the back-off; attempt counts from 1. */
export function fullJitter(attempt: number, baseMs: number, capMs: number, random: number): number {
  return random * backoff(attempt, baseMs, capMs);
}

/** `valueMs` ± `ratio`: 1000 ± 20 % is 800 to 1200. */
export function spread(valueMs: number, ratio: number, random: number): number {
  return Math.round(valueMs * (1 - ratio + 2 * ratio * random));
}
