/**
 * What one isolate knows of one origin's breaker, and what it does with it: its copy of the state, the outcomes it has
 * not reported yet, when to report them, and what to decide when the coordinator cannot be asked.
 *
 * Closed, nothing waits: a view up to VIEW_USABLE_MS old decides at once and is refreshed behind requests. A view older
 * than that is asked for first ("ask"). Every outcome is told with its age: within REPORT_SPACING_MS while calls fail,
 * within HEARTBEAT_MS otherwise. Each report has a number, and one that was not answered goes again under the same number,
 * so it counts once. Out of reach: an open view is kept for VIEW_KEPT_OPEN_MS, then this isolate's own calls decide;
 * traffic is never blocked for the coordinator's sake.
 * Times in milliseconds of this isolate's clock. Source: DESIGN section 5.
 */
import type { Priority } from "../limits/types.ts";
import { latencyBucket, newLatencyCounts } from "../kernel/histogram.ts";
import { type LocalBreaker, newLocalBreaker, observeLocally } from "./local.ts";
import { mayGo, newRamp, noteOut, type Ramp } from "./ramp.ts";
import { forgetCalls, isThrottled, newThrottle, noteAnswer, type Throttle } from "./throttle.ts";
import type { BreakerSettings, Outcomes, ReportedFailure } from "./types.ts";
import { type BreakerView, judge, VIEW_FRESH_MS, VIEW_KEPT_OPEN_MS, VIEW_USABLE_MS } from "./view.ts";

/** A report that was not answered by then is sent again with the next one's occasion. */
export const REPORT_DEADLINE_MS = 2_000;
const REPORT_SPACING_MS = 100;
const HEARTBEAT_MS = 1_000;
/** After a failure successes are told as promptly as failures for so long: the coordinator weighs them together. */
const ALERT_MS = 1_500;
/** Outcomes are told by their age in steps of so much, in at most so many; older ones with the oldest. */
const AGE_STEP_MS = 50;
const MAX_AGE_STEPS = 24;
/** A late call counts from so much later on: answers that come until then count before it. */
const LATE_GRACE_MS = 100;
/** After a failed call to the coordinator nobody waits for it for so long. */
const UNREACHABLE_FOR_MS = 1_000;
const PROBE_TAKEN_RETRY_AFTER_MS = 1_000;
const THROTTLED_RETRY_AFTER_MS = 1_000;
const RAMP_RETRY_AFTER_MS = 1_000;

/** Outcomes of calls, counted once each. */
export interface ReportBatch {
  readonly seq: number;
  /** Of the view under which the calls were made; the largest number where there was none. */
  readonly epoch: number;
  readonly outcomes: readonly Outcomes[];
  /** The same failures by kind. */
  readonly failures: Readonly<Partial<Record<ReportedFailure, number>>>;
  /** Answered calls, by bucket of the latency histogram. */
  readonly latencies: readonly number[];
  /** Together they took so long. */
  readonly latencyTotalMs: number;
  /** Calls under way now, of an origin whose calls are counted. */
  readonly underWay: number;
}

/** Outcomes of one step of time, not told yet. */
interface Untold {
  step: number;
  successes: number;
  failures: number;
}

interface Batch extends Omit<ReportBatch, "outcomes" | "underWay"> {
  readonly untold: readonly Untold[];
}

export interface Sight {
  view: BreakerView | undefined;
  viewAtMs: number;
  readonly local: LocalBreaker;
  readonly throttle: Throttle;
  /** Of the present epoch; undefined until it ramps. */
  ramp: Ramp | undefined;
  untold: Untold[];
  failures: Partial<Record<ReportedFailure, number>>;
  failedAtMs: number;
  latencies: number[];
  latencyTotalMs: number;
  /** Calls under way here, where they are counted, and what was last told of them. */
  underWay: number;
  toldUnderWay: number;
  seq: number;
  unacknowledged: Batch | undefined;
  /** The report that waits for its turn, or is under way. */
  report: { readonly turn: number; readonly atMs: number; readonly sent: boolean } | undefined;
  turn: number;
  reportedAtMs: number;
  /** This isolate's probe lease is asked for, or out, until then. */
  probingUntilMs: number;
  unreachableUntilMs: number;
}

export function newSight(nowMs: number): Sight {
  return {
    view: undefined,
    viewAtMs: Number.NEGATIVE_INFINITY,
    local: newLocalBreaker(),
    throttle: newThrottle(nowMs),
    ramp: undefined,
    untold: [],
    failures: {},
    failedAtMs: Number.NEGATIVE_INFINITY,
    latencies: newLatencyCounts(),
    latencyTotalMs: 0,
    underWay: 0,
    toldUnderWay: 0,
    seq: 0,
    unacknowledged: undefined,
    report: undefined,
    turn: 0,
    reportedAtMs: Number.NEGATIVE_INFINITY,
    probingUntilMs: 0,
    unreachableUntilMs: 0,
  };
}

export interface PassageRequest {
  readonly nowMs: number;
  /** Who is in the ramp or not, consistently. */
  readonly caller: string;
  readonly priority: Priority;
  /** A safe method: it may carry a probe. */
  readonly mayProbe: boolean;
  /** How long a probe's call may take. */
  readonly probeTimeoutMs: number;
  /** In [0, 1). */
  readonly random: number;
}

export type SightVerdict =
  | { readonly kind: "go"; readonly mayRetry: boolean; readonly share: number }
  | { readonly kind: "refused"; readonly retryAfterMs: number }
  /** A probe is due and this isolate has none out: ask for the lease. */
  | { readonly kind: "probe" }
  /** The view is too old: wait for a fresh one, within a deadline, then `decideAfterAsking`. */
  | { readonly kind: "ask" };

/** The view should be refreshed behind this request. */
export const isStale = (sight: Sight, nowMs: number): boolean => nowMs - sight.viewAtMs > VIEW_FRESH_MS;

/** The view is too old to go by, and the coordinator can be asked. */
export const mustAsk = (sight: Sight, nowMs: number): boolean =>
  nowMs - sight.viewAtMs > VIEW_USABLE_MS && nowMs >= sight.unreachableUntilMs;

export function decide(sight: Sight, x: PassageRequest): SightVerdict {
  return mustAsk(sight, x.nowMs) ? { kind: "ask" } : decideAfterAsking(sight, x);
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
  const verdict = judge(view, ageMs, x.caller, x.mayProbe);
  if (view.state === "ramp") {
    const ramp = (sight.ramp ??= newRamp(x.random));
    if (verdict.kind !== "go") noteOut(ramp);
    else if (!mayGo(ramp, verdict.share)) return { kind: "refused", retryAfterMs: RAMP_RETRY_AFTER_MS };
  }
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
  const verdict = view === undefined ? undefined : judge(view, 0, x.caller, false);
  return verdict === undefined || verdict.kind === "probe"
    ? { kind: "refused", retryAfterMs: PROBE_TAKEN_RETRY_AFTER_MS }
    : verdict;
}

function withoutCoordinator(sight: Sight, x: PassageRequest): Exclude<SightVerdict, { kind: "ask" | "probe" }> {
  const { view } = sight;
  const ageMs = x.nowMs - sight.viewAtMs;
  const wasOpen = view !== undefined && view.state !== "closed" && view.state !== "forced-closed";
  if (wasOpen && ageMs <= VIEW_KEPT_OPEN_MS) {
    const verdict = judge(view, ageMs, x.caller, false);
    if (verdict.kind !== "probe") return verdict;
  }
  if (x.nowMs < sight.local.openUntilMs) {
    return { kind: "refused", retryAfterMs: sight.local.openUntilMs - x.nowMs };
  }
  return { kind: "go", mayRetry: false, share: 1 };
}

/**
 * The call was answered after `durationMs`. `epoch`: of the view under which it began; what began under an earlier one says
 * nothing of the origin that is tried again, but for its pace.
 */
export function noteSuccess(
  sight: Sight,
  epoch: number | undefined,
  durationMs: number,
  settings: BreakerSettings,
  nowMs: number,
  random: number,
): void {
  sight.latencyTotalMs += durationMs;
  const bucket = latencyBucket(durationMs);
  sight.latencies[bucket] = (sight.latencies[bucket] ?? 0) + 1;
  if (isSlow(durationMs, settings)) {
    noteFailure(sight, epoch, "slow", settings, nowMs, random);
    return;
  }
  if (epoch !== sight.view?.epoch) return;
  untoldAt(sight, nowMs).successes++;
  noteAnswer(sight.throttle, true, nowMs);
  observeLocally(sight.local, false, settings, nowMs, random);
}

export const isSlow = (durationMs: number, { slowCallMs }: BreakerSettings): boolean =>
  slowCallMs > 0 && durationMs > slowCallMs;

/** A failure, or a call pending past the early age; `epoch` as above. */
export function noteFailure(
  sight: Sight,
  epoch: number | undefined,
  kind: ReportedFailure,
  settings: BreakerSettings,
  nowMs: number,
  random: number,
): void {
  sight.failures[kind] = (sight.failures[kind] ?? 0) + 1;
  if (epoch !== sight.view?.epoch) return;
  untoldAt(sight, kind === "late" ? nowMs + LATE_GRACE_MS : nowMs).failures++;
  sight.failedAtMs = nowMs;
  noteAnswer(sight.throttle, false, nowMs);
  observeLocally(sight.local, true, settings, nowMs, random);
}

function untoldAt(sight: Sight, atMs: number): Untold {
  const { untold } = sight;
  const step = Math.floor(atMs / AGE_STEP_MS);
  // Late calls lie ahead of what is counted now.
  for (let index = untold.length - 1; index >= Math.max(0, untold.length - 2); index--) {
    const known = untold[index];
    if (known?.step === step) return known;
  }
  if (untold.length >= MAX_AGE_STEPS) {
    const [oldest, next] = untold;
    if (oldest !== undefined && next !== undefined) {
      next.successes += oldest.successes;
      next.failures += oldest.failures;
    }
    untold.shift();
  }
  const added = { step, successes: 0, failures: 0 };
  untold.push(added);
  return added;
}

export interface Turn {
  readonly turn: number;
  readonly delayMs: number;
}

/**
 * Schedules a report; after `delayMs` it may begin, if no earlier one has taken its place. Undefined: one is under way,
 * or comes soon enough. `waitedFor`: somebody waits for its answer.
 */
export function scheduleReport(sight: Sight, nowMs: number, waitedFor = false): Turn | undefined {
  const prompt = waitedFor || nowMs - sight.failedAtMs <= ALERT_MS;
  const atMs = Math.max(nowMs, sight.reportedAtMs + (prompt ? REPORT_SPACING_MS : HEARTBEAT_MS));
  const { report } = sight;
  if (report !== undefined) {
    // One whose request was cut off never begins, or never ends.
    const givenUpAtMs = report.atMs + (report.sent ? REPORT_DEADLINE_MS * 2 : REPORT_SPACING_MS);
    if (nowMs <= givenUpAtMs && (report.sent || report.atMs <= atMs)) return undefined;
  }
  const turn = ++sight.turn;
  sight.report = { turn, atMs, sent: false };
  return { turn, delayMs: atMs - nowMs };
}

/** The delay is over: what to send now. Undefined: another report has taken its place. */
export function beginReport(sight: Sight, turn: number, nowMs: number): ReportBatch | undefined {
  if (sight.report?.turn !== turn) return undefined;
  sight.report = { turn, atMs: nowMs, sent: true };
  sight.reportedAtMs = nowMs;
  return composeReport(sight, nowMs);
}

/** The batch that was not acknowledged again, or what was counted since. */
function composeReport(sight: Sight, nowMs: number): ReportBatch {
  if (sight.unacknowledged === undefined) {
    const { untold, failures, latencies, latencyTotalMs, view } = sight;
    sight.untold = [];
    sight.failures = {};
    sight.latencies = newLatencyCounts();
    sight.latencyTotalMs = 0;
    sight.seq++;
    sight.unacknowledged = {
      seq: sight.seq,
      epoch: view?.epoch ?? Number.MAX_SAFE_INTEGER,
      untold,
      failures,
      latencies,
      latencyTotalMs,
    };
  }
  const { untold, ...batch } = sight.unacknowledged;
  const outcomes = untold.map(({ step, successes, failures }): Outcomes => [
    nowMs - step * AGE_STEP_MS,
    successes,
    failures,
  ]);
  sight.toldUnderWay = sight.underWay;
  return { ...batch, outcomes, underWay: sight.underWay };
}

/** A report has ended; `view` is its answer, undefined when none came. True: there is more to tell, schedule the next. */
export function endReport(
  sight: Sight,
  turn: number,
  answer: { readonly seq: number; readonly view: BreakerView } | undefined,
  nowMs: number,
): boolean {
  if (sight.report?.turn === turn) sight.report = undefined;
  if (answer === undefined) return false;
  if (sight.unacknowledged?.seq === answer.seq) sight.unacknowledged = undefined;
  sight.unreachableUntilMs = 0;
  takeView(sight, answer.view, nowMs);
  return sight.untold.length > 0;
}

/** Calls to the origin under way in the world, as far as this isolate knows. */
export const underWayInTheWorld = ({ view, underWay, toldUnderWay }: Sight): number =>
  Math.max(underWay, (view?.underWay ?? 0) + underWay - toldUnderWay);

/**
 * Whether a failed call may be tried again: while the breaker is closed, as far as known, and this isolate's own calls
 * have not failed several times in a row.
 */
export function mayRetry({ view, local }: Sight, { tripScore }: BreakerSettings): boolean {
  return (view?.state === "closed" || view?.state === "forced-closed") && local.score < tripScore / 4;
}

export function noteUnreachable(sight: Sight, nowMs: number): void {
  sight.unreachableUntilMs = nowMs + UNREACHABLE_FOR_MS;
}

/** A higher epoch wins, of equal ones the one that was made later. `nowMs`: when that was, by this isolate's clock. */
export function takeView(sight: Sight, view: BreakerView, nowMs: number): void {
  const known = sight.view?.epoch ?? Number.NEGATIVE_INFINITY;
  if (view.epoch < known || (view.epoch === known && nowMs < sight.viewAtMs)) return;
  // What failed before the breaker moved says nothing of the origin that is tried again.
  if (sight.view !== undefined && view.epoch > sight.view.epoch) forgetCalls(sight.throttle, nowMs);
  if (sight.view !== undefined && view.epoch > known) {
    sight.ramp = undefined;
    // Of calls of the epoch before: told with this one they would count.
    sight.untold = [];
  }
  sight.view = view;
  sight.viewAtMs = nowMs;
}
