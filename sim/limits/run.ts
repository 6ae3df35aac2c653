/** Runs one scenario with one seed: the escrow lease, or a rival, on the same requests. */
import { seeded } from "../kernel/random.ts";
import { Timeline } from "../kernel/timeline.ts";
import { Arrivals } from "./arrivals.ts";
import { BIN_MS, IdealBucket, jainIndex, type Ledger } from "./ledger.ts";
import { Network } from "./network.ts";
import { type Limiter, RIVALS } from "./rivals.ts";
import type { Scenario } from "./scenarios.ts";
import { World } from "./world.ts";

export const ESCROW = "escrow lease";
export const DESIGNS: readonly string[] = [ESCROW, ...Object.keys(RIVALS)];
const DEADLINE_MS = 1_000;
const START_MS = 1_000_000;

export interface Figures {
  readonly seed: number;
  /** Tokens beyond burst + rate × length in the worst window; 0 when none was over. */
  readonly over: number;
  /** Admitted, as a part of what one bucket asked without delay would have admitted. */
  readonly utilisation: number;
  readonly callsPerRequest: number;
  readonly callsPerSecond: number;
  /** Share of requests that waited for the coordinator. */
  readonly waitedRatio: number;
  /** Among equally hungry PoPs, the least of all groups; undefined where PoPs are not told apart. */
  readonly jain: number | undefined;
  /** From the shift of demand until 95 % of the ideal is admitted again. */
  readonly recoverySeconds: number | undefined;
}

export interface Run {
  readonly figures: Figures;
  readonly ledger: Ledger;
  readonly idealBins: readonly number[];
}

interface Counts {
  readonly requests: number;
  readonly admitted: number;
  readonly calls: number;
  readonly waited: number;
  readonly ledger: Ledger;
  readonly admittedByPop: readonly number[] | undefined;
}

/** The ideal bucket sees the same requests. */
class Ideal {
  readonly bins: number[] = [];
  readonly bucket: IdealBucket;

  constructor(scenario: Scenario) {
    this.bucket = new IdealBucket(scenario.spec, START_MS);
  }

  request(atMs: number): void {
    if (!this.bucket.take(atMs, 1)) return;
    const bin = Math.floor((atMs - START_MS) / BIN_MS);
    this.bins[bin] = (this.bins[bin] ?? 0) + 1;
  }
}

export function run(scenario: Scenario, design: string, seed: number): Run {
  const durationMs = scenario.phases.reduce((sum, phase) => sum + phase.forMs, 0);
  const ideal = new Ideal(scenario);
  const counts =
    design === ESCROW
      ? runEscrow(scenario, seed, durationMs, ideal)
      : runRival(scenario, design, seed, durationMs, ideal);
  const { requests, calls, waited, ledger, admittedByPop } = counts;
  return {
    ledger,
    idealBins: ideal.bins,
    figures: {
      seed,
      over: Math.max(0, ledger.worstExcess),
      utilisation: counts.admitted / ideal.bucket.admittedTokens,
      callsPerRequest: calls / requests,
      callsPerSecond: (calls * 1_000) / durationMs,
      waitedRatio: waited / requests,
      jain: admittedByPop === undefined ? undefined : fairness(scenario, admittedByPop),
      recoverySeconds:
        scenario.shiftAtMs === undefined ? undefined : recovery(ledger.bins, ideal.bins, scenario.shiftAtMs),
    },
  };
}

/** Far from the coordinator or near: 10 to 250 ms, spread over the PoPs. */
function roundTripMs(pops: number) {
  return (pop: number): number => 10 + (240 * ((pop * 7) % pops)) / Math.max(1, pops - 1);
}

function runEscrow(scenario: Scenario, seed: number, durationMs: number, ideal: Ideal): Counts {
  const { spec, pops, lesseesPerPop, phases, lossRatio, duplicateRatio } = scenario;
  const random = seeded(seed);
  const world = new World({
    limits: { requests: spec },
    pops,
    lesseesPerPop,
    roundTripMs: roundTripMs(pops),
    lossRatio,
    duplicateRatio,
    deadlineMs: DEADLINE_MS,
    random,
  });
  scenario.faults?.(world, random, durationMs);
  const arrivals = new Arrivals(world.nowMs, phases, pops * lesseesPerPop, seeded(seed + 1), (isolate) => {
    ideal.request(world.nowMs);
    world.request(isolate);
  });
  world.timeline.runUntil(START_MS + durationMs, arrivals);
  const [ledger] = world.ledgers;
  if (ledger === undefined) throw new TypeError("a world without a limit");
  const { requests, admitted, calls, waited, admittedByPop } = world;
  return { requests, admitted, calls, waited, admittedByPop, ledger };
}

function runRival(scenario: Scenario, design: string, seed: number, durationMs: number, ideal: Ideal): Counts {
  const { spec, pops, lesseesPerPop, phases } = scenario;
  const make = RIVALS[design];
  if (make === undefined) throw new TypeError(`no design ${design}`);
  const timeline = new Timeline(START_MS);
  const network = new Network(
    { roundTripMs: roundTripMs(pops), lossRatio: 0, duplicateRatio: 0 },
    timeline,
    seeded(seed),
  );
  const isolates = pops * lesseesPerPop;
  const popOf = (isolate: number): number => Math.floor(isolate / lesseesPerPop);
  const limiter: Limiter = make({ spec, timeline, network, isolates, popOf });
  let requests = 0;
  const arrivals = new Arrivals(START_MS, phases, isolates, seeded(seed + 1), (isolate) => {
    requests++;
    ideal.request(timeline.nowMs);
    limiter.request(isolate);
  });
  timeline.runUntil(START_MS + durationMs, arrivals);
  const { ledger, calls, waited } = limiter;
  return { requests, admitted: ledger.admittedTokens, calls, waited, ledger, admittedByPop: undefined };
}

function fairness(scenario: Scenario, admittedByPop: readonly number[]): number {
  const groups = new Map<number, number[]>();
  for (const [pop, admitted] of admittedByPop.entries()) {
    const hunger = scenario.hungerOf?.(pop) ?? 0;
    groups.set(hunger, [...(groups.get(hunger) ?? []), admitted]);
  }
  return Math.min(...[...groups.values()].map(jainIndex));
}

/** The first second after the shift, in steps of BIN_MS, in which 95 % of the ideal was admitted. */
function recovery(bins: readonly number[], ideal: readonly number[], shiftAtMs: number): number {
  const second = 1_000 / BIN_MS;
  const sum = (of: readonly number[], from: number): number =>
    of.slice(from, from + second).reduce((total, tokens) => total + tokens, 0);
  const first = shiftAtMs / BIN_MS;
  for (let from = first; from + second <= ideal.length; from++) {
    if (sum(bins, from) >= 0.95 * sum(ideal, from)) return (from - first) / second;
  }
  return Number.POSITIVE_INFINITY;
}
