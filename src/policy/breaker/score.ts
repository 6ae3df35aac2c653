/**
 * The trip rule: a cumulative sum (CUSUM) of the log-likelihood ratio between an origin in an outage (`outageRatio` of its
 * calls fail) and one in a brown-out (`brownOutRatio` fail). With the defaults a failure adds .94, a success takes 1.87
 * off, never below zero: 22 failures in a row reach 20, however busy the origin was before, for unlike a ratio over a
 * window old successes do not dilute it. It rises for long only where more than two thirds of calls fail; at 40 % it
 * reaches 20 about once in a hundred million calls, at 20 % never.
 * Source: Page 1954, Continuous inspection schemes; DESIGN section 5.
 */
export type TripRatios = { readonly brownOutRatio: number; readonly outageRatio: number };

export function nextScore(score: number, failures: number, successes: number, ratios: TripRatios): number {
  if (failures === 0 && score === 0) return 0;
  const { brownOutRatio, outageRatio } = ratios;
  const up = failures * Math.log(outageRatio / brownOutRatio);
  const down = successes * Math.log((1 - outageRatio) / (1 - brownOutRatio));
  return Math.max(0, score + up + down);
}
