/**
 * The evidence against an origin, or against one PoP's way to it: the score over outcomes in the order in which they
 * happened, though they are told late and out of order. Failures are told at once, successes when there is occasion.
 *
 * Outcomes of the last seconds are kept in steps of STEP_MS by when they happened; older ones are summed up. So a success
 * before the first failure of a rise does not speak against it. What the usual traffic would have brought since, and was
 * not told yet, counts as successes: an origin that fails for some is not taken for one that fails for all because those
 * are heard first. Every outcome is told within UNTOLD_MS; what is missing from before that never was.
 * Cost: O(STEPS) for each report. Times in milliseconds of the coordinator's clock.
 * Source: Page 1954, Continuous inspection schemes; DESIGN section 5.
 */
import { addToRate, type DecayedRate, newDecayedRate, readRate } from "../kernel/decayed-rate.ts";
import { nextScore, type TripRatios } from "./score.ts";
import type { Outcomes } from "./types.ts";

const STEP_MS = 50;
const STEPS = 64;
/** What happened since is known only in part, the failures first: a report's spacing and its way. */
const SETTLED_AFTER_MS = 100;
const UNTOLD_MS = 1_200;
/** By so many standard deviations traffic may fall short without anything missing. */
const CHANCE_DEVIATIONS = 1.5;
/** How far back "usual" looks. */
const USUAL_MS = 3_000;

export interface Evidence {
  /** Score up to the first step. */
  base: number;
  /** Since when that is above 0; of no meaning while it is 0. */
  baseSinceMs: number;
  /** Number of the first step: its beginning, divided by STEP_MS. */
  first: number;
  readonly successes: number[];
  readonly failures: number[];
  /** Outcomes for each second. */
  readonly usual: DecayedRate;
}

export function newEvidence(nowMs: number): Evidence {
  return {
    base: 0,
    baseSinceMs: 0,
    first: stepOf(nowMs) - STEPS + 1,
    successes: [],
    failures: [],
    usual: newDecayedRate(nowMs),
  };
}

const stepOf = (atMs: number): number => Math.floor(atMs / STEP_MS);

export function addEvidence(
  evidence: Evidence,
  outcomes: readonly Outcomes[],
  ratios: TripRatios,
  nowMs: number,
): void {
  // The clock has stepped back, beyond everything that is kept.
  if (stepOf(nowMs) < evidence.first) forgetEvidence(evidence, nowMs);
  advance(evidence, stepOf(nowMs), ratios);
  let heard = 0;
  for (const [ageMs, successes, failures] of outcomes) {
    heard += successes + failures;
    const index = indexOf(evidence, stepOf(nowMs - ageMs));
    evidence.successes[index] = (evidence.successes[index] ?? 0) + successes;
    evidence.failures[index] = (evidence.failures[index] ?? 0) + failures;
  }
  addToRate(evidence.usual, heard, nowMs, USUAL_MS);
}

/** What is older than the first step falls into it. */
function indexOf(evidence: Evidence, step: number): number {
  const index = Math.min(2 * STEPS, Math.max(0, step - evidence.first));
  while (evidence.failures.length <= index) {
    evidence.failures.push(0);
    evidence.successes.push(0);
  }
  return index;
}

function advance(evidence: Evidence, now: number, ratios: TripRatios): void {
  while (now - evidence.first >= STEPS && evidence.failures.length > 0) {
    const failures = evidence.failures.shift() ?? 0;
    const before = evidence.base;
    evidence.base = nextScore(before, failures, evidence.successes.shift() ?? 0, ratios);
    if (before === 0) evidence.baseSinceMs = evidence.first * STEP_MS;
    evidence.first++;
  }
  evidence.first = Math.max(evidence.first, now - STEPS + 1);
}

export interface Score {
  readonly score: number;
  /** When it began to rise, as far back as steps go; of no meaning while it is 0. */
  readonly roseAtMs: number;
  /** The same, however long ago: about the first failure. */
  readonly sinceMs: number;
}

const NO_SCORE: Score = { score: 0, roseAtMs: 0, sinceMs: 0 };

/** The score, as far as it can be known now. */
export function scoreOf(evidence: Evidence, ratios: TripRatios, nowMs: number): Score {
  const end = stepOf(nowMs - SETTLED_AFTER_MS) - evidence.first + 1;
  let score = evidence.base;
  let roseAt = 0;
  let isSinceBase = score > 0;
  for (let index = 0; index < end; index++) {
    score = nextScore(score, evidence.failures[index] ?? 0, evidence.successes[index] ?? 0, ratios);
    if (score === 0) {
      roseAt = index + 1;
      isSinceBase = false;
    }
  }
  if (score === 0) return NO_SCORE;
  let heard = 0;
  const from = Math.max(roseAt, end - UNTOLD_MS / STEP_MS);
  for (let index = from; index < end; index++) {
    heard += (evidence.failures[index] ?? 0) + (evidence.successes[index] ?? 0);
  }
  const expected = (readRate(evidence.usual, nowMs, USUAL_MS) * (end - from) * STEP_MS) / 1_000;
  // Traffic varies: what may be chance is not missing.
  const missing = Math.max(0, expected - CHANCE_DEVIATIONS * Math.sqrt(expected) - heard);
  const roseAtMs = (evidence.first + roseAt) * STEP_MS;
  const sinceMs = isSinceBase ? evidence.baseSinceMs : roseAtMs;
  return { score: nextScore(score, 0, missing, ratios), roseAtMs, sinceMs };
}

/** Everything is forgotten but what is usual. */
export function forgetEvidence(evidence: Evidence, nowMs: number): void {
  evidence.base = 0;
  evidence.failures.length = 0;
  evidence.successes.length = 0;
  evidence.first = stepOf(nowMs);
}
