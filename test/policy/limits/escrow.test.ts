/** The escrow lease's invariants, in a world that loses, doubles, delays and reorders messages, restarts and evicts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucket, seeded, World, type Sabotage } from "./world.ts";

const SEED = process.env["FC_SEED"] === undefined ? Date.now() % 1_000_000 : Number(process.env["FC_SEED"]);
/** Each run is several hundred operations: more than 10,000 in all. */
const RUNS = 60;

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

function live(plan: Plan, sabotage: Sabotage = {}): World {
  const random = seeded(plan.seed);
  const world = new World(
    {
      spec: bucket(plan.rate, plan.burst),
      lessees: plan.lessees,
      delayMs: () => random() ** 3 * plan.longestDelayMs,
      lossRatio: plan.lossRatio,
      duplicateRatio: plan.duplicateRatio,
      random,
    },
    sabotage,
  );
  const seconds = 12;
  const demand = Math.min(300, plan.rate * plan.overload);
  if (plan.flash) {
    for (let wave = 0; wave < 3; wave++) {
      world.at(world.nowMs + wave * 4_000, () => world.traffic(demand * 0.8, 900));
      world.at(world.nowMs + wave * 4_000 + 3_300, () => world.traffic(demand * 6, 300));
    }
  } else world.traffic(demand, seconds * 1_000);
  for (let event = 0; event < 8; event++) {
    const atMs = world.nowMs + random() * seconds * 1_000;
    if (random() < 0.5) world.at(atMs, () => world.restart());
    else {
      const index = Math.floor(random() * plan.lessees);
      world.at(atMs, () => world.evict(index));
    }
  }
  world.runUntil(world.nowMs + seconds * 1_000 + 10_000);
  return world;
}

describe("the escrow lease, whatever the network and the machines do", () => {
  it("never admits more than burst + rate × length in any window, and keeps free + outstanding within the burst", () => {
    let operations = 0;
    fc.assert(
      fc.property(plans, (plan) => {
        // checkPartitions throws inside when free + outstanding, or the books, are off.
        const world = live(plan);
        operations += world.requests + world.calls;
        expect(world.worstExcess()).toBeLessThanOrEqual(0);
      }),
      { numRuns: RUNS, seed: SEED },
    );
    console.log(`seed ${SEED}: ${operations} operations`);
    expect(operations).toBeGreaterThan(10_000);
  });

  it.each<[string, Sabotage]>([
    ["a lessee that spends after its lease's life", { spendAfterExpiry: true }],
    ["a coordinator that ignores sequence numbers", { ignoreSeq: true }],
    ["a coordinator that forgets its partitions on a restart", { forgetOnRestart: true }],
  ])("would be broken by %s, so the check above can fail", (_name, sabotage) => {
    const excesses = Array.from({ length: 60 }, (_, index) => {
      try {
        return live(
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
        ).worstExcess();
      } catch {
        return Number.POSITIVE_INFINITY;
      }
    });
    expect(Math.max(...excesses)).toBeGreaterThan(0);
  });
});

describe("what strictness costs, in a steady world", () => {
  const run = (
    rate: number,
    burst: number,
    lessees: number,
    demand: number,
    roundTripMs: readonly [number, number],
  ) => {
    const random = seeded(7);
    const [least, most] = roundTripMs;
    const world = new World({
      spec: bucket(rate, burst),
      lessees,
      delayMs: () => (least + random() * (most - least)) / 2,
      lossRatio: 0,
      duplicateRatio: 0,
      random,
    });
    const seconds = 40;
    const endMs = world.nowMs + seconds * 1_000;
    world.traffic(demand, seconds * 1_000);
    world.runUntil(endMs);
    return {
      over: world.worstExcess(),
      utilisation: world.utilisation(seconds * 1_000, demand),
      callsPerRequest: world.calls / world.requests,
      refused: world.refused,
    };
  };

  it.each([
    {
      name: "4 edges, 50/s, at 4 times the rate",
      rate: 50,
      burst: 50,
      lessees: 4,
      demand: 200,
      leastUse: 0.97,
      mostCalls: 0.1,
    },
    {
      name: "50 edges, 1000/s, at 0.8 of the rate",
      rate: 1_000,
      burst: 1_000,
      lessees: 50,
      demand: 800,
      leastUse: 0.98,
      mostCalls: 0.1,
    },
    {
      name: "50 edges, 1000/s, at 1.2 times the rate",
      rate: 1_000,
      burst: 1_000,
      lessees: 50,
      demand: 1_200,
      leastUse: 0.97,
      mostCalls: 0.1,
    },
    {
      name: "50 edges, 1000/s, at 3 times the rate",
      rate: 1_000,
      burst: 1_000,
      lessees: 50,
      demand: 3_000,
      leastUse: 0.98,
      mostCalls: 0.05,
    },
    {
      name: "20 edges, 10/s, at twice the rate (asks for each request)",
      rate: 10,
      burst: 20,
      lessees: 20,
      demand: 20,
      leastUse: 0.95,
      mostCalls: 1,
    },
  ])("$name", ({ rate, burst, lessees, demand, leastUse, mostCalls }) => {
    const figures = run(rate, burst, lessees, demand, [10, 200]);
    expect(figures.over).toBeLessThanOrEqual(0);
    expect(figures.utilisation).toBeGreaterThanOrEqual(leastUse);
    expect(figures.callsPerRequest).toBeLessThanOrEqual(mostCalls);
  });

  it("a tenant at half its limit is never refused", () => {
    expect(run(50, 50, 4, 25, [40, 40]).refused).toBe(0);
  });

  it("one edge alone may use the whole burst at once", () => {
    const world = new World({
      spec: bucket(10, 50),
      lessees: 3,
      delayMs: () => 20,
      lossRatio: 0,
      duplicateRatio: 0,
      random: seeded(1),
    });
    for (let index = 0; index < 60; index++) world.request(0);
    world.runUntil(world.nowMs + 200);
    expect(world.admissions.length).toBeGreaterThanOrEqual(50);
    expect(world.admissions.length).toBeLessThanOrEqual(52);
  });
});
