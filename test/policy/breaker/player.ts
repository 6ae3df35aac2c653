/**
 * Plays a row of a step table through the breaker as the gateway wires it: one isolate's sight, one coordinator, every
 * message at once. Each call ends, and is told, before the next begins, unless the row says otherwise.
 *
 * A plan is what the origin would do; what came of it is told in the same letters, in capitals where the call went:
 *   f s   a call that fails, or succeeds;  t  one that times out;  h  one that hangs, is told late, then times out
 *   w     a success that took longer than `slowCallMs`;  c  an answer of the class 4xx
 *   O     told for any call that was refused
 *   b e   a failed call of another isolate, whose report is on its way; the oldest such report arrives
 *   x     a call whose outcome never comes (of a probe: its lease runs out);  a  one that stays out; + or - comes of it
 *   n y   the oldest call that stays out fails, or succeeds
 *   | z   a pause longer than any wait before a probe; one until every lease has run out;  1-9  so many seconds
 *   P D   by hand, for an hour: forced open; forced closed;  R  reset
 */
import {
  beginReport,
  decide,
  endReport,
  newSight,
  noteFailure,
  noteSuccess,
  refuseProbe,
  type ReportBatch,
  scheduleReport,
  type Sight,
  takeView,
} from "../../../src/policy/breaker/sight.ts";
import {
  type Breaker,
  concludeProbe,
  force,
  grantProbe,
  newBreaker,
  observe,
  resetBreaker,
  tick,
  type Transition,
} from "../../../src/policy/breaker/state-machine.ts";
import { BREAKER_DEFAULTS, type BreakerSettings } from "../../../src/policy/breaker/types.ts";
import { type BreakerView, viewOf } from "../../../src/policy/breaker/view.ts";
import { verdictOfFailure, verdictOfStatus } from "../../../src/policy/forwarding/verdict.ts";

const T0 = 1_000_000;
const BETWEEN_CALLS_MS = 100;
/** After so long all that was told has been weighed. */
const TOLD_AFTER_MS = 200;
const LEASE_MS = 20_000;
const HOUR = 3_600_000;
const POP = "A";
/** A center, so that waits are what the settings say. */
const RANDOM = 0.5;

const PER_FAILURE = Math.log(BREAKER_DEFAULTS.outageRatio / BREAKER_DEFAULTS.brownOutRatio);

/** The evidence that so many failures in a row are, and no fewer. */
export const opensAfter = (failures: number): Partial<BreakerSettings> => ({
  tripScore: PER_FAILURE * failures - 0.01,
});

/** One PoP alone, no ramp to speak of, no memory of having closed: what the suites know nothing of. */
export const PLAIN: BreakerSettings = {
  ...BREAKER_DEFAULTS,
  quorumPops: 1,
  backoffMs: 2_000,
  maxBackoffMs: 2_000,
  flapWindowMs: 0,
  rampMs: 1,
};

export interface Played {
  /** What came of each step. */
  readonly told: string;
  /** What holds at the end, as an edge sees it. */
  readonly ends: BreakerView["state"];
  /** Without the first: "closed>open". */
  readonly transitions: readonly string[];
}

interface Lease {
  readonly leaseId: string;
  readonly epoch: number;
}

type Passage = { readonly kind: "refused" | "go" } | ({ readonly kind: "probe" } & Lease);

class Player {
  nowMs = T0;
  readonly breaker: Breaker;
  readonly #sight: Sight = newSight(T0);
  readonly #out: Lease[] = [];
  readonly #onTheWay: ReportBatch[] = [];
  #leases = 0;

  constructor(settings: BreakerSettings) {
    this.breaker = newBreaker(settings, T0);
  }

  view(): BreakerView {
    tick(this.breaker, this.nowMs);
    return viewOf(this.breaker, POP, this.nowMs);
  }

  step(letter: string): string {
    switch (letter) {
      case "|":
        return this.#pause(letter, 1.3 * Math.max(this.breaker.settings.backoffMs, this.breaker.settings.maxBackoffMs));
      case "z":
        return this.#pause(letter, LEASE_MS + 1);
      case "P":
      case "D": {
        const state = letter === "P" ? "open" : "closed";
        force(this.breaker, { state, reason: "by the plan", by: "plan", untilMs: this.nowMs + HOUR }, this.nowMs);
        return letter;
      }
      case "R":
        resetBreaker(this.breaker, "by the plan", "plan", this.nowMs);
        return letter;
      case "n":
      case "y":
        return this.#endOldest(letter);
      case "e":
        return this.#arrive();
      default:
        return /[1-9]/.test(letter) ? this.#pause(letter, Number(letter) * 1_000) : this.#call(letter);
    }
  }

  #pause(letter: string, forMs: number): string {
    this.nowMs += forMs;
    return letter;
  }

  #call(letter: string): string {
    this.nowMs += BETWEEN_CALLS_MS;
    const passage = this.#pass();
    if (letter === "a") {
      if (passage.kind !== "probe") return "-";
      this.#out.push(passage);
      return "+";
    }
    if (passage.kind === "refused") return "O";
    if (letter === "b") this.#onTheWay.push(this.#tellElsewhere());
    else if (passage.kind === "probe" && letter !== "x") this.#conclude(passage, isSuccess(letter));
    else if (letter !== "x") this.#tellCall(letter);
    return letter.toUpperCase();
  }

  #pass(): Passage {
    const x = {
      nowMs: this.nowMs,
      caller: "caller",
      priority: "normal" as const,
      mayProbe: true,
      // Each call is an isolate's first: here the coordinator alone keeps probes apart.
      probeTimeoutMs: Number.NEGATIVE_INFINITY,
      random: RANDOM,
    };
    takeView(this.#sight, this.view(), this.nowMs);
    const verdict = decide(this.#sight, x);
    if (verdict.kind === "ask") throw new Error("a view just taken is usable");
    if (verdict.kind !== "probe") return { kind: verdict.kind };
    const leaseId = `lease-${this.#leases++}`;
    const granted = grantProbe(this.breaker, leaseId, this.nowMs + LEASE_MS, this.nowMs);
    takeView(this.#sight, this.view(), this.nowMs);
    if (granted) return { kind: "probe", leaseId, epoch: this.breaker.epoch };
    return { kind: refuseProbe(this.#sight, this.view(), x).kind };
  }

  #endOldest(letter: string): string {
    const lease = this.#out.shift();
    if (lease === undefined) throw new Error("no call is out");
    this.#conclude(lease, letter === "y");
    return letter;
  }

  #conclude({ leaseId, epoch }: Lease, succeeded: boolean): void {
    this.nowMs += TOLD_AFTER_MS;
    concludeProbe(this.breaker, leaseId, epoch, succeeded, this.nowMs, RANDOM);
  }

  #tellElsewhere(): ReportBatch {
    const sight = newSight(this.nowMs);
    takeView(sight, this.view(), this.nowMs);
    noteFailure(sight, sight.view?.epoch, "status", this.breaker.settings, this.nowMs, RANDOM);
    this.nowMs += TOLD_AFTER_MS;
    return this.#send(sight).batch;
  }

  #arrive(): string {
    const batch = this.#onTheWay.shift();
    if (batch === undefined) throw new Error("no report is on its way");
    this.nowMs += TOLD_AFTER_MS;
    observe(this.breaker, { ...batch, pop: POP }, this.nowMs, RANDOM);
    return "E";
  }

  #tellCall(letter: string): void {
    const { settings } = this.breaker;
    const sight = this.#sight;
    if (letter === "t") noteFailure(sight, sight.view?.epoch, "timeout", settings, this.nowMs, RANDOM);
    else if (letter === "h") noteFailure(sight, sight.view?.epoch, "late", settings, this.nowMs, RANDOM);
    else if (letter === "w")
      noteSuccess(sight, sight.view?.epoch, settings.slowCallMs + 1, settings, this.nowMs, RANDOM);
    else if (isSuccess(letter)) noteSuccess(sight, sight.view?.epoch, 10, settings, this.nowMs, RANDOM);
    else noteFailure(sight, sight.view?.epoch, "status", settings, this.nowMs, RANDOM);
    this.nowMs += TOLD_AFTER_MS;
    const { turn, batch } = this.#send(sight);
    observe(this.breaker, { ...batch, pop: POP }, this.nowMs, RANDOM);
    endReport(sight, turn, { seq: batch.seq, view: this.view() }, this.nowMs);
  }

  #send(sight: Sight): { readonly turn: number; readonly batch: ReportBatch } {
    const turn = scheduleReport(sight, this.nowMs, true);
    if (turn === undefined) throw new Error("every report before has been answered");
    this.nowMs += turn.delayMs;
    const batch = beginReport(sight, turn.turn, this.nowMs);
    if (batch === undefined) throw new Error("nothing has taken its place");
    return { turn: turn.turn, batch };
  }
}

/** By the rules of the gateway for what comes back. */
function isSuccess(letter: string): boolean {
  switch (letter) {
    case "s":
    case "w":
      return verdictOfStatus(200).kind === "success";
    case "c":
      return verdictOfStatus(429).kind === "success";
    case "f":
      return verdictOfStatus(503).kind === "success";
    case "t":
    case "h":
      return verdictOfFailure("timeout").kind === "success";
    default:
      throw new Error(`no call is called ${letter}`);
  }
}

export function play(settings: BreakerSettings, plan: string): Played {
  const player = new Player(settings);
  const told = Array.from(plan, (letter) => player.step(letter)).join("");
  const ends = player.view().state;
  const transitions = player.breaker.history.map(({ from, to }: Transition) => `${from}>${to}`);
  return { told, ends, transitions };
}
