/**
 * Whether a failed attempt is tried again, and when.
 *
 * Only transient failures (network, timeout, broken body, 502/503/504) of idempotent methods, or of any method with an
 * Idempotency-Key where the origin honours it; at most `attempts` in all; only inside the deadline; never unless the
 * breaker is closed, never when another layer retries. A budget bounds amplification: each call that was
 * answered earns `budgetRatio` of a retry, of which MOST_SAVED are kept; one is there from the beginning. So retries are
 * never more than that part of the answered calls, and one; an origin that answers nothing soon gets none. `Retry-After` of the origin is waited for when it fits.
 * Returns the wait in milliseconds, or undefined: no retry. Source: DESIGN section 6; RFC 9110 section 9.2.2;
 * Google SRE book, chapter 22; gRPC A6, retry throttling.
 */
import { fullJitter } from "../kernel/backoff.ts";

export interface RetryBudget {
  /** Retries that may be made now. */
  saved: number;
}

const MOST_SAVED = 10;
const BACKOFF_BASE_MS = 50;
const BACKOFF_CAP_MS = 2_000;
const IDEMPOTENT: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];
const TRANSIENT_STATUS: readonly number[] = [502, 503, 504];

export const newRetryBudget = (): RetryBudget => ({ saved: 1 });

/** A call was answered. */
export function earnRetry(budget: RetryBudget, budgetRatio: number): void {
  budget.saved = Math.min(MOST_SAVED, budget.saved + budgetRatio);
}

export function mayRepeat(method: string, hasIdempotencyKey: boolean, keyAware: boolean): boolean {
  return IDEMPOTENT.includes(method) || (hasIdempotencyKey && keyAware);
}

export interface FailedAttempt {
  /** From 1. */
  readonly attempt: number;
  readonly attempts: number;
  /** Undefined: no status came. */
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly leftMs: number;
}

/** Undefined: no retry. Otherwise the budget is charged and the wait is returned. */
export function retryWait(budget: RetryBudget, failed: FailedAttempt, random: number): number | undefined {
  if (failed.attempt >= failed.attempts) return undefined;
  if (failed.status !== undefined && !TRANSIENT_STATUS.includes(failed.status)) return undefined;
  const jitterMs = fullJitter(failed.attempt, BACKOFF_BASE_MS, BACKOFF_CAP_MS, random);
  const waitMs = Math.max(jitterMs, failed.retryAfterMs ?? 0);
  if (waitMs >= failed.leftMs || budget.saved < 1) return undefined;
  budget.saved--;
  return waitMs;
}
