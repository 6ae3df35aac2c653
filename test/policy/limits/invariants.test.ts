/** The invariants of limits, after every single operation of random programs of faults. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { Arrivals } from "../../../sim/limits/arrivals.ts";
import { World } from "../../../sim/limits/world.ts";
import { fairShare } from "../../../src/policy/limits/fair-share.ts";
import { decideLease, SLOTS_TTL_MS } from "../../../src/policy/limits/lease-book.ts";
import { LEASE_GRACE_MS, type Partition } from "../../../src/policy/limits/partition.ts";
import type { LimitSpec } from "../../../src/policy/limits/types.ts";
import {
  bucket,
  grantOf,
  group,
  IS_MUTATED,
  item,
  leaseCall,
  leaseTo,
  partition,
  quota,
  runs,
  SEED,
  slots,
  T0,
  TOKEN,
} from "./builders.ts";
import { Chaos } from "./chaos.ts";

const plans = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  rate: fc.integer({ min: 1, max: 200 }),
  burst: fc.integer({ min: 3, max: 300 }),
  isolates: fc.integer({ min: 1, max: 6 }),
  lossRatio: fc.double({ min: 0, max: 0.4, noNaN: true }),
  duplicateRatio: fc.double({ min: 0, max: 0.4, noNaN: true }),
  changes: fc.boolean(),
  stepsBack: fc.boolean(),
});
const OPERATIONS = 400;

/** Up to four times as much, or a fourth. */
function changed(spec: LimitSpec, random: () => number): LimitSpec {
  const factor = 4 ** (2 * random() - 1);
  const tokens = (micro: number): number => Math.max(3, Math.round((micro / 1_000_000) * factor));
  switch (spec.kind) {
    case "bucket":
      return bucket(Math.max(1, Math.round((spec.refillNumerator / 1_000) * factor)), tokens(spec.burstMicro));
    case "quota":
      return quota(tokens(spec.quotaMicro), spec.period);
    case "slots":
      return spec;
  }
}

/** Some thousand operations each, on a machine that may be busy. */
const TIMEOUT_MS = 60_000;
vi.setConfig({ testTimeout: TIMEOUT_MS });

describe("whatever happens, in whatever order", () => {
  it("no window sees too much, free + leased stay within the limit, a lessee holds what is counted for it", () => {
    let operations = 0;
    let admitted = 0;
    let refunded = 0;
    fc.assert(
      fc.property(plans, ({ seed, rate, burst, changes, ...options }) => {
        const chaos = new Chaos({
          ...options,
          limits: {
            tenant: bucket(rate, burst),
            route: bucket(Math.ceil(rate / 3), burst),
            month: quota(burst, "minute"),
          },
          random: seeded(seed),
          ...(changes ? { change: changed } : {}),
        });
        chaos.run(OPERATIONS);
        operations += chaos.operations;
        admitted += chaos.admitted;
        refunded += chaos.refunded;
      }),
      { numRuns: runs(100), seed: SEED },
    );
    console.log(`seed ${SEED}: ${operations} operations, ${admitted} tokens admitted, ${refunded} requests refunded`);
    expect(operations).toBeGreaterThan(runs(10_000));
    expect(admitted).toBeGreaterThan(operations / 20);
  });
});

describe("a refused request", () => {
  const SPECS = [bucket(50, 20), bucket(5, 4), quota(30), slots(6)];
  const groups = fc.array(
    fc.record({
      count: fc.integer({ min: 1, max: 9 }),
      costMicro: fc.integer({ min: 1, max: 6 * TOKEN }),
      enforced: fc.uniqueArray(fc.nat(3)),
      shadow: fc.constant([]),
    }),
    { minLength: 1, maxLength: 6 },
  );
  /** Free in each; one half of each is leased to another. */
  const levels = fc.tuple(fc.double({ min: 0, max: 0.5, noNaN: true }), fc.nat(100), fc.nat(100));
  const stateOf = (ratio: number, mine: number, others: number): Map<string, Partition> =>
    new Map(
      SPECS.map((spec, index) => {
        const one = partition(spec);
        const capacity = one.freeMicro;
        leaseTo(one, "other", { remainingMicro: capacity / 2, demandMicroPerSecond: others * TOKEN });
        leaseTo(one, "edge", { demandMicroPerSecond: mine * TOKEN });
        one.freeMicro = spec.kind === "slots" ? capacity / 2 : Math.floor(capacity * ratio);
        return [`limit-${index}`, one];
      }),
    );

  it("debits nothing at any level: what leaves each limit is what was admitted, and those who were refused were short", () => {
    let operations = 0;
    fc.assert(
      fc.property(levels, groups, (level, waiting) => {
        operations += waiting.length;
        const items = SPECS.map((spec, index) =>
          item(spec, { partition: `limit-${index}`, demandMicroPerSecond: level[1] * TOKEN }),
        );
        const partitions = stateOf(...level);
        const before = structuredClone(partitions);
        const decided = decideLease(partitions, leaseCall(items, { waiting }), T0);
        for (const [index, spec] of SPECS.entries()) {
          const debited = waiting.reduce((sum, { enforced, costMicro }, at) => {
            const each = spec.kind === "slots" ? TOKEN : costMicro;
            return sum + (enforced.includes(index) ? (decided.waiting[at]?.admitted ?? 0) * each : 0);
          }, 0);
          const [was, is] = [before, partitions].map((book) => book.get(`limit-${index}`));
          expect((was?.freeMicro ?? 0) - (is?.freeMicro ?? 0)).toBe(debited);
        }
        for (const [at, { admitted, violated }] of decided.waiting.entries()) {
          expect(admitted < (waiting[at]?.count ?? 0)).toBe(violated.length > 0);
        }
      }),
      { numRuns: runs(3_500), seed: SEED },
    );
    expect(operations).toBeGreaterThan(runs(10_000));
  });
});

describe("slots", () => {
  it("are never more in use than there are, while no message is lost, however late, doubled and overtaken", () => {
    let requests = 0;
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer({ min: 1, max: 1_000_000 }),
          count: fc.integer({ min: 1, max: 60 }),
          lessees: fc.integer({ min: 1, max: 8 }),
          roundTripMs: fc.integer({ min: 2, max: 400 }),
          perSecond: fc.integer({ min: 20, max: 150 }),
        }),
        ({ seed, count, lessees, roundTripMs, perSecond }) => {
          const random = seeded(seed);
          const world = new World({
            limits: { running: slots(count) },
            pops: lessees,
            lesseesPerPop: 1,
            roundTripMs: () => 2 * random() * roundTripMs,
            lossRatio: 0,
            duplicateRatio: 0.3,
            deadlineMs: 10_000,
            random,
          });
          const arrivals = new Arrivals(
            world.nowMs,
            [{ ratePerSecond: perSecond, forMs: 6_000 }],
            lessees,
            random,
            (at) => {
              world.request(at, 1, [0], Math.ceil(random() * 2_000));
            },
          );
          world.timeline.runUntil(world.nowMs + 20_000, arrivals);
          requests += world.requests;
          expect(world.mostRunning).toBeLessThanOrEqual(count);
          expect(world.mostRunning).toBeGreaterThan(0);
          expect(world.running).toBe(0);
        },
      ),
      { numRuns: runs(40), seed: SEED },
    );
    expect(requests).toBeGreaterThan(runs(10_000));
  });

  it("all come back after their isolates died, within the life of a lease and its grace, and not before", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 12 }), (held) => {
        const total = 80;
        const partitions = new Map<string, Partition>();
        for (const [index, wanted] of held.entries()) {
          grantOf(partitions, item(slots(total)), { lesseeId: `dead-${index}`, waiting: [group(wanted)] });
        }
        const inUse = held.reduce((sum, wanted) => sum + wanted, 0);
        const freeAt = (atMs: number): number =>
          grantOf(structuredClone(partitions), item(slots(total)), {}, atMs).freeMicro;
        expect(freeAt(T0 + SLOTS_TTL_MS + LEASE_GRACE_MS - 1)).toBe((total - inUse) * TOKEN);
        expect(freeAt(T0 + SLOTS_TTL_MS + LEASE_GRACE_MS)).toBe(total * TOKEN);
      }),
      { numRuns: runs(200), seed: SEED },
    );
  });
});

describe("when more is wanted than comes in", () => {
  // A matter of a minute of traffic: nothing for each mutant.
  it.skipIf(IS_MUTATED)(
    "no lessee gets less than a third of its max-min fair share of the rate, and none twice as much",
    () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 1_000_000 }),
          fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 2, maxLength: 6 }),
          (seed, weights) => {
            const random = seeded(seed);
            const [rate, demand, seconds] = [200, 500, 40];
            const world = new World({
              limits: { requests: bucket(rate, rate) },
              pops: weights.length,
              lesseesPerPop: 1,
              roundTripMs: () => 40,
              lossRatio: 0,
              duplicateRatio: 0,
              deadlineMs: 1_000,
              random,
            });
            const arrivals = new Arrivals(
              world.nowMs,
              [{ ratePerSecond: demand, forMs: seconds * 1_000, weights }],
              weights.length,
              random,
              (at) => {
                world.request(at);
              },
            );
            world.timeline.runUntil(world.nowMs + seconds * 1_000, arrivals);
            const sum = weights.reduce((total, weight) => total + weight, 0);
            const wants = weights.map((weight) => (demand * weight) / sum);
            for (const [index, mine] of wants.entries()) {
              const fair = fairShare(rate, mine, wants.toSpliced(index, 1));
              const got = (world.admittedByPop[index] ?? 0) / seconds;
              expect(got).toBeGreaterThan(fair / 3);
              expect(got).toBeLessThan(fair * 2);
            }
          },
        ),
        { numRuns: 12, seed: SEED },
      );
    },
  );
});
