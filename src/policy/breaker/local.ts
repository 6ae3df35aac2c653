/**
 * The isolate's own breaker, for when the coordinator is out of reach and its last view is too old: the same score over
 * this isolate's calls alone, open for LOCAL_OPEN_MS ± 50 %. Traffic is never blocked because the coordinator is away.
 */
import { spread } from "../kernel/backoff.ts";
import { nextScore } from "./score.ts";

export interface LocalBreaker {
  score: number;
  openUntilMs: number;
}

const LOCAL_OPEN_MS = 5_000;

export function observeLocally(
  local: LocalBreaker,
  failed: boolean,
  tripScore: number,
  nowMs: number,
  random: number,
): void {
  local.score = nextScore(local.score, failed ? 1 : 0, failed ? 0 : 1);
  if (local.score < tripScore || nowMs < local.openUntilMs) return;
  local.openUntilMs = nowMs + spread(LOCAL_OPEN_MS, 0.5, random);
  local.score = tripScore / 2;
}
