/**
 * Demand → limits. rate: what is asked at p99 over ten seconds, times HEADROOM. burst: the fullest second, at least one
 * second of the rate. concurrency: Little's law, arrivals × time each stays, at p99, times HEADROOM; that is a mean, so three
 * standard deviations of how many there happen to be at once (independent arrivals: the root) are added. All are rounded
 * up to two digits, the second a 5 or a 0, so that a small change of demand proposes no change of limits.
 *
 * The demand's quantiles are upper bounds of a histogram's buckets, so these err upwards. Rates in tokens a second, times
 * in seconds; a request is taken to cost one token where calls at once are concerned.
 * Source: DESIGN section 6; Little, "A proof for the queuing formula L = λW" (1961); square-root staffing: Halfin and
 * Whitt, "Heavy-traffic limits for queues with many exponential servers" (1981).
 */
import type { RecordedOrigin, RecordedTenant, Size } from "./types.ts";

export const HEADROOM = 1.2;
const DEVIATIONS = 3;
/** Part of an origin's slots from which on callers are shed: `policy/forwarding/shedding`, normal priority over its share. */
export const SHED_FROM_RATIO = 0.7;

export function recommend(demand: RecordedTenant): Size {
  const ratePerSecond = stepUp(demand.p99 * HEADROOM);
  return {
    ratePerSecond,
    burstTokens: Math.max(ratePerSecond, stepUp(demand.peakTokens)),
    concurrency: stepUp(atMostAtOnce(callsAtOnce(demand))),
  };
}

/** `mean`: calls at once at p99. */
export function atMostAtOnce(mean: number): number {
  const calls = mean * HEADROOM;
  return calls + DEVIATIONS * Math.sqrt(calls);
}

/** At p99, by the time that answered requests took: refused ones took none, and are in the mean. */
export function callsAtOnce({ p99, meanSeconds, admitted, throttled }: RecordedTenant): number {
  const answeredSeconds = admitted === 0 ? meanSeconds : (meanSeconds * (admitted + throttled)) / admitted;
  return p99 * answeredSeconds;
}

/** So many slots that callers are not shed at p99, with those that were. */
export function recommendConcurrency({ concurrencyP99, shed, answered }: RecordedOrigin): number {
  const calls = answered === 0 ? concurrencyP99 : (concurrencyP99 * (answered + shed)) / answered;
  return stepUp(Math.max((calls * HEADROOM) / SHED_FROM_RATIO, atMostAtOnce(calls)));
}

/** 1 at least; 8.2 -> 9, 12 -> 15, 37.2 -> 40, 123 -> 150, 1,234 -> 1,500. */
export function stepUp(value: number): number {
  if (value <= 1) return 1;
  const step = Math.max(1, 5 * 10 ** (Math.floor(Math.log10(value)) - 1));
  // 40.000000001 is 40.
  return Math.ceil(value / step - 1e-9) * step;
}
