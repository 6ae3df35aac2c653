/**
 * A config on trial: a share of the tenants (the canary) gets it first, the others are the control arm. It is taken back
 * as soon as the canary fails, or is throttled, clearly more often than the control arm, and goes to everybody at its end.
 * Guarantee: a canary that fails as often as the others is hardly ever taken back, however often one looks (4 standard
 * errors; test/policy/rollout counts it); one that fails always is taken back at the first look after 20 requests.
 * Counts are since the trial began; a report that comes twice is counted once by the caller. What it does not do: compare
 * latencies, or wait for more traffic than MIN_REQUESTS.
 */
import { hash32 } from "../kernel/hash.ts";
import { isCount } from "../kernel/json.ts";

/** Which config holds: small, because it rides on every view. */
export interface ConfigInForce {
  /** Grows with every change of what is in force. */
  readonly sequence: number;
  /** Of the config that everybody has; people's number, from 1. */
  readonly number: number;
  /** A config on trial with a share of the tenants. */
  readonly canary?: { readonly number: number; readonly shareRatio: number };
}

/** Of one arm, since the trial began. */
export interface ArmCounts {
  readonly requests: number;
  /** Answers with a status of 500 or more, and those the ladder had to give because the origin failed. */
  readonly failed: number;
  /** 429. */
  readonly throttled: number;
}

export interface Arms {
  readonly canary: ArmCounts;
  readonly control: ArmCounts;
}

export interface Trial {
  readonly startedAtMs: number;
  readonly endsAtMs: number;
}

export type TrialVerdict =
  | { readonly kind: "go-on" }
  | { readonly kind: "take-back"; readonly reason: string }
  | { readonly kind: "complete" };

/** Nothing is concluded from fewer requests of the canary. */
export const MIN_REQUESTS = 20;
/** Differences below this are borne, however certain they are. */
const MIN_JUMP_RATIO = 0.05;
const STANDARD_ERRORS = 4;
/** Without anything to compare with. */
const ALONE_RATIO = 0.5;
/** A trial that nobody's traffic decides is taken back so long after its end. */
export const MAX_OVERTIME_MS = 86_400_000;

/** `nowMs`: of the same clock as the trial's times. Cost: O(1). */
export function judgeTrial(trial: Trial, arms: Arms, nowMs: number): TrialVerdict {
  const failing = jumpOf("failed", arms);
  if (failing !== undefined) return { kind: "take-back", reason: failing };
  const throttling = jumpOf("throttled", arms);
  if (throttling !== undefined) return { kind: "take-back", reason: throttling };
  if (nowMs < trial.endsAtMs) return { kind: "go-on" };
  if (arms.canary.requests >= MIN_REQUESTS) return { kind: "complete" };
  if (nowMs < trial.endsAtMs + MAX_OVERTIME_MS) return { kind: "go-on" };
  return { kind: "take-back", reason: `only ${arms.canary.requests} requests of the canary to judge by` };
}

function jumpOf(what: "failed" | "throttled", { canary, control }: Arms): string | undefined {
  const n = canary.requests;
  if (n < MIN_REQUESTS) return undefined;
  const ratio = canary[what] / n;
  const m = control.requests;
  const usual = m === 0 ? 0 : control[what] / m;
  const pooled = (canary[what] + control[what]) / (n + m);
  const standardError = m === 0 ? 0 : Math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m));
  const jump = m < MIN_REQUESTS ? ALONE_RATIO : Math.max(MIN_JUMP_RATIO, STANDARD_ERRORS * standardError);
  if (ratio - usual <= jump) return undefined;
  return `${percent(ratio)} of the canary's ${n} requests were ${what}, of the others' ${m} only ${percent(usual)}`;
}

const percent = (ratio: number): string => `${(ratio * 100).toFixed(1)} %`;

/**
 * Whether a caller is in the canary: the same for all its requests, on all edges, and another draw for each trial.
 * `caller`: name of its coordinator, so that no coordinator hears two configs. `shareRatio`: 0..1.
 */
export function isInCanary(caller: string, trialNumber: number, shareRatio: number): boolean {
  return hash32(`${trialNumber}|${caller}`) / 4_294_967_296 < shareRatio;
}

/** Under which an origin that a trial changes keeps its state: no origin's id contains this suffix. */
export function onTrial(originId: string): string {
  return `${originId}~trial`;
}

export function addCounts(a: ArmCounts, b: ArmCounts): ArmCounts {
  return { requests: a.requests + b.requests, failed: a.failed + b.failed, throttled: a.throttled + b.throttled };
}

export const NO_COUNTS: ArmCounts = { requests: 0, failed: 0, throttled: 0 };

/** What was stored, or came from elsewhere; undefined: it is none. */
export function parseInForce(value: unknown): ConfigInForce | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!("sequence" in value && "number" in value) || !isCount(value.sequence) || !isCount(value.number))
    return undefined;
  const { sequence, number } = value;
  if (!("canary" in value) || typeof value.canary !== "object" || value.canary === null) return { sequence, number };
  const { canary } = value;
  if (!("number" in canary && "shareRatio" in canary)) return { sequence, number };
  const { number: canaryNumber, shareRatio } = canary;
  if (!isCount(canaryNumber) || typeof shareRatio !== "number" || !(shareRatio > 0 && shareRatio <= 1)) {
    return { sequence, number };
  }
  return { sequence, number, canary: { number: canaryNumber, shareRatio } };
}
