/** The escrow lease's invariants, in a world that loses, doubles, delays and reorders messages, restarts and evicts. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { Arrivals, type Phase } from "../../../sim/limits/arrivals.ts";
import { bucket, type Sabotage, World } from "../../../sim/limits/world.ts";
import { seeded } from "../../../sim/kernel/random.ts";
import { IS_MUTATED, runs, SEED } from "./builders.ts";

/** Each run is several hundred operations: more than 10,000 in all. */
const RUNS = 60;
vi.setConfig({ testTimeout: 60_000 });

interface Plan {
  readonly seed: number;
  readonly rate: number;
  readonly burst: number;
  readonly lessees: number;
  readonly overload: number;
  readonly lossRatio: number;
  readonly duplicateRatio: number;
  readonly longestDelayMs: number;
  /** Leases are taken, left idle beyond their life, and then everybody comes at once. */
  readonly flash: boolean;
}

const plans = fc.record<Plan>({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  rate: fc.integer({ min: 2, max: 300 }),
  burst: fc.integer({ min: 1, max: 400 }),
  lessees: fc.integer({ min: 1, max: 12 }),
  overload: fc.double({ min: 0.3, max: 6, noNaN: true }),
  lossRatio: fc.double({ min: 0, max: 0.4, noNaN: true }),
  duplicateRatio: fc.double({ min: 0, max: 0.4, noNaN: true }),
  longestDelayMs: fc.integer({ min: 1, max: 4_000 }),
  flash: fc.boolean(),
});

const SECONDS = 12;

function phasesOf({ rate, overload, flash }: Plan): Phase[] {
  const demand = Math.min(300, rate * overload);
  if (!flash) return [{ ratePerSecond: demand, forMs: SECONDS * 1_000 }];
  return Array.from({ length: 3 }, () => [
    { ratePerSecond: demand * 0.8, forMs: 900 },
    { ratePerSecond: 0.001, forMs: 2_400 },
    { ratePerSecond: demand * 6, forMs: 300 },
    { ratePerSecond: 0.001, forMs: 400 },
  ]).flat();
}

/** Two limits, the route's half as high; every third request is charged only with the tenant's, and some cost more. */
function live(plan: Plan, sabotage: Sabotage = {}): World {
  const random = seeded(plan.seed);
  const world = new World(
    {
      limits: {
        tenant: bucket(plan.rate, plan.burst),
        route: bucket(Math.max(1, Math.floor(plan.rate / 2)), Math.max(3, Math.floor(plan.burst / 2))),
      },
      pops: plan.lessees,
      lesseesPerPop: 1,
      roundTripMs: () => 2 * random() ** 3 * plan.longestDelayMs,
      lossRatio: plan.lossRatio,
      duplicateRatio: plan.duplicateRatio,
      deadlineMs: 1_500,
      random,
    },
    sabotage,
  );
  const arrivals = new Arrivals(world.nowMs, phasesOf(plan), plan.lessees, random, (isolate) => {
    world.request(isolate, random() < 0.2 ? 3 : 1, random() < 0.33 ? [0] : [0, 1]);
  });
  for (let event = 0; event < 8; event++) {
    const restarts = random() < 0.5;
    const index = Math.floor(random() * plan.lessees);
    world.timeline.at(world.nowMs + Math.ceil(random() * SECONDS * 1_000), () => {
      if (restarts) world.restart();
      else world.evict(index);
    });
  }
  world.timeline.runUntil(world.nowMs + SECONDS * 1_000 + 10_000, arrivals);
  return world;
}

const worstExcess = (world: World): number => Math.max(...world.ledgers.map((ledger) => ledger.worstExcess));

describe("the escrow lease, whatever the network and the machines do", () => {
  it("never admits more than burst + rate × length in any window of any limit, with free + leased within the burst", () => {
    let operations = 0;
    fc.assert(
      fc.property(plans, (plan) => {
        // checkPartitions throws inside when free + outstanding, or the books, are off.
        const world = live(plan);
        operations += world.requests + world.calls;
        expect(worstExcess(world)).toBeLessThanOrEqual(0);
      }),
      { numRuns: runs(RUNS), seed: SEED },
    );
    console.log(`seed ${SEED}: ${operations} operations`);
    expect(operations).toBeGreaterThan(runs(10_000));
  });

  // These judge the check, not the policies.
  it.skipIf(IS_MUTATED).each<[string, Sabotage]>([
    ["a lessee that spends after its lease's life", { spendAfterExpiry: true }],
    ["a coordinator that ignores sequence numbers", { ignoreSeq: true }],
    ["a coordinator that forgets its partitions on a restart", { forgetOnRestart: true }],
    ["a coordinator that replies before it has stored", { storeLate: true }],
  ])("would be broken by %s, so the check above can fail", (_name, sabotage) => {
    const excesses = Array.from({ length: 60 }, (_, index) => {
      try {
        return worstExcess(
          live(
            {
              seed: index + 1,
              rate: 60,
              burst: 60,
              lessees: 6,
              overload: 1,
              lossRatio: 0.05,
              duplicateRatio: 0.5,
              longestDelayMs: index % 2 === 0 ? 100 : 1_500,
              flash: true,
            },
            sabotage,
          ),
        );
      } catch {
        return Number.POSITIVE_INFINITY;
      }
    });
    expect(Math.max(...excesses)).toBeGreaterThan(0);
  });
});

/** A world without faults, for what strictness costs. */
function calm(rate: number, burst: number, lessees: number, seed = 7): World {
  return new World({
    limits: { requests: bucket(rate, burst) },
    pops: lessees,
    lesseesPerPop: 1,
    roundTripMs: () => 40,
    lossRatio: 0,
    duplicateRatio: 0,
    deadlineMs: 1_000,
    random: seeded(seed),
  });
}

describe("what strictness costs", () => {
  it("a tenant at half its limit is never refused", () => {
    const world = calm(50, 50, 4);
    const arrivals = new Arrivals(world.nowMs, [{ ratePerSecond: 25, forMs: 40_000 }], 4, seeded(8), (isolate) => {
      world.request(isolate);
    });
    world.timeline.runUntil(world.nowMs + 41_000, arrivals);
    expect([world.refused, world.admitted]).toEqual([0, world.requests]);
  });

  it("one edge alone may use the whole burst at once", () => {
    const world = calm(10, 50, 3);
    for (let index = 0; index < 60; index++) world.request(0);
    world.timeline.runUntil(world.nowMs + 200);
    expect(world.admitted).toBeGreaterThanOrEqual(50);
    expect(world.admitted).toBeLessThanOrEqual(52);
  });
});
