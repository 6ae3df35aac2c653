/**
 * The trip rule: a cumulative sum (CUSUM) of the log-likelihood ratio between a failing origin (80 % failures) and a
 * sound one (20 %). Each failure adds STEP, each success takes it off, never below zero. Unlike a ratio over a window,
 * old successes do not dilute it: about 15 net failures reach the default of 20, however busy the origin was before.
 * Source: Page 1954, Continuous inspection schemes; DESIGN section 5.
 */
const STEP = Math.log(0.8 / 0.2);

export function nextScore(score: number, failures: number, successes: number): number {
  return Math.max(0, score + (failures - successes) * STEP);
}
