/**
 * When an issuer's public keys are asked for again. They are used for five minutes as they are, then refreshed behind
 * requests, and after ten minutes in front of them. While the issuer cannot be reached the last good ones serve for a
 * day. A token that names an unknown key asks at once, but nothing asks twice within ten seconds: an attacker with
 * random key ids moves nothing but its own refusals.
 *
 * So a key that its issuer took back is refused within five minutes where there is traffic, and within a day while the
 * issuer is out of reach. Cost: two subtractions.
 */
export const KEYS_FRESH_MS = 300_000;
const KEYS_USABLE_MS = 600_000;
export const KEYS_LAST_GOOD_MS = 86_400_000;
/** An isolate begins no two fetches within this. */
export const FETCH_AGAIN_MS = 10_000;

export interface KeySetAge {
  /** Undefined: there are none. */
  readonly fetchedAtMs: number | undefined;
  /** When the last fetch began, whatever came of it; -Infinity: never. */
  readonly askedAtMs: number;
}

/** use; refresh: use, and ask behind; wait: ask, and use what there is then; none: nothing may be used or asked. */
export type KeySetStep = "use" | "refresh" | "wait" | "none";

export function keySetStep(age: KeySetAge, nowMs: number): KeySetStep {
  const { fetchedAtMs } = age;
  const ageMs = fetchedAtMs === undefined ? Number.POSITIVE_INFINITY : nowMs - fetchedAtMs;
  if (ageMs <= KEYS_FRESH_MS) return "use";
  if (!mayFetch(age, nowMs)) return ageMs <= KEYS_LAST_GOOD_MS ? "use" : "none";
  return ageMs <= KEYS_USABLE_MS ? "refresh" : "wait";
}

export const mayFetch = ({ askedAtMs }: KeySetAge, nowMs: number): boolean => nowMs - askedAtMs >= FETCH_AGAIN_MS;

export const isLastGood = (fetchedAtMs: number, nowMs: number): boolean => nowMs - fetchedAtMs <= KEYS_LAST_GOOD_MS;
