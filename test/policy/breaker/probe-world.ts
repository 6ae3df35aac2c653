/**
 * Probes of one origin with everything going wrong around them, in virtual time: messages that come late, twice, out of
 * order or never, a coordinator that restarts with what it stored, isolates that die in the middle of a probe, hands that
 * force and reset. It counts the probes that are at the origin at once, by the origin's own reckoning.
 *
 * The deciding is the Worker's (`policy/breaker`); the wires are those of `edge/origin-views`, `edge/call-origin` and
 * `coordinators/origin`, each with a switch that removes one safeguard.
 */
import { Timeline } from "../../../sim/kernel/timeline.ts";
import { seeded } from "../../../sim/kernel/random.ts";
import {
  beginReport,
  decide,
  endReport,
  newSight,
  noteFailure,
  noteSuccess,
  type PassageRequest,
  refuseProbe,
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
} from "../../../src/policy/breaker/state-machine.ts";
import { BREAKER_DEFAULTS, type BreakerSettings } from "../../../src/policy/breaker/types.ts";
import { type BreakerView, viewOf } from "../../../src/policy/breaker/view.ts";
import { restore, store } from "./stored-breaker.ts";

/** What keeps probes from being more than allowed; each can be taken away. */
export const SAFEGUARDS = [
  "the number of places",
  "a lease outlives its call",
  "a grant that comes late is not used",
  "leases survive a restart",
  "what is granted is stored before it is told",
  "no two leases share an id",
  "leases outlive a transition",
  "a result frees its own place only",
  "a place is freed after the call, not before",
] as const;
export type Safeguard = (typeof SAFEGUARDS)[number];

export interface ProbeFigures {
  /** Most probes at the origin at once. */
  readonly most: number;
  readonly probes: number;
  readonly restarts: number;
  readonly closings: number;
}

const T0 = 1_000_000;
const ISOLATES = 20;
const LASTS_MS = 12_000;
const REQUEST_EVERY_MS = 15;
const TRY_TIMEOUT_MS = 500;
/** As in the gateway. */
const ASK_DEADLINE_MS = 300;
const LEASE_MARGIN_MS = 1_000;

const SETTINGS: BreakerSettings = {
  ...BREAKER_DEFAULTS,
  quorumPops: 1,
  tripScore: 3,
  backoffMs: 100,
  maxBackoffMs: 400,
  flapMaxBackoffMs: 400,
  closeAfter: 2,
  rampMs: 300,
};

interface Isolate {
  sight: Sight;
  /** Grows when it dies: what it had under way finds nobody. */
  life: number;
}

class ProbeWorld {
  readonly #timeline = new Timeline(T0);
  readonly #random: () => number;
  readonly #without: Safeguard | undefined;
  readonly #settings: BreakerSettings;
  readonly #isolates: Isolate[];
  #breaker: Breaker;
  #stored: string;
  #leases = 0;
  #atOrigin = 0;
  #originFails = 1;
  #most = 0;
  #probes = 0;
  #restarts = 0;
  #closings = 0;

  constructor(seed: number, probes: number, without: Safeguard | undefined) {
    this.#random = seeded(seed);
    this.#without = without;
    this.#settings = { ...SETTINGS, probes };
    this.#breaker = newBreaker(this.#settings, T0);
    this.#stored = store(this.#breaker);
    this.#isolates = Array.from({ length: ISOLATES }, () => ({ sight: newSight(T0), life: 0 }));
  }

  run(): ProbeFigures {
    this.#every(REQUEST_EVERY_MS, () => {
      this.#request(this.#pick());
    });
    this.#every(700, () => {
      this.#originFails = this.#random() < 0.5 ? 1 : 0;
    });
    this.#every(900, () => {
      this.#restart();
    });
    this.#every(1_500, () => {
      const isolate = this.#pick();
      isolate.sight = newSight(this.#nowMs);
      isolate.life++;
    });
    this.#every(4_000, () => {
      this.#byHand();
    });
    this.#timeline.runUntil(T0 + LASTS_MS);
    return { most: this.#most, probes: this.#probes, restarts: this.#restarts, closings: this.#closings };
  }

  get #nowMs(): number {
    return this.#timeline.nowMs;
  }

  #pick(): Isolate {
    const isolate = this.#isolates[Math.floor(this.#random() * ISOLATES)];
    if (isolate === undefined) throw new RangeError("no such isolate");
    return isolate;
  }

  #every(meanMs: number, act: () => void): void {
    const later = (): void => {
      this.#timeline.at(this.#nowMs + 2 * meanMs * this.#random(), () => {
        act();
        later();
      });
    };
    later();
  }

  /** One message: on its way for long or shortly, twice, or never. */
  #send(arrive: () => void): void {
    const copies = this.#random() < 0.05 ? 0 : this.#random() < 0.1 ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const slow = this.#random() < 0.1;
      this.#timeline.at(this.#nowMs + this.#random() * (slow ? 2_500 : 80), arrive);
    }
  }

  /** One turn of the coordinator, and its reply; what it decided is stored before it is told. */
  #turn<Reply>(decideThis: (breaker: Breaker, nowMs: number) => Reply, told: (reply: Reply) => void): void {
    const before = this.#breaker.epoch;
    const reply = decideThis(this.#breaker, this.#nowMs);
    if (this.#breaker.state.kind === "ramp" && this.#breaker.epoch > before) this.#closings++;
    if (this.#without === "leases outlive a transition" && this.#breaker.epoch > before) {
      const [newest] = [...this.#breaker.probes].slice(-1);
      this.#breaker.probes.clear();
      if (newest !== undefined && this.#breaker.state.kind === "half-open") this.#breaker.probes.set(...newest);
    }
    if (this.#without !== "what is granted is stored before it is told" || this.#random() < 0.3) {
      this.#stored = store(this.#breaker);
    }
    this.#send(() => {
      told(reply);
    });
  }

  #restart(): void {
    this.#restarts++;
    this.#breaker = restore(this.#stored, this.#settings, this.#nowMs);
    if (this.#without === "leases survive a restart") this.#breaker.probes.clear();
    if (this.#without === "no two leases share an id") this.#leases = 0;
  }

  #byHand(): void {
    const nowMs = this.#nowMs;
    const state = this.#random() < 0.5 ? ("open" as const) : ("closed" as const);
    const resets = this.#random() < 0.4;
    const untilMs = nowMs + this.#random() * 600;
    this.#turn(
      (breaker) => {
        if (resets) resetBreaker(breaker, "r", "b", nowMs);
        else force(breaker, { state, reason: "r", by: "b", untilMs }, nowMs);
      },
      () => undefined,
    );
  }

  #request(isolate: Isolate): void {
    const x: PassageRequest = {
      nowMs: this.#nowMs,
      caller: `t${Math.floor(this.#random() * 100)}`,
      priority: "normal",
      mayProbe: this.#random() < 0.9,
      probeTimeoutMs: TRY_TIMEOUT_MS,
      random: this.#random(),
    };
    const verdict = decide(isolate.sight, x);
    if (verdict.kind === "probe") this.#askProbe(isolate, x);
    else if (verdict.kind === "go") this.#call(isolate.sight);
    this.#report(isolate);
  }

  #call(sight: Sight): void {
    const settings = this.#settings;
    if (this.#random() < this.#originFails)
      noteFailure(sight, sight.view?.epoch, "status", settings, this.#nowMs, this.#random());
    else noteSuccess(sight, sight.view?.epoch, 10, settings, this.#nowMs, this.#random());
  }

  #report(isolate: Isolate): void {
    const { sight, life } = isolate;
    const turn = scheduleReport(sight, this.#nowMs, true);
    if (turn === undefined) return;
    this.#timeline.at(this.#nowMs + turn.delayMs, () => {
      const batch = isolate.life === life ? beginReport(sight, turn.turn, this.#nowMs) : undefined;
      if (batch === undefined) return;
      const heard = (breaker: Breaker, nowMs: number): BreakerView => {
        observe(breaker, { ...batch, pop: "A" }, nowMs, this.#random());
        return viewOf(breaker, "A", nowMs);
      };
      this.#send(() => {
        this.#turn(heard, (view) => endReport(sight, turn.turn, { seq: batch.seq, view }, this.#nowMs));
      });
    });
  }

  #askProbe(isolate: Isolate, x: PassageRequest): void {
    const { sight, life } = isolate;
    const askedAtMs = this.#nowMs;
    let answered = false;
    this.#timeline.at(askedAtMs + ASK_DEADLINE_MS, () => {
      if (!answered) refuseProbe(sight, undefined, x);
    });
    this.#send(() => {
      this.#turn(
        (breaker, nowMs) => this.#grant(breaker, nowMs),
        ({ leaseId, view }) => {
          const late = this.#nowMs > askedAtMs + ASK_DEADLINE_MS;
          if (late && this.#without !== "a grant that comes late is not used") return;
          // The answer of one call comes once, whatever became of its copies.
          if (answered || isolate.life !== life) return;
          answered = true;
          takeView(sight, view, this.#nowMs);
          if (leaseId === undefined) refuseProbe(sight, view, { ...x, nowMs: this.#nowMs });
          else this.#probe(isolate, leaseId, view.epoch);
        },
      );
    });
  }

  #grant(breaker: Breaker, nowMs: number): { readonly leaseId: string | undefined; readonly view: BreakerView } {
    const leaseId = `lease-${this.#leases++}`;
    const lastsMs =
      this.#without === "a lease outlives its call" ? TRY_TIMEOUT_MS / 2 : TRY_TIMEOUT_MS + LEASE_MARGIN_MS;
    const { settings } = breaker;
    if (this.#without === "the number of places") breaker.settings = { ...settings, probes: settings.probes + 1 };
    const granted = grantProbe(breaker, leaseId, nowMs + lastsMs, nowMs);
    breaker.settings = settings;
    return { leaseId: granted ? leaseId : undefined, view: viewOf(breaker, "A", nowMs) };
  }

  /** At the origin until it ends, even when the isolate that sent it has died. */
  #probe(isolate: Isolate, leaseId: string, epoch: number): void {
    const { sight, life } = isolate;
    this.#probes++;
    this.#atOrigin++;
    this.#most = Math.max(this.#most, this.#atOrigin);
    const hangs = this.#random() < this.#originFails / 2;
    const takesMs = hangs ? TRY_TIMEOUT_MS : this.#random() * TRY_TIMEOUT_MS;
    const succeeded = !hangs && this.#random() >= this.#originFails;
    const early = this.#without === "a place is freed after the call, not before";
    this.#timeline.at(this.#nowMs + takesMs, () => {
      this.#atOrigin--;
    });
    this.#timeline.at(this.#nowMs + (early ? takesMs / 4 : takesMs), () => {
      if (isolate.life === life) this.#tellResult(sight, leaseId, epoch, succeeded);
    });
  }

  #tellResult(sight: Sight, leaseId: string, epoch: number, succeeded: boolean): void {
    const conclude = (breaker: Breaker, nowMs: number): BreakerView => {
      const [any] = breaker.probes.keys();
      const known = breaker.probes.has(leaseId);
      concludeProbe(breaker, leaseId, epoch, succeeded, nowMs, this.#random());
      if (!known && any !== undefined && this.#without === "a result frees its own place only")
        breaker.probes.delete(any);
      return viewOf(breaker, "A", nowMs);
    };
    this.#send(() => {
      this.#turn(conclude, (view) => {
        sight.probingUntilMs = 0;
        takeView(sight, view, this.#nowMs);
      });
    });
  }
}

export function runProbes(seed: number, probes: number, without?: Safeguard): ProbeFigures {
  return new ProbeWorld(seed, probes, without).run();
}
