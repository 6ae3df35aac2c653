/**
 * One origin's circuit breaker, for the world: closed → open → half-open → ramp → closed.
 *
 * Guarantees: at most `settings.probes` probe leases are outstanding in the world; a lease of an older epoch, or one
 * that ran out, decides nothing; the epoch grows with every transition; a state forced by hand wins until it expires.
 * It opens when the pooled score reaches `tripScore` AND enough PoPs see it (quorum: min(quorumPops, active PoPs), and
 * half of the active ones); a PoP that fails alone is opened alone, for a while. While open it waits longer after every
 * failed probe; re-opening within FLAP_WINDOW_MS of closing doubles the first wait. In the ramp half the score trips.
 * 429 and other answers are no failures: the verdict says so before anything gets here.
 * Changes `breaker` in place; `nowMs` is the coordinator's clock, `random` in [0, 1). Cost: O(PoPs).
 * Source: DESIGN section 5, `docs/outages.md`.
 */
import { spread } from "../kernel/backoff.ts";
import { nextScore } from "./score.ts";
import type { BreakerSettings } from "./types.ts";

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
}

interface PopSight {
  score: number;
  heardAtMs: number;
  /** Opened alone until then. */
  openUntilMs: number;
}

export interface Breaker {
  settings: BreakerSettings;
  state: BreakerState;
  forced: Forced | undefined;
  epoch: number;
  score: number;
  closedAtMs: number;
  /** Re-openings in a row, each within FLAP_WINDOW_MS of the closing before. */
  flaps: number;
  /** Probe lease id → expiry. */
  readonly probes: Map<string, number>;
  readonly pops: Map<string, PopSight>;
  readonly history: Transition[];
}

export const MAX_HISTORY = 200;
export const MAX_POPS = 500;
/** PoPs heard within this time are active; edges with traffic report every second. */
const ACTIVE_POP_MS = 3_000;
const POP_TRIP_SCORE = 10;
const POP_OPEN_MS = 5_000;
const BACKOFF_GROWTH = 1.5;
const JITTER_RATIO = 0.2;
const FLAP_WINDOW_MS = 60_000;
const FLAP_MAX_BACKOFF_MS = 60_000;

export function newBreaker(settings: BreakerSettings): Breaker {
  return {
    settings,
    state: { kind: "closed" },
    forced: undefined,
    epoch: 1,
    score: 0,
    closedAtMs: Number.NEGATIVE_INFINITY,
    flaps: 0,
    probes: new Map(),
    pops: new Map(),
    history: [],
  };
}

export interface Observation {
  readonly pop: string;
  readonly epoch: number;
  readonly successes: number;
  readonly failures: number;
}

/** What an edge saw. Observations of an older epoch, or while open, move no score. */
export function observe(breaker: Breaker, seen: Observation, nowMs: number, random: number): void {
  tick(breaker, nowMs);
  const pop = sightOf(breaker, seen.pop, nowMs);
  if (seen.epoch < breaker.epoch) return;
  const { kind } = breaker.state;
  if (kind === "open" || kind === "half-open") return;
  pop.score = nextScore(pop.score, seen.failures, seen.successes);
  breaker.score = nextScore(breaker.score, seen.failures, seen.successes);
  if (breaker.forced !== undefined || seen.failures === 0) return;
  const threshold = kind === "ramp" ? breaker.settings.tripScore / 2 : breaker.settings.tripScore;
  const active = [...breaker.pops].filter(([, sight]) => nowMs - sight.heardAtMs <= ACTIVE_POP_MS);
  const failing = active.filter(([, sight]) => sight.score > 0).map(([name]) => name);
  const quorum = Math.max(Math.min(breaker.settings.quorumPops, active.length), active.length / 2);
  if (breaker.score >= threshold && failing.length >= quorum) open(breaker, "failures", failing, nowMs, random);
  else if (pop.score >= POP_TRIP_SCORE && failing.length < quorum && nowMs >= pop.openUntilMs) {
    pop.openUntilMs = nowMs + spread(POP_OPEN_MS, JITTER_RATIO, random);
    pop.score = POP_TRIP_SCORE / 2;
  }
}

function sightOf(breaker: Breaker, name: string, nowMs: number): PopSight {
  let sight = breaker.pops.get(name);
  if (sight === undefined) {
    if (breaker.pops.size >= MAX_POPS) {
      for (const [known, { heardAtMs }] of breaker.pops) {
        if (nowMs - heardAtMs > ACTIVE_POP_MS || breaker.pops.size >= MAX_POPS) breaker.pops.delete(known);
      }
    }
    sight = { score: 0, heardAtMs: nowMs, openUntilMs: 0 };
    breaker.pops.set(name, sight);
  }
  sight.heardAtMs = nowMs;
  return sight;
}

/** What time alone changes: a ramp ends, a forced state expires, a lost probe lease frees its place. */
export function tick(breaker: Breaker, nowMs: number): void {
  for (const [leaseId, expiresAtMs] of breaker.probes) if (nowMs > expiresAtMs) breaker.probes.delete(leaseId);
  const { forced, state } = breaker;
  if (forced !== undefined && nowMs >= forced.untilMs) {
    breaker.forced = undefined;
    const next: BreakerState =
      forced.state === "open"
        ? { kind: "open", backoffMs: breaker.settings.backoffMs, nextProbeAtMs: nowMs }
        : { kind: "closed" };
    move(breaker, next, "forced state expired", [], nowMs, `forced-${forced.state}`);
  }
  if (state.kind === "ramp" && nowMs - state.startedAtMs >= breaker.settings.rampMs && breaker.forced === undefined) {
    move(breaker, { kind: "closed" }, "ramp ended", [], nowMs);
  }
}

function open(breaker: Breaker, reason: string, pops: readonly string[], nowMs: number, random: number): void {
  const flapping = nowMs - breaker.closedAtMs < FLAP_WINDOW_MS;
  breaker.flaps = flapping ? breaker.flaps + 1 : 0;
  const backoffMs = Math.min(FLAP_MAX_BACKOFF_MS, breaker.settings.backoffMs * 2 ** breaker.flaps);
  const nextProbeAtMs = nowMs + spread(backoffMs, JITTER_RATIO, random);
  move(breaker, { kind: "open", backoffMs, nextProbeAtMs }, reason, pops, nowMs);
}

function move(
  breaker: Breaker,
  to: BreakerState,
  reason: string,
  pops: readonly string[],
  nowMs: number,
  from: string = breaker.state.kind,
): void {
  breaker.epoch++;
  breaker.history.push({ atMs: nowMs, from, to: to.kind, reason, score: breaker.score, pops, epoch: breaker.epoch });
  if (breaker.history.length > MAX_HISTORY) breaker.history.splice(0, breaker.history.length - MAX_HISTORY);
  breaker.state = to;
  breaker.score = 0;
  for (const sight of breaker.pops.values()) sight.score = 0;
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
    const longest = breaker.flaps > 0 ? FLAP_MAX_BACKOFF_MS : breaker.settings.maxBackoffMs;
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
  breaker.forced = forced;
  move(breaker, breaker.state, `forced ${forced.state}: ${forced.reason}`, [], nowMs);
}

/** By hand: closed, whatever it was. */
export function resetBreaker(breaker: Breaker, reason: string, nowMs: number): void {
  tick(breaker, nowMs);
  breaker.forced = undefined;
  breaker.flaps = 0;
  move(breaker, { kind: "closed" }, `reset: ${reason}`, [], nowMs);
}
