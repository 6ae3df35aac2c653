/** The scenarios of `npm run sim -- limits`, and what DESIGN asks of each. */
import type { LimitSpec } from "../../src/policy/limits/types.ts";
import type { Phase } from "./arrivals.ts";
import { bucket, type World } from "./world.ts";

export interface Scenario {
  readonly about: string;
  readonly spec: LimitSpec;
  readonly ratePerSecond: number;
  readonly pops: number;
  readonly lesseesPerPop: number;
  readonly lossRatio: number;
  readonly duplicateRatio: number;
  readonly phases: readonly Phase[];
  /** Things that happen besides requests; `durationMs` is the whole run. */
  readonly faults?: (world: World, random: () => number, durationMs: number) => void;
  /** PoPs with the same number are equally hungry; default: all. */
  readonly hungerOf?: (pop: number) => number;
  /** When demand shifts: how long until 95 % of the ideal is reached again is measured from here. */
  readonly shiftAtMs?: number;
  readonly target: Target;
}

/** Nothing over is asked of every scenario. */
export interface Target {
  readonly utilisation?: number;
  readonly callsPerRequest?: number;
  readonly callsPerSecond?: number;
  readonly recoverySeconds?: number;
}

const SECOND = 1_000;
const PLAIN = { lossRatio: 0.002, duplicateRatio: 0.005 } as const;
/** 60 isolates in 20 PoPs share 1,000 tokens a second. */
const SIXTY = { ...PLAIN, spec: bucket(1_000, 1_000), ratePerSecond: 1_000, pops: 20, lesseesPerPop: 3 } as const;
const ISOLATES = SIXTY.pops * SIXTY.lesseesPerPop;

const constant = (ratePerSecond: number, seconds: number): readonly Phase[] => [
  { ratePerSecond, forMs: seconds * SECOND },
];

const THREE_HUNDRED = {
  ...PLAIN,
  ratePerSecond: 20_000,
  pops: 100,
  lesseesPerPop: 3,
  phases: constant(18_000, 20),
} as const;

const byIsolate = (weightOfPop: (pop: number) => number): number[] =>
  Array.from({ length: ISOLATES }, (_, isolate) => weightOfPop(Math.floor(isolate / SIXTY.lesseesPerPop)));

/** Three PoPs of each rank, so that equally hungry ones can be compared. */
const zipfRank = (pop: number): number => Math.floor(pop / 3) + 1;

function evictions(meanLifeMs: number) {
  return (world: World, random: () => number, durationMs: number): void => {
    const endMs = world.nowMs + durationMs;
    const live = (index: number): void => {
      const atMs = world.nowMs + Math.ceil(-Math.log(1 - random()) * meanLifeMs);
      if (atMs >= endMs) return;
      world.timeline.at(atMs, () => {
        world.evict(index);
        live(index);
      });
    };
    for (const index of world.lessees.keys()) live(index);
  };
}

function chaos(world: World, random: () => number, durationMs: number): void {
  evictions(15 * SECOND)(world, random, durationMs);
  for (let atMs = 3 * SECOND; atMs < durationMs; atMs += 3 * SECOND) {
    world.timeline.at(world.nowMs + atMs, () => {
      world.restart();
    });
  }
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  steady: {
    about: "60 isolates, 1,000/s, at 0.8 of the rate",
    ...SIXTY,
    phases: constant(800, 60),
    target: { utilisation: 0.98, callsPerRequest: 0.1 },
  },
  "overload-3x": {
    about: "at 3 times the rate",
    ...SIXTY,
    phases: constant(3_000, 60),
    target: { utilisation: 0.98, callsPerRequest: 0.05 },
  },
  "overload-5x": {
    about: "at 5 times the rate",
    ...SIXTY,
    phases: constant(5_000, 60),
    target: { utilisation: 0.98, callsPerRequest: 0.05 },
  },
  zipf: {
    about: "PoPs of very different size, at 1.2 times the rate",
    ...SIXTY,
    phases: [{ ratePerSecond: 1_200, forMs: 60 * SECOND, weights: byIsolate((pop) => 1 / zipfRank(pop)) }],
    hungerOf: zipfRank,
    target: { utilisation: 0.98, callsPerRequest: 0.1 },
  },
  moving: {
    about: "all demand moves to other PoPs after 60 s, at 1.2 times the rate",
    ...SIXTY,
    phases: [
      { ratePerSecond: 1_200, forMs: 60 * SECOND, weights: byIsolate((pop) => (pop < 10 ? 1 : 0)) },
      { ratePerSecond: 1_200, forMs: 60 * SECOND, weights: byIsolate((pop) => (pop < 10 ? 0 : 1)) },
    ],
    shiftAtMs: 60 * SECOND,
    target: { utilisation: 0.98, callsPerRequest: 0.1, recoverySeconds: 3 },
  },
  flash: {
    about: "a tenth of the rate for 20 s, then 10 times the rate",
    ...SIXTY,
    phases: [...constant(100, 20), ...constant(10_000, 20)],
    target: { utilisation: 0.97, callsPerRequest: 0.1 },
  },
  churn: {
    about: "isolates live 20 s on average, at 0.9 of the rate",
    ...SIXTY,
    phases: constant(900, 60),
    faults: evictions(20 * SECOND),
    target: { utilisation: 0.97, callsPerRequest: 0.1 },
  },
  "idle-then-burst": {
    about: "leases are taken, left idle, and then everybody comes at 6 times the rate",
    ...SIXTY,
    phases: Array.from({ length: 10 }, () => [
      { ratePerSecond: 700, forMs: 2_000 },
      { ratePerSecond: 1, forMs: 1_900 },
      { ratePerSecond: 6_000, forMs: 1_000 },
    ]).flat(),
    target: { utilisation: 0.9, callsPerRequest: 0.1 },
  },
  "rate-10": {
    about: "20 isolates share 10/s, at twice the rate",
    ...PLAIN,
    spec: bucket(10, 20),
    ratePerSecond: 10,
    pops: 10,
    lesseesPerPop: 2,
    phases: constant(20, 120),
    target: { utilisation: 0.99, callsPerRequest: 0.9 },
  },
  "rate-20000": {
    about: "300 isolates share 20,000/s with a burst of 2 s, at 0.9 of the rate",
    ...THREE_HUNDRED,
    spec: bucket(20_000, 40_000),
    target: { utilisation: 0.98, callsPerRequest: 0.05, callsPerSecond: 300 },
  },
  "rate-20000-burst-1s": {
    about: "the same with a burst of 1 s: what is leased fills nine tenths of the bucket",
    ...THREE_HUNDRED,
    spec: bucket(20_000, 20_000),
    target: { utilisation: 0.98, callsPerRequest: 0.05, callsPerSecond: 300 },
  },
  "burst-100ms": {
    about: "200 isolates share 1,000/s with a burst of a tenth of a second, at 1.2 times the rate",
    ...PLAIN,
    spec: bucket(1_000, 100),
    ratePerSecond: 1_000,
    pops: 50,
    lesseesPerPop: 4,
    phases: constant(1_200, 30),
    target: { utilisation: 0.85 },
  },
  "coordinator-away": {
    about: "the coordinator cannot be reached for 10 s of 60, fail mode closed",
    ...SIXTY,
    phases: constant(800, 60),
    faults: (world) => {
      const { timeline, network } = world;
      timeline.at(world.nowMs + 20 * SECOND, () => {
        network.awayUntilMs = world.nowMs + 10 * SECOND;
      });
    },
    target: { utilisation: 0.8 },
  },
  chaos: {
    about: "5 % loss, 20 % duplicates, isolates live 15 s, the coordinator restarts every 3 s, at 1.5 times the rate",
    ...SIXTY,
    lossRatio: 0.05,
    duplicateRatio: 0.2,
    phases: constant(1_500, 40),
    faults: chaos,
    target: {},
  },
};
