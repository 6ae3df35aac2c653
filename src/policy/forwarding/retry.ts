/**
 * Whether a failed attempt is tried again, and when.
 *
 * Only transient failures (network, timeout, broken body, 502/503/504) of idempotent methods, or of any method with an
 * Idempotency-Key where the origin honours it; at most `attempts` in all; only inside the deadline; never unless the
 * breaker is closed, never when another layer retries. A budget bounds amplification: over the last ten seconds at most
 * `budgetRatio` of requests may be retries, or one a second where that is more. `Retry-After` of the origin is waited for when it fits.
 * Returns the wait in milliseconds, or undefined: no retry. Source: DESIGN section 6; RFC 9110 section 9.2.2;
 * Google SRE book, chapter 22.
 */
import { fullJitter } from "../kernel/backoff.ts";
import { addToRate, type DecayedRate, newDecayedRate, readRate } from "../kernel/decayed-rate.ts";

export interface RetryBudget {
  readonly requests: DecayedRate;
  readonly retries: DecayedRate;
}

const BUDGET_WINDOW_MS = 10_000;
const BUDGET_FLOOR_PER_SECOND = 1;
const BACKOFF_BASE_MS = 50;
const BACKOFF_CAP_MS = 2_000;
const IDEMPOTENT: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];
const TRANSIENT_STATUS: readonly number[] = [502, 503, 504];

export function newRetryBudget(nowMs: number): RetryBudget {
  return { requests: newDecayedRate(nowMs), retries: newDecayedRate(nowMs) };
}

export function noteRequest(budget: RetryBudget, nowMs: number): void {
  addToRate(budget.requests, 1, nowMs, BUDGET_WINDOW_MS);
}

export function mayRepeat(method: string, hasIdempotencyKey: boolean, keyAware: boolean): boolean {
  return IDEMPOTENT.includes(method) || (hasIdempotencyKey && keyAware);
}

export interface FailedAttempt {
  /** From 1. */
  readonly attempt: number;
  readonly attempts: number;
  readonly budgetRatio: number;
  /** Undefined: no status came. */
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly leftMs: number;
}

/** Undefined: no retry. Otherwise the budget is charged and the wait is returned. */
export function retryWait(
  budget: RetryBudget,
  failed: FailedAttempt,
  nowMs: number,
  random: number,
): number | undefined {
  if (failed.attempt >= failed.attempts) return undefined;
  if (failed.status !== undefined && !TRANSIENT_STATUS.includes(failed.status)) return undefined;
  const jitterMs = fullJitter(failed.attempt, BACKOFF_BASE_MS, BACKOFF_CAP_MS, random);
  const waitMs = Math.max(jitterMs, failed.retryAfterMs ?? 0);
  if (waitMs >= failed.leftMs) return undefined;
  const share = failed.budgetRatio * readRate(budget.requests, nowMs, BUDGET_WINDOW_MS);
  const allowed = Math.max(BUDGET_FLOOR_PER_SECOND, share);
  if (readRate(budget.retries, nowMs, BUDGET_WINDOW_MS) + 1_000 / BUDGET_WINDOW_MS > allowed) return undefined;
  addToRate(budget.retries, 1, nowMs, BUDGET_WINDOW_MS);
  return waitMs;
}
