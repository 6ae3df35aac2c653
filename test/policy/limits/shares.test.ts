import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fairShare } from "../../../src/policy/limits/fair-share.ts";
import type { Partition } from "../../../src/policy/limits/partition.ts";
import { ACTIVE_FOR_MS, crowdOf, earnCredit, entitlementMicro, spareMicro } from "../../../src/policy/limits/shares.ts";
import type { LimitSpec } from "../../../src/policy/limits/types.ts";
import { bucket, leaseTo, partition, quota, runs, SEED, slots, T0, TOKEN } from "./builders.ts";

/** Lessees that demand so many tokens a second each. */
function wanting(spec: LimitSpec, demands: readonly number[]): Partition {
  const one = partition(spec);
  for (const [index, demand] of demands.entries()) {
    leaseTo(one, `lessee-${index}`, { demandMicroPerSecond: demand * TOKEN });
  }
  return one;
}

describe("the crowd", () => {
  it("is of those who were heard within three seconds, and of one at least", () => {
    const one = wanting(bucket(100, 100), [10, 20]);
    leaseTo(one, "quiet", { heardAtMs: T0 - ACTIVE_FOR_MS, demandMicroPerSecond: 30 * TOKEN });
    leaseTo(one, "gone", { heardAtMs: T0 - ACTIVE_FOR_MS - 1, demandMicroPerSecond: 40 * TOKEN });
    expect(crowdOf(one, T0)).toEqual({ activeLessees: 3, pressureRatio: 0.6, overloaded: false, horizonMs: 1_500 });
    expect(crowdOf(partition(bucket(1, 1)), T0)).toEqual({
      activeLessees: 1,
      pressureRatio: 0,
      overloaded: false,
      horizonMs: 1_500,
    });
  });

  it("is overloaded when it wants more than comes in, and more than chance explains", () => {
    // 2.5 standard deviations of 50 requests in half a second: 2.5 × √50 = 17.7.
    expect(crowdOf(wanting(bucket(100, 100), [60, 57.6]), T0).overloaded).toBe(false);
    expect(crowdOf(wanting(bucket(100, 100), [60, 57.7]), T0).overloaded).toBe(true);
  });

  it("of a quota or of slots is never overloaded: nothing comes in", () => {
    for (const spec of [quota(1), slots(1)]) {
      expect(crowdOf(wanting(spec, [1_000]), T0)).toEqual({
        activeLessees: 1,
        pressureRatio: 0,
        overloaded: false,
        horizonMs: 1_500,
      });
    }
  });

  it("leases no further ahead than what is used fills the bucket", () => {
    expect(crowdOf(wanting(bucket(100, 50), [25, 25]), T0).horizonMs).toBe(1_000);
    expect(crowdOf(wanting(bucket(100, 50), [300]), T0)).toMatchObject({ horizonMs: 500, pressureRatio: 3 });
    expect(crowdOf(wanting(bucket(100, 50), [10]), T0).horizonMs).toBe(1_500);
  });
});

describe("credit", () => {
  const earned = (demands: readonly number[], sinceMs: number, creditTokens = 0): number => {
    const one = wanting(bucket(100, 100), demands);
    const mine = leaseTo(one, "mine", {
      demandMicroPerSecond: 60 * TOKEN,
      creditMicro: creditTokens * TOKEN,
      sharedAtMs: T0 - sinceMs,
    });
    earnCredit(one, mine, T0);
    expect(mine.sharedAtMs).toBe(T0);
    return mine.creditMicro / TOKEN;
  };

  it("is earned at the fair part of the rate, a tenth faster", () => {
    expect(earned([60], 100)).toBeCloseTo(5.5);
    expect(earned([10], 100)).toBeCloseTo(6.6);
    expect(earned([60, 60, 60], 100, 2)).toBeCloseTo(4.75);
  });

  it("is a second's worth at most, and one token at least may be", () => {
    expect(earned([60], 60_000)).toBe(50);
    expect(earned([60], 0, 90)).toBe(50);
    expect(
      earned(
        Array.from({ length: 400 }, () => 60),
        60_000,
      ),
    ).toBe(1);
  });

  it("overdrawn is forgiven", () => {
    expect(earned([60], 100, -70)).toBeCloseTo(5.5);
  });

  it("counts only the others, and only those that are active", () => {
    const one = partition(bucket(100, 100));
    const mine = leaseTo(one, "mine", { demandMicroPerSecond: 100 * TOKEN, sharedAtMs: T0 - 100 });
    leaseTo(one, "gone", { heardAtMs: T0 - ACTIVE_FOR_MS - 1, demandMicroPerSecond: 100 * TOKEN });
    earnCredit(one, mine, T0);
    expect(mine.creditMicro).toBeCloseTo(11 * TOKEN);
  });
});

describe("what a lessee may have", () => {
  it("when there is not enough for all is its credit and an equal part of what is free, never more than that", () => {
    const one = partition(bucket(100, 100), { freeMicro: 40 * TOKEN });
    const crowd = { ...crowdOf(one, T0), activeLessees: 4 };
    expect(entitlementMicro(one, leaseTo(one, "a", { creditMicro: 5 * TOKEN }), crowd)).toBe(15 * TOKEN);
    expect(entitlementMicro(one, leaseTo(one, "b", { creditMicro: 35 * TOKEN }), crowd)).toBe(40 * TOKEN);
  });

  it("when there is enough is half of what is free, less what others will need within a second beyond what they hold", () => {
    const one = partition(bucket(100, 100), { freeMicro: 60 * TOKEN });
    const mine = leaseTo(one, "mine", { demandMicroPerSecond: 1_000 * TOKEN });
    expect(spareMicro(one, mine, 20 * TOKEN, T0)).toBe(20 * TOKEN);
    expect(spareMicro(one, mine, 50 * TOKEN, T0)).toBe(30 * TOKEN);
    leaseTo(one, "holder", { demandMicroPerSecond: 50 * TOKEN, remainingMicro: 45 * TOKEN });
    expect(spareMicro(one, mine, 80 * TOKEN, T0)).toBe(30 * TOKEN);
    leaseTo(one, "needy", { demandMicroPerSecond: 50 * TOKEN, remainingMicro: 20 * TOKEN });
    // 5 and 30 will be needed: 60 less 5, by two.
    expect(spareMicro(one, mine, 80 * TOKEN, T0)).toBe(27.5 * TOKEN);
    leaseTo(one, "rich", { demandMicroPerSecond: 5 * TOKEN, remainingMicro: 20 * TOKEN });
    expect(spareMicro(one, mine, 80 * TOKEN, T0)).toBe(27.5 * TOKEN);
  });
});

describe("a fair share", () => {
  it("of nothing is nothing, of enough what is wanted", () => {
    expect(fairShare(0, 10, [])).toBe(0);
    expect(fairShare(10, 10, [])).toBe(10);
    expect(fairShare(10, 20, [])).toBe(10);
    expect(fairShare(10, 0, [3])).toBe(0);
  });

  it("is the level at which all that want more stand, in whatever order they are named", () => {
    expect(fairShare(100, 50, [10, 90, 20])).toBe(35);
    expect(fairShare(100, 50, [20, 90, 10])).toBe(35);
    expect(fairShare(100, 30, [10, 90, 20])).toBe(30);
    expect(fairShare(90, 50, [30, 90])).toBe(30);
  });
});

describe("fair shares", () => {
  it("are max-min fair: none can get more without one that has less getting less", () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(1_000), fc.array(fc.nat(1_000), { maxLength: 20 }), (supply, mine, others) => {
        const share = fairShare(supply, mine, others);
        expect(share).toBeLessThanOrEqual(Math.min(mine, supply) + 1e-9);
        // Never less than an equal part, unless that is all it wants.
        expect(share).toBeGreaterThanOrEqual(Math.min(mine, supply / (others.length + 1)) - 1e-9);
        const total = others.reduce((sum, wanted) => sum + Math.min(wanted, share), 0) + share;
        // Nothing is left over while somebody wants more.
        if (share < mine) expect(total).toBeGreaterThanOrEqual(supply - 1e-6);
      }),
      { seed: SEED, numRuns: runs(1_000) },
    );
  });
  it("of a supply that covers all wishes are the wishes", () => {
    expect(fairShare(100, 10, [20, 30])).toBe(10);
    expect(fairShare(30, 100, [5, 100])).toBe(12.5);
  });
});
