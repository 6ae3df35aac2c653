/**
 * The isolate's own breaker, for when the coordinator is out of reach and its last view is too old: the same score over
 * this isolate's calls alone, at half the threshold. Open for LOCAL_OPEN_MS ± 50 %, twice as long after each failure that
 * follows, up to MAX_LOCAL_OPEN_MS. Traffic is never blocked because the coordinator is away.
 */
import { spread } from "../kernel/backoff.ts";
import { nextScore } from "./score.ts";
import type { BreakerSettings } from "./types.ts";

export interface LocalBreaker {
  score: number;
  openUntilMs: number;
  /** Openings in a row, with no success between. */
  openings: number;
}

const LOCAL_OPEN_MS = 5_000;
const MAX_LOCAL_OPEN_MS = 30_000;

export const newLocalBreaker = (): LocalBreaker => ({ score: 0, openUntilMs: 0, openings: 0 });

export function observeLocally(
  local: LocalBreaker,
  failed: boolean,
  settings: BreakerSettings,
  nowMs: number,
  random: number,
): void {
  local.score = nextScore(local.score, failed ? 1 : 0, failed ? 0 : 1, settings);
  if (!failed) local.openings = 0;
  const tripScore = settings.tripScore / 2;
  if (local.score < tripScore || nowMs < local.openUntilMs) return;
  local.openUntilMs = nowMs + spread(Math.min(MAX_LOCAL_OPEN_MS, LOCAL_OPEN_MS * 2 ** local.openings), 0.5, random);
  local.openings++;
  // The next failure after it opens it again.
  local.score = tripScore;
}
