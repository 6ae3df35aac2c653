/**
 * What one isolate knows of one origin's breaker, and what it does with it: its copy of the state, the outcomes it has
 * not reported yet, when to report them, and what to decide when the coordinator cannot be asked.
 *
 * Closed, nothing waits: a view up to VIEW_USABLE_MS old decides at once and is refreshed behind requests. A view older
 * than that is asked for first ("ask"). Reports go at most every REPORT_SPACING_MS after a failure; each has a number, and
 * one that was not answered goes again under the same number, so it counts once. Out of reach: an open view is kept for
 * VIEW_KEPT_OPEN_MS, then this isolate's own calls decide; traffic is never blocked for the coordinator's sake.
 * Times in milliseconds of this isolate's clock. Source: DESIGN section 5.
 */
import type { Priority } from "../limits/types.ts";
import { type LocalBreaker, observeLocally } from "./local.ts";
import { forgetCalls, isThrottled, newThrottle, noteAnswer, type Throttle } from "./throttle.ts";
import type { FailureKind } from "./types.ts";
import { type BreakerView, judge, VIEW_FRESH_MS, VIEW_KEPT_OPEN_MS, VIEW_USABLE_MS } from "./view.ts";

/** A report that was not answered by then is sent again with the next one's occasion. */
export const REPORT_DEADLINE_MS = 2_000;
const REPORT_SPACING_MS = 100;
/** After a failed call to the coordinator nobody waits for it for so long. */
const UNREACHABLE_FOR_MS = 1_000;
const PROBE_TAKEN_RETRY_AFTER_MS = 1_000;
const THROTTLED_RETRY_AFTER_MS = 1_000;

/** Outcomes of calls, counted once each. */
export interface ReportBatch {
  readonly seq: number;
  /** Of the view under which the calls were made; the largest number where there was none. */
  readonly epoch: number;
  readonly successes: number;
  readonly failures: Readonly<Partial<Record<FailureKind | "late", number>>>;
}

export interface Sight {
  view: BreakerView | undefined;
  viewAtMs: number;
  readonly local: LocalBreaker;
  readonly throttle: Throttle;
  successes: number;
  failures: Partial<Record<FailureKind | "late", number>>;
  seq: number;
  unacknowledged: ReportBatch | undefined;
  reportScheduled: boolean;
  reportedAtMs: number;
  /** This isolate's probe lease is asked for, or out, until then. */
  probingUntilMs: number;
  unreachableUntilMs: number;
}

export function newSight(nowMs: number): Sight {
  return {
    view: undefined,
    viewAtMs: Number.NEGATIVE_INFINITY,
    local: { score: 0, openUntilMs: 0 },
    throttle: newThrottle(nowMs),
    successes: 0,
    failures: {},
    seq: 0,
    unacknowledged: undefined,
    reportScheduled: false,
    reportedAtMs: 0,
    probingUntilMs: 0,
    unreachableUntilMs: 0,
  };
}

export interface PassageRequest {
  readonly nowMs: number;
  readonly tenantId: string;
  readonly priority: Priority;
  /** A safe method: it may carry a probe. */
  readonly mayProbe: boolean;
  /** How long a probe's call may take. */
  readonly probeTimeoutMs: number;
  /** In [0, 1). */
  readonly random: number;
}

export type SightVerdict =
  | { readonly kind: "go"; readonly mayRetry: boolean }
  | { readonly kind: "refused"; readonly retryAfterMs: number }
  /** A probe is due and this isolate has none out: ask for the lease. */
  | { readonly kind: "probe" }
  /** The view is too old: wait for a fresh one, within a deadline, then `decideAfterAsking`. */
  | { readonly kind: "ask" };

/** The view should be refreshed behind this request. */
export const isStale = (sight: Sight, nowMs: number): boolean => nowMs - sight.viewAtMs > VIEW_FRESH_MS;

export function decide(sight: Sight, x: PassageRequest): SightVerdict {
  const ageMs = x.nowMs - sight.viewAtMs;
  if (sight.view !== undefined && ageMs <= VIEW_USABLE_MS) return judgeSight(sight, sight.view, ageMs, x);
  return x.nowMs < sight.unreachableUntilMs ? withoutCoordinator(sight, x) : { kind: "ask" };
}

export function decideAfterAsking(sight: Sight, x: PassageRequest): Exclude<SightVerdict, { kind: "ask" }> {
  const ageMs = x.nowMs - sight.viewAtMs;
  return sight.view !== undefined && ageMs <= VIEW_USABLE_MS
    ? judgeSight(sight, sight.view, ageMs, x)
    : withoutCoordinator(sight, x);
}

function judgeSight(
  sight: Sight,
  view: BreakerView,
  ageMs: number,
  x: PassageRequest,
): Exclude<SightVerdict, { kind: "ask" }> {
  const verdict = judge(view, ageMs, x.tenantId, x.mayProbe);
  if (verdict.kind === "go" && verdict.mayRetry && isThrottled(sight.throttle, x.priority, x.nowMs, x.random)) {
    return { kind: "refused", retryAfterMs: THROTTLED_RETRY_AFTER_MS };
  }
  if (verdict.kind !== "probe") return verdict;
  if (x.nowMs < sight.probingUntilMs) return { kind: "refused", retryAfterMs: PROBE_TAKEN_RETRY_AFTER_MS };
  // Ends by itself: the request that carries the probe may be cut off.
  sight.probingUntilMs = x.nowMs + x.probeTimeoutMs + REPORT_DEADLINE_MS;
  return verdict;
}

/** The coordinator's word on a probe that was asked for; undefined: it gave none. */
export function refuseProbe(
  sight: Sight,
  view: BreakerView | undefined,
  x: PassageRequest,
): Exclude<SightVerdict, { kind: "ask" | "probe" }> {
  sight.probingUntilMs = 0;
  const verdict = view === undefined ? undefined : judge(view, 0, x.tenantId, false);
  return verdict === undefined || verdict.kind === "probe"
    ? { kind: "refused", retryAfterMs: PROBE_TAKEN_RETRY_AFTER_MS }
    : verdict;
}

function withoutCoordinator(sight: Sight, x: PassageRequest): Exclude<SightVerdict, { kind: "ask" | "probe" }> {
  const { view } = sight;
  const ageMs = x.nowMs - sight.viewAtMs;
  const wasOpen = view !== undefined && view.state !== "closed" && view.state !== "forced-closed";
  if (wasOpen && ageMs <= VIEW_KEPT_OPEN_MS) {
    const verdict = judge(view, ageMs, x.tenantId, false);
    if (verdict.kind !== "probe") return verdict;
  }
  if (x.nowMs < sight.local.openUntilMs) {
    return { kind: "refused", retryAfterMs: sight.local.openUntilMs - x.nowMs };
  }
  return { kind: "go", mayRetry: false };
}

export function noteSuccess(sight: Sight, tripScore: number, nowMs: number, random: number): void {
  sight.successes++;
  noteAnswer(sight.throttle, true, nowMs);
  observeLocally(sight.local, false, tripScore, nowMs, random);
}

/** A failure, or a call pending past the early age; each call is noted once. */
export function noteFailure(
  sight: Sight,
  kind: FailureKind | "late",
  tripScore: number,
  nowMs: number,
  random: number,
): void {
  sight.failures[kind] = (sight.failures[kind] ?? 0) + 1;
  noteAnswer(sight.throttle, false, nowMs);
  observeLocally(sight.local, true, tripScore, nowMs, random);
}

/** Schedules a report: in how many milliseconds it goes. Undefined: one is under way already. */
export function scheduleReport(sight: Sight, nowMs: number): number | undefined {
  // A report whose request was cut off never ends; after its deadline another may go.
  if (sight.reportScheduled && nowMs - sight.reportedAtMs < REPORT_DEADLINE_MS * 2) return undefined;
  const delayMs = Math.max(0, sight.reportedAtMs + REPORT_SPACING_MS - nowMs);
  sight.reportScheduled = true;
  sight.reportedAtMs = nowMs + delayMs;
  return delayMs;
}

/** What to send: the batch that was not acknowledged again, or what was counted since. */
export function composeReport(sight: Sight): ReportBatch {
  if (sight.unacknowledged !== undefined) return sight.unacknowledged;
  const { successes, failures, view } = sight;
  sight.successes = 0;
  sight.failures = {};
  sight.seq++;
  sight.unacknowledged = { seq: sight.seq, epoch: view?.epoch ?? Number.MAX_SAFE_INTEGER, successes, failures };
  return sight.unacknowledged;
}

/** The scheduled report has ended; `view` is its answer, undefined when none came. True: schedule the next one now. */
export function endReport(sight: Sight, view: BreakerView | undefined, nowMs: number): boolean {
  sight.reportScheduled = false;
  if (view === undefined) return false;
  sight.unacknowledged = undefined;
  sight.unreachableUntilMs = 0;
  takeView(sight, view, nowMs);
  return Object.keys(sight.failures).length > 0;
}

export function noteUnreachable(sight: Sight, nowMs: number): void {
  sight.unreachableUntilMs = nowMs + UNREACHABLE_FOR_MS;
}

/** A higher epoch wins; an equal one is a fresher copy. */
export function takeView(sight: Sight, view: BreakerView, nowMs: number): void {
  if (sight.view !== undefined && view.epoch < sight.view.epoch) return;
  // What failed before the breaker moved says nothing of the origin that is tried again.
  if (sight.view !== undefined && view.epoch > sight.view.epoch) forgetCalls(sight.throttle, nowMs);
  sight.view = view;
  sight.viewAtMs = nowMs;
}
