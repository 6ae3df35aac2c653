/**
 * Brown-out: an origin that answers, but fails for many. The breaker stays closed; each isolate sends it only a multiple
 * of what it lately accepted, so that it gets room to recover, and sheds low priority first.
 *
 * Of requests r and accepted calls a of the last THROTTLE_MS, the share max(0, (r − K·a − SLACK) / (r + 1)) is refused,
 * at random; SLACK so that an isolate with few calls does not take chance for a brown-out.
 * K by priority: with K = 2.5 nothing is refused until three of five calls fail; from there on it is nearly everything,
 * so K = 2 would make an origin that fails for half a toss-up. It heals by itself: as more is accepted, less is refused. Cost: two exponentials for each request in the THROTTLE_MS after a failure, else a comparison.
 * Source: Google SRE book, chapter 21, "Client-side throttling"; DESIGN section 5.
 */
import { addToRate, type DecayedRate, newDecayedRate, readRate } from "../kernel/decayed-rate.ts";
import type { Priority } from "../limits/types.ts";

export interface Throttle {
  requests: DecayedRate;
  accepted: DecayedRate;
  failedAtMs: number;
}

const THROTTLE_MS = 30_000;
const SLACK = 10;
const ACCEPTED_MULTIPLE: Readonly<Record<Priority, number>> = { low: 1.5, normal: 2.5, high: 4 };

export function newThrottle(nowMs: number): Throttle {
  return {
    requests: newDecayedRate(nowMs),
    accepted: newDecayedRate(nowMs),
    failedAtMs: Number.NEGATIVE_INFINITY,
  };
}

/** True: refuse this request. Counts it either way. */
export function isThrottled(throttle: Throttle, priority: Priority, nowMs: number, random: number): boolean {
  addToRate(throttle.requests, 1, nowMs, THROTTLE_MS);
  if (nowMs - throttle.failedAtMs > THROTTLE_MS) return false;
  const seconds = THROTTLE_MS / 1_000;
  const requests = readRate(throttle.requests, nowMs, THROTTLE_MS) * seconds;
  const accepted = readRate(throttle.accepted, nowMs, THROTTLE_MS) * seconds;
  return random < Math.max(0, requests - ACCEPTED_MULTIPLE[priority] * accepted - SLACK) / (requests + 1);
}

export function noteAnswer(throttle: Throttle, accepted: boolean, nowMs: number): void {
  if (accepted) addToRate(throttle.accepted, 1, nowMs, THROTTLE_MS);
  else throttle.failedAtMs = nowMs;
}

export function forgetCalls(throttle: Throttle, nowMs: number): void {
  Object.assign(throttle, newThrottle(nowMs));
}
