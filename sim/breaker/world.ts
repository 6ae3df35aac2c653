/**
 * Weir's breaker in virtual time: one coordinator, many isolates in many PoPs, a WAN. What is decided is decided by the
 * functions the Worker runs (`policy/breaker`); here are only the wires between them.
 */
import {
  beginReport,
  decide,
  decideAfterAsking,
  endReport,
  isStale,
  newSight,
  noteFailure,
  noteSuccess,
  noteUnreachable,
  type PassageRequest,
  refuseProbe,
  REPORT_DEADLINE_MS,
  scheduleReport,
  type Sight,
  type SightVerdict,
  takeView,
} from "../../src/policy/breaker/sight.ts";
import {
  type Breaker,
  concludeProbe,
  grantProbe,
  newBreaker,
  observe,
  tick,
} from "../../src/policy/breaker/state-machine.ts";
import { BREAKER_DEFAULTS } from "../../src/policy/breaker/types.ts";
import { type BreakerView, viewOf } from "../../src/policy/breaker/view.ts";
import type { Timeline } from "../kernel/timeline.ts";
import type { Network } from "../limits/network.ts";
import { TRY_TIMEOUT_MS } from "./origin.ts";

/** What a design under test does with a request; it calls the origin through the `Calls` it was given. */
export interface BreakerDesign {
  request(isolate: number): void;
  /** Transitions of the state that holds for the world; of all isolates, where there is no such state. */
  readonly transitions: readonly { readonly atMs: number; readonly to: string }[];
  /** Most probes that were under way at once. */
  readonly mostProbes: number;
}

/** The way to the origin, and what reached it. */
export interface Calls {
  send(isolate: number, ended: (failed: boolean) => void): void;
}

export interface BreakerContext {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly random: () => number;
  readonly isolates: number;
  readonly popOf: (isolate: number) => number;
  readonly calls: Calls;
}

const VIEW_DEADLINE_MS = 150;
const PROBE_DEADLINE_MS = 300;
const PROBE_LEASE_MARGIN_MS = 1_000;
const OWN_PROBE_AFTER_MS = 1_000;
const TENANTS = 1_000;

export function weirBreaker(context: BreakerContext): BreakerDesign {
  return new WeirWorld(context);
}

class WeirWorld implements BreakerDesign {
  mostProbes = 0;
  reports = 0;
  readonly #context: BreakerContext;
  readonly #breaker: Breaker;
  readonly #sights: Sight[];
  readonly #seen = new Map<number, number>();
  #leases = 0;
  #ownProbeAtMs = Number.POSITIVE_INFINITY;

  constructor(context: BreakerContext) {
    this.#context = context;
    this.#breaker = newBreaker(BREAKER_DEFAULTS, context.timeline.nowMs);
    this.#sights = Array.from({ length: context.isolates }, () => newSight(context.timeline.nowMs));
  }

  get transitions(): BreakerDesign["transitions"] {
    return this.#breaker.history;
  }

  get #nowMs(): number {
    return this.#context.timeline.nowMs;
  }

  request(isolate: number): void {
    const sight = this.#sights[isolate];
    if (sight === undefined) return;
    const x = this.#passage();
    const verdict = decide(sight, x);
    if (verdict.kind !== "ask") {
      if (verdict.kind !== "go" && isStale(sight, this.#nowMs)) this.#report(isolate, sight, true);
      this.#act(isolate, sight, verdict, x);
      return;
    }
    this.#report(isolate, sight, true);
    // Waits for the view, at most so long.
    let waited = false;
    const go = (): void => {
      if (waited) return;
      waited = true;
      if (isStale(sight, this.#nowMs)) noteUnreachable(sight, this.#nowMs);
      const later = { ...x, nowMs: this.#nowMs };
      this.#act(isolate, sight, decideAfterAsking(sight, later), later);
    };
    this.#waiting.set(isolate, [...(this.#waiting.get(isolate) ?? []), go]);
    this.#context.timeline.at(this.#nowMs + VIEW_DEADLINE_MS, go);
  }

  readonly #waiting = new Map<number, (() => void)[]>();

  #passage(): PassageRequest {
    const { random } = this.#context;
    return {
      nowMs: this.#nowMs,
      caller: `t${Math.floor(random() * TENANTS)}`,
      priority: "normal",
      mayProbe: true,
      probeTimeoutMs: TRY_TIMEOUT_MS,
      random: random(),
    };
  }

  #act(isolate: number, sight: Sight, verdict: SightVerdict, x: PassageRequest): void {
    if (verdict.kind === "go") this.#call(isolate, sight);
    else if (verdict.kind === "probe") this.#askProbe(isolate, sight, x);
  }

  #call(isolate: number, sight: Sight): void {
    const { timeline, random, calls } = this.#context;
    const startedAtMs = this.#nowMs;
    const epoch = sight.view?.epoch;
    const earlyAgeMs = sight.view?.earlyAgeMs;
    let ended = false;
    let late = false;
    if (earlyAgeMs !== undefined && earlyAgeMs < TRY_TIMEOUT_MS) {
      timeline.at(startedAtMs + earlyAgeMs, () => {
        if (ended) return;
        late = true;
        noteFailure(sight, epoch, "late", BREAKER_DEFAULTS, this.#nowMs, random());
        this.#report(isolate, sight);
      });
    }
    calls.send(isolate, (failed) => {
      ended = true;
      if (!failed) noteSuccess(sight, epoch, this.#nowMs - startedAtMs, BREAKER_DEFAULTS, this.#nowMs, random());
      else if (!late) noteFailure(sight, epoch, "network", BREAKER_DEFAULTS, this.#nowMs, random());
      this.#report(isolate, sight);
    });
  }

  #report(isolate: number, sight: Sight, waitedFor = false): void {
    const scheduled = scheduleReport(sight, this.#nowMs, waitedFor);
    if (scheduled === undefined) return;
    this.#context.timeline.at(this.#nowMs + scheduled.delayMs, () => {
      this.#send(isolate, sight, scheduled.turn);
    });
  }

  #send(isolate: number, sight: Sight, turn: number): void {
    const { timeline, network, popOf } = this.#context;
    const pop = popOf(isolate);
    const batch = beginReport(sight, turn, this.#nowMs);
    if (batch === undefined) return;
    this.reports++;
    let answered = false;
    const end = (view: BreakerView | undefined): void => {
      if (answered) return;
      answered = true;
      const answer = view === undefined ? undefined : { seq: batch.seq, view };
      if (endReport(sight, turn, answer, this.#nowMs)) this.#report(isolate, sight);
      const waiting = this.#waiting.get(isolate) ?? [];
      this.#waiting.delete(isolate);
      for (const go of waiting) go();
    };
    timeline.at(this.#nowMs + REPORT_DEADLINE_MS, () => {
      end(undefined);
    });
    network.send(pop, () => {
      if (batch.seq > (this.#seen.get(isolate) ?? 0)) {
        this.#seen.set(isolate, batch.seq);
        observe(this.#breaker, { pop: String(pop), ...batch }, this.#nowMs, this.#context.random());
      }
      const view = this.#viewFor(pop);
      this.#scheduleOwnProbe();
      network.send(pop, () => {
        end(view);
      });
    });
  }

  #viewFor(pop: number): BreakerView {
    tick(this.#breaker, this.#nowMs);
    return viewOf(this.#breaker, String(pop), this.#nowMs);
  }

  #grant(): { readonly leaseId: string; readonly epoch: number } | undefined {
    const leaseId = String(this.#leases++);
    const expiresAtMs = this.#nowMs + TRY_TIMEOUT_MS + PROBE_LEASE_MARGIN_MS;
    if (!grantProbe(this.#breaker, leaseId, expiresAtMs, this.#nowMs)) return undefined;
    this.mostProbes = Math.max(this.mostProbes, this.#breaker.probes.size);
    return { leaseId, epoch: this.#breaker.epoch };
  }

  #askProbe(isolate: number, sight: Sight, x: PassageRequest): void {
    const { timeline, network, popOf } = this.#context;
    const pop = popOf(isolate);
    let answered = false;
    network.send(pop, () => {
      const lease = this.#grant();
      const view = this.#viewFor(pop);
      this.#scheduleOwnProbe();
      network.send(pop, () => {
        if (answered) return;
        answered = true;
        takeView(sight, view, this.#nowMs);
        if (lease === undefined) refuseProbe(sight, view, { ...x, nowMs: this.#nowMs });
        else this.#probe(isolate, sight, lease);
      });
    });
    timeline.at(this.#nowMs + PROBE_DEADLINE_MS, () => {
      if (answered) return;
      answered = true;
      refuseProbe(sight, undefined, { ...x, nowMs: this.#nowMs });
    });
  }

  #probe(isolate: number, sight: Sight, lease: { readonly leaseId: string; readonly epoch: number }): void {
    const { network, popOf, calls, random } = this.#context;
    const pop = popOf(isolate);
    calls.send(isolate, (failed) => {
      network.send(pop, () => {
        concludeProbe(this.#breaker, lease.leaseId, lease.epoch, !failed, this.#nowMs, random());
        const view = this.#viewFor(pop);
        this.#scheduleOwnProbe();
        network.send(pop, () => {
          sight.probingUntilMs = 0;
          takeView(sight, view, this.#nowMs);
        });
      });
    });
  }

  /** The coordinator's alarm: it probes by itself when nobody calls. */
  #scheduleOwnProbe(): void {
    const { state, probes } = this.#breaker;
    if (state.kind !== "open" && state.kind !== "half-open") return;
    const atMs = Math.max(state.nextProbeAtMs, 0, ...probes.values()) + OWN_PROBE_AFTER_MS;
    if (this.#ownProbeAtMs === atMs) return;
    this.#ownProbeAtMs = atMs;
    this.#context.timeline.at(atMs, () => {
      if (this.#ownProbeAtMs !== atMs) return;
      this.#ownProbeAtMs = Number.POSITIVE_INFINITY;
      const lease = this.#grant();
      if (lease === undefined) {
        this.#scheduleOwnProbe();
        return;
      }
      this.#context.calls.send(0, (failed) => {
        concludeProbe(this.#breaker, lease.leaseId, lease.epoch, !failed, this.#nowMs, this.#context.random());
        this.#scheduleOwnProbe();
      });
    });
  }
}
