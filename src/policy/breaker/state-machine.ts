/**
 * One origin's circuit breaker, for the world: closed → open → half-open → ramp → closed.
 *
 * Guarantees: at most `settings.probes` probe leases are outstanding in the world; a lease of an older epoch, or one
 * that ran out, decides nothing; the epoch grows with every transition; a state forced by hand wins until it expires.
 * It opens when the pooled score reaches `tripScore` AND enough PoPs see it (quorum: min(quorumPops, active PoPs), and
 * half of the active ones); a PoP that fails alone is opened alone, for a while. While open it waits longer after every
 * failed probe; re-opening within `flapWindowMs` of closing doubles the first wait. In the ramp half the score trips.
 * 429 and other answers are no failures: the verdict says so before anything gets here.
 * Changes `breaker` in place; `nowMs` is the coordinator's clock, `random` in [0, 1). Cost: O(PoPs).
 * Source: DESIGN section 5, `docs/outages.md`.
 */
import { spread } from "../kernel/backoff.ts";
import { addLatencies, earlyAgeOf, type Latencies, newLatencies } from "./early-age.ts";
import { addEvidence, type Evidence, forgetEvidence, newEvidence, scoreOf } from "./evidence.ts";
import type { BreakerSettings, Outcomes } from "./types.ts";

export type BreakerState =
  | { readonly kind: "closed" }
  | { readonly kind: "open"; readonly backoffMs: number; readonly nextProbeAtMs: number }
  | {
      readonly kind: "half-open";
      readonly backoffMs: number;
      readonly nextProbeAtMs: number;
      readonly successes: number;
    }
  | { readonly kind: "ramp"; readonly startedAtMs: number };

export interface Forced {
  readonly state: "open" | "closed";
  readonly reason: string;
  readonly by: string;
  readonly untilMs: number;
}

export interface Transition {
  readonly atMs: number;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly score: number;
  /** PoPs that saw the failure. */
  readonly pops: readonly string[];
  readonly epoch: number;
  /** Whose hand it was; undefined: nobody's. */
  readonly by?: string;
  /** Of an opening: the first failure of the evidence that led to it. */
  readonly sinceMs?: number;
}

/** A PoP was opened alone; it closes by itself at `untilMs`. */
export interface PopOpening {
  readonly pop: string;
  readonly transition: Transition;
  readonly untilMs: number;
}

interface PopSight {
  readonly evidence: Evidence;
  heardAtMs: number;
  /** When the last outcome happened that it told of. */
  sawAtMs: number;
  /** Opened alone until then. */
  openUntilMs: number;
  /** Openings in a row. */
  openings: number;
}

export interface Breaker {
  settings: BreakerSettings;
  state: BreakerState;
  forced: Forced | undefined;
  epoch: number;
  /** As of the last observation. */
  score: number;
  readonly evidence: Evidence;
  readonly latencies: Latencies;
  closedAtMs: number;
  tickedAtMs: number;
  /** Re-openings in a row, each within `flapWindowMs` of the closing before. */
  flaps: number;
  /** Probe lease id → expiry. */
  readonly probes: Map<string, number>;
  readonly pops: Map<string, PopSight>;
  readonly history: Transition[];
  /** Not yet taken by whoever tells of them; at most MAX_POP_OPENINGS. */
  readonly popOpenings: PopOpening[];
}

export const MAX_HISTORY = 200;
export const MAX_POPS = 500;
const MAX_POP_OPENINGS = 100;
/** PoPs heard within this time are active; edges with traffic report every second. */
const ACTIVE_POP_MS = 3_000;
const POP_OPEN_MS = 5_000;
const POP_MAX_OPEN_MS = 30_000;
const BACKOFF_GROWTH = 1.5;
const JITTER_RATIO = 0.2;
/** A clock may be corrected by so much without being set back. */
const CLOCK_STEP_MS = 1_000;
/** Of a probe whose lease was granted by a clock since set back: the longest try, and a second. */
const LONGEST_LEASE_MS = 61_000;

export function newBreaker(settings: BreakerSettings, nowMs: number): Breaker {
  return {
    settings,
    state: { kind: "closed" },
    forced: undefined,
    epoch: 1,
    score: 0,
    evidence: newEvidence(nowMs),
    latencies: newLatencies(nowMs),
    closedAtMs: Number.NEGATIVE_INFINITY,
    tickedAtMs: nowMs,
    flaps: 0,
    probes: new Map(),
    pops: new Map(),
    history: [],
    popOpenings: [],
  };
}

export interface Observation {
  readonly pop: string;
  readonly epoch: number;
  readonly outcomes: readonly Outcomes[];
  /** Answered calls, by bucket of the latency histogram. */
  readonly latencies: readonly number[];
}

/** What an edge saw. Observations of an older epoch, or while open, move no score. */
export function observe(breaker: Breaker, seen: Observation, nowMs: number, random: number): void {
  tick(breaker, nowMs);
  const pop = sightOf(breaker, seen.pop, nowMs);
  // What was answered late tells of the origin's pace in any state.
  addLatencies(breaker.latencies, seen.latencies, nowMs);
  if (seen.epoch < breaker.epoch) return;
  const { settings, state } = breaker;
  if (state.kind === "open" || state.kind === "half-open") return;
  addEvidence(pop.evidence, seen.outcomes, settings, nowMs);
  addEvidence(breaker.evidence, seen.outcomes, settings, nowMs);
  for (const [ageMs] of seen.outcomes) pop.sawAtMs = Math.max(pop.sawAtMs, nowMs - ageMs);
  if (breaker.forced !== undefined) return;
  const pooled = scoreOf(breaker.evidence, settings, nowMs);
  breaker.score = pooled.score;
  const trips = pooled.score >= (state.kind === "ramp" ? settings.tripScore / 2 : settings.tripScore);
  const popTrips = nowMs >= pop.openUntilMs && popScoreTrips(breaker, pop, nowMs);
  if (!trips && !popTrips) return;
  const { failing, suffices } = quorumOf(breaker, pooled.roseAtMs, nowMs);
  if (trips && suffices) open(breaker, failing, pooled.sinceMs, nowMs, random);
  else if (popTrips && !suffices) openPop(breaker, seen.pop, pop, nowMs, random);
}

/** PoPs that told of the time since the evidence rose vote: half of them must see the failure, and not too few. */
function quorumOf(
  { pops, settings }: Breaker,
  roseAtMs: number,
  nowMs: number,
): { readonly failing: readonly string[]; readonly suffices: boolean } {
  let active = 0;
  let voters = 0;
  const failing: string[] = [];
  for (const [name, pop] of pops) {
    if (nowMs - pop.heardAtMs > ACTIVE_POP_MS) continue;
    active++;
    if (pop.sawAtMs < roseAtMs) continue;
    voters++;
    if (scoreOf(pop.evidence, settings, nowMs).score > 0) failing.push(name);
  }
  return { failing, suffices: failing.length >= Math.max(Math.min(settings.quorumPops, active), voters / 2) };
}

/** A PoP opened again soon after is opened at half the score. */
function popScoreTrips({ settings }: Breaker, pop: PopSight, nowMs: number): boolean {
  if (nowMs - pop.openUntilMs > settings.flapWindowMs) pop.openings = 0;
  const tripScore = pop.openings === 0 ? settings.popTripScore : settings.popTripScore / 2;
  return scoreOf(pop.evidence, settings, nowMs).score >= tripScore;
}

/** A PoP that fails alone: opened alone, twice as long each time in a row. */
function openPop(breaker: Breaker, name: string, pop: PopSight, nowMs: number, random: number): void {
  const openMs = Math.min(POP_MAX_OPEN_MS, POP_OPEN_MS * 2 ** pop.openings);
  pop.openings++;
  pop.openUntilMs = nowMs + spread(openMs, JITTER_RATIO, random);
  const { score, sinceMs } = scoreOf(pop.evidence, breaker.settings, nowMs);
  const { epoch, popOpenings } = breaker;
  const told = { atMs: nowMs, from: "closed", to: "open", reason: "failures at one PoP", score, pops: [name], epoch };
  popOpenings.push({ pop: name, transition: { ...told, sinceMs }, untilMs: pop.openUntilMs });
  if (popOpenings.length > MAX_POP_OPENINGS) popOpenings.shift();
  forgetEvidence(pop.evidence, nowMs);
}

function sightOf(breaker: Breaker, name: string, nowMs: number): PopSight {
  let sight = breaker.pops.get(name);
  if (sight === undefined) {
    if (breaker.pops.size >= MAX_POPS) {
      for (const [known, { heardAtMs }] of breaker.pops) {
        if (nowMs - heardAtMs > ACTIVE_POP_MS || breaker.pops.size >= MAX_POPS) breaker.pops.delete(known);
      }
    }
    sight = { evidence: newEvidence(nowMs), heardAtMs: nowMs, sawAtMs: 0, openUntilMs: 0, openings: 0 };
    breaker.pops.set(name, sight);
  }
  sight.heardAtMs = nowMs;
  return sight;
}

/** What time alone changes: a ramp ends, a forced state expires, a lost probe lease frees its place. */
export function tick(breaker: Breaker, nowMs: number): void {
  if (nowMs < breaker.tickedAtMs - CLOCK_STEP_MS) stepBack(breaker, nowMs);
  breaker.tickedAtMs = nowMs;
  for (const [leaseId, expiresAtMs] of breaker.probes) if (nowMs > expiresAtMs) breaker.probes.delete(leaseId);
  const { forced, state } = breaker;
  if (forced !== undefined && nowMs >= forced.untilMs) {
    breaker.forced = undefined;
    const next: BreakerState =
      forced.state === "open"
        ? { kind: "open", backoffMs: breaker.settings.backoffMs, nextProbeAtMs: nowMs }
        : { kind: "closed" };
    move(breaker, next, "forced state expired", [], nowMs, { from: `forced-${forced.state}` });
  }
  if (state.kind === "ramp" && nowMs - state.startedAtMs >= breaker.settings.rampMs && breaker.forced === undefined) {
    move(breaker, { kind: "closed" }, "ramp ended", [], nowMs);
  }
}

/** The clock has been set back: what was to happen soon would happen late, so it happens now. What was forced keeps its end. */
function stepBack(breaker: Breaker, nowMs: number): void {
  const { state } = breaker;
  if (state.kind === "open" || state.kind === "half-open") breaker.state = { ...state, nextProbeAtMs: nowMs };
  if (state.kind === "ramp") breaker.state = { ...state, startedAtMs: nowMs };
  breaker.closedAtMs = Math.min(breaker.closedAtMs, nowMs);
  for (const [leaseId, expiresAtMs] of breaker.probes) {
    breaker.probes.set(leaseId, Math.min(expiresAtMs, nowMs + LONGEST_LEASE_MS));
  }
  for (const pop of breaker.pops.values()) {
    pop.openUntilMs = Math.min(pop.openUntilMs, nowMs);
    pop.heardAtMs = Math.min(pop.heardAtMs, nowMs);
    pop.sawAtMs = Math.min(pop.sawAtMs, nowMs);
  }
}

function open(breaker: Breaker, pops: readonly string[], sinceMs: number, nowMs: number, random: number): void {
  const { backoffMs: firstMs, flapWindowMs, flapMaxBackoffMs } = breaker.settings;
  const flapping = nowMs - breaker.closedAtMs < flapWindowMs;
  breaker.flaps = flapping ? breaker.flaps + 1 : 0;
  const backoffMs = flapping ? Math.min(flapMaxBackoffMs, firstMs * 2 ** breaker.flaps) : firstMs;
  const nextProbeAtMs = nowMs + spread(backoffMs, JITTER_RATIO, random);
  move(breaker, { kind: "open", backoffMs, nextProbeAtMs }, "failures", pops, nowMs, { sinceMs });
}

function move(
  breaker: Breaker,
  to: BreakerState,
  reason: string,
  pops: readonly string[],
  nowMs: number,
  {
    from = breaker.state.kind,
    name = to.kind,
    ...rest
  }: { readonly from?: string; readonly name?: string } & Pick<Transition, "by" | "sinceMs"> = {},
): void {
  breaker.epoch++;
  const { epoch, score } = breaker;
  breaker.history.push({ atMs: nowMs, from, to: name, reason, score, pops, epoch, ...rest });
  if (breaker.history.length > MAX_HISTORY) breaker.history.splice(0, breaker.history.length - MAX_HISTORY);
  breaker.state = to;
  breaker.score = 0;
  forgetEvidence(breaker.evidence, nowMs);
  for (const { evidence } of breaker.pops.values()) forgetEvidence(evidence, nowMs);
  // Leases of an earlier epoch decide nothing, but hold their place until they end: the origin may still be at work.
}

/** `leaseId`: random, the caller's. True: granted, until `expiresAtMs`. */
export function grantProbe(breaker: Breaker, leaseId: string, expiresAtMs: number, nowMs: number): boolean {
  tick(breaker, nowMs);
  const { state } = breaker;
  if (breaker.forced !== undefined || (state.kind !== "open" && state.kind !== "half-open")) return false;
  if (nowMs < state.nextProbeAtMs || breaker.probes.size >= breaker.settings.probes) return false;
  if (state.kind === "open") {
    const { backoffMs, nextProbeAtMs } = state;
    move(breaker, { kind: "half-open", backoffMs, nextProbeAtMs, successes: 0 }, "probe due", [], nowMs);
  }
  breaker.probes.set(leaseId, expiresAtMs);
  return true;
}

/** A probe's end. Unknown, lost or outdated leases change nothing but their own place. */
export function concludeProbe(
  breaker: Breaker,
  leaseId: string,
  epoch: number,
  succeeded: boolean,
  nowMs: number,
  random: number,
): void {
  tick(breaker, nowMs);
  if (!breaker.probes.delete(leaseId)) return;
  const { state } = breaker;
  if (epoch !== breaker.epoch || state.kind !== "half-open" || breaker.forced !== undefined) return;
  if (!succeeded) {
    const { maxBackoffMs, flapMaxBackoffMs } = breaker.settings;
    const longest = breaker.flaps > 0 ? Math.max(maxBackoffMs, flapMaxBackoffMs) : maxBackoffMs;
    const backoffMs = Math.min(longest, state.backoffMs * BACKOFF_GROWTH);
    const nextProbeAtMs = nowMs + spread(backoffMs, JITTER_RATIO, random);
    move(breaker, { kind: "open", backoffMs, nextProbeAtMs }, "probe failed", [], nowMs);
    return;
  }
  const successes = state.successes + 1;
  if (successes < breaker.settings.closeAfter) {
    breaker.state = { ...state, successes, nextProbeAtMs: nowMs };
    return;
  }
  breaker.closedAtMs = nowMs;
  move(breaker, { kind: "ramp", startedAtMs: nowMs }, "probes succeeded", [], nowMs);
}

export function force(breaker: Breaker, forced: Forced, nowMs: number): void {
  tick(breaker, nowMs);
  const from = breaker.forced === undefined ? breaker.state.kind : `forced-${breaker.forced.state}`;
  breaker.forced = forced;
  const name = `forced-${forced.state}`;
  move(breaker, breaker.state, forced.reason, [], nowMs, { from, name, by: forced.by });
}

/** By hand: closed, whatever it was; and nothing that came before counts as flapping. */
export function resetBreaker(breaker: Breaker, reason: string, by: string, nowMs: number): void {
  tick(breaker, nowMs);
  const from = breaker.forced === undefined ? breaker.state.kind : `forced-${breaker.forced.state}`;
  breaker.forced = undefined;
  breaker.flaps = 0;
  breaker.closedAtMs = Number.NEGATIVE_INFINITY;
  move(breaker, { kind: "closed" }, `reset: ${reason}`, [], nowMs, { from, by });
}

/** At which age a pending call is late; undefined: not known yet. */
export const earlyAge = ({ latencies, settings }: Breaker): number | undefined =>
  earlyAgeOf(latencies, settings.earlyAgeMs);
