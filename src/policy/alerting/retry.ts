/**
 * What becomes of a delivery after a try: delivered, tried again, or dead. The first try is at once. Between tries lies an
 * exponential wait with full jitter, BASE_MS to CAP_MS, and at least what the receiver asks for (`Retry-After`, up to
 * MAX_ASKED_MS). What is not delivered within GIVE_UP_MS is dead, and so is what can never be: 410 (gone: wants no more) at
 * once; 400, 413 and 422 (these very bytes are refused) after REFUSALS tries. All else may be put right by somebody: a
 * wrong secret, a URL that moved, a proxy in the way.
 * Times in milliseconds, `random` in [0, 1). Source: Standard Webhooks, "Retry schedule" and "Deliverability".
 */
import { fullJitter } from "../kernel/backoff.ts";

export const GIVE_UP_MS = 86_400_000;
const BASE_MS = 4_000;
const CAP_MS = 600_000;
const LEAST_MS = 500;
const MAX_ASKED_MS = 3_600_000;
const REFUSALS = 3;

export type Tried =
  | { readonly kind: "answered"; readonly status: number; readonly retryAfterMs: number }
  /** No answer, or nothing could be sent: why. */
  | { readonly kind: "failed"; readonly why: string };

export type DeliveryFate =
  | { readonly kind: "delivered" }
  | { readonly kind: "dead" }
  | { readonly kind: "again"; readonly atMs: number };

/** `attempts`: with this one. `createdAtMs`: of the delivery, or of when somebody asked for it anew. */
export function fateOf(
  tried: Tried,
  attempts: number,
  createdAtMs: number,
  nowMs: number,
  random: number,
): DeliveryFate {
  let askedMs = 0;
  if (tried.kind === "answered") {
    const { status, retryAfterMs } = tried;
    if (status >= 200 && status < 300) return { kind: "delivered" };
    if (status === 410) return { kind: "dead" };
    if ((status === 400 || status === 413 || status === 422) && attempts >= REFUSALS) return { kind: "dead" };
    askedMs = Math.min(MAX_ASKED_MS, retryAfterMs);
  }
  if (nowMs - createdAtMs >= GIVE_UP_MS) return { kind: "dead" };
  const waitMs = Math.max(LEAST_MS, askedMs, Math.round(fullJitter(attempts, BASE_MS, CAP_MS, random)));
  return { kind: "again", atMs: nowMs + waitMs };
}
