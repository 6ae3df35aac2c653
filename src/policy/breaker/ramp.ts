/**
 * In the ramp callers are in or out by their hash. Where one caller is most of the traffic that alone would be nothing,
 * then everything; so an isolate lets through no more than the share of all that it was asked: of those who are in, as
 * many as it takes, evenly. With many callers that is nearly all of them. Changes `ramp` in place.
 */
export interface Ramp {
  requests: number;
  eligible: number;
  /** Part of the next call that has been earned. */
  credit: number;
}

/** `random` in [0, 1): where the even spacing begins, so that isolates do not begin together. */
export const newRamp = (random: number): Ramp => ({ requests: 0, eligible: 0, credit: random });

export function noteOut(ramp: Ramp): void {
  ramp.requests++;
}

/** A request of a caller that is in. True: it goes. */
export function mayGo(ramp: Ramp, share: number): boolean {
  ramp.requests++;
  ramp.eligible++;
  ramp.credit += Math.min(1, (share * ramp.requests) / ramp.eligible);
  if (ramp.credit < 1) return false;
  ramp.credit -= 1;
  return true;
}
