import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideLease } from "../../../src/policy/limits/lease-book.ts";
import {
  adoptSpec,
  advance,
  capacityMicro,
  chargeDebt,
  countFreeSlots,
  isUntouched,
  LEASE_GRACE_MS,
  mostLeft,
  newLease,
  newPartition,
  type Partition,
  refillPerSecond,
  refundQuota,
  sameSpec,
} from "../../../src/policy/limits/partition.ts";
import type { LeaseCall, LimitSpec } from "../../../src/policy/limits/types.ts";
import { bucket, leaseTo, partition as fullPartition, quota, runs, SEED, slots, T0, TOKEN } from "./builders.ts";

const emptied = (spec: LimitSpec, atMs = 0): Partition => ({ ...newPartition(spec, 1, atMs), freeMicro: 0 });

describe("refill", () => {
  it("is exact, however often it is looked at: nothing is lost to rounding", () => {
    // 7 tokens an hour: 7e6 / 3.6e6 micro-tokens a millisecond, no whole number.
    const spec: LimitSpec = { kind: "bucket", refillNumerator: 35, refillDenominator: 18, burstMicro: 100 * TOKEN };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 200 }), (steps) => {
        const often = emptied(spec);
        const once = emptied(spec);
        let nowMs = 0;
        for (const step of steps) advance(often, (nowMs += step));
        advance(once, nowMs);
        expect(often.freeMicro).toBe(once.freeMicro);
        expect(often.freeMicro).toBe(Math.min(100 * TOKEN, Math.floor((nowMs * 35) / 18)));
      }),
      { seed: SEED, numRuns: runs(100) },
    );
  });

  it("never goes beyond the burst, and time that steps back refills nothing", () => {
    const partition = emptied(bucket(10, 5), 1_000_000);
    advance(partition, 1_000_000 + 86_400_000);
    expect(partition.freeMicro).toBe(5 * TOKEN);
    partition.freeMicro = 0;
    advance(partition, 500_000);
    expect(partition.freeMicro).toBe(0);
    // The clock stays back: the bucket fills again from there instead of waiting for a day.
    advance(partition, 500_100);
    expect(partition.freeMicro).toBe(TOKEN);
  });

  it("writes an expired lease off: it leaves what is outstanding and never becomes free", () => {
    const partition = emptied(bucket(10, 100));
    partition.leases.set("a", {
      ...newLease(0),
      remainingMicro: 60 * TOKEN,
      lineMicro: 60 * TOKEN,
      expiresAtMs: 2_000,
    });
    partition.outstandingMicro = 60 * TOKEN;
    partition.freeMicro = 40 * TOKEN;
    advance(partition, 2_249);
    expect([partition.freeMicro, partition.outstandingMicro]).toEqual([40 * TOKEN, 60 * TOKEN]);
    advance(partition, 2_250);
    expect(partition.outstandingMicro).toBe(0);
    expect(partition.freeMicro).toBeLessThan(41 * TOKEN);
  });
});

describe("an instant of a partition", () => {
  it("full has no rest of a refill, so nothing comes in early afterwards", () => {
    const spec: LimitSpec = { kind: "bucket", refillNumerator: 2, refillDenominator: 3, burstMicro: 10 };
    const partition = fullPartition(spec, { freeMicro: 0 });
    advance(partition, T0 + 1);
    expect([partition.freeMicro, partition.carry]).toEqual([0, 2]);
    advance(partition, T0 + 2);
    expect([partition.freeMicro, partition.carry]).toEqual([1, 1]);
    // 9 more micro-tokens are there after 13 ms: (9 × 3 − 1) / 2.
    advance(partition, T0 + 14);
    expect([partition.freeMicro, partition.carry]).toEqual([9, 1]);
    advance(partition, T0 + 16);
    expect([partition.freeMicro, partition.carry]).toEqual([10, 0]);
    advance(partition, T0 + 1_000);
    partition.freeMicro = 0;
    advance(partition, T0 + 1_001);
    expect([partition.freeMicro, partition.carry]).toEqual([0, 2]);
  });

  it("is the same twice, and a small step back changes nothing", () => {
    const partition = fullPartition(bucket(10, 100), { freeMicro: 0 });
    advance(partition, T0);
    advance(partition, T0 - 1_000);
    expect([partition.freeMicro, partition.refilledAtMs]).toEqual([0, T0]);
    advance(partition, T0 - 1_001);
    expect(partition.refilledAtMs).toBe(T0 - 1_001);
  });

  it("begins a quota anew when its period is over, without what is leased, and in a new epoch", () => {
    const day = 86_400_000;
    const start = Math.ceil(T0 / day) * day;
    const partition = newPartition(quota(100), 1, start);
    expect(partition.periodEndsAtMs).toBe(start + day);
    partition.freeMicro = 10 * TOKEN;
    partition.writtenOffMicro = 5;
    leaseTo(partition, "edge", { remainingMicro: 30 * TOKEN, expiresAtMs: start + 2 * day });
    advance(partition, start + day - 1);
    expect([partition.freeMicro, partition.epoch, partition.writtenOffMicro]).toEqual([10 * TOKEN, 1, 5]);
    advance(partition, start + day);
    expect([partition.freeMicro, partition.epoch, partition.writtenOffMicro]).toEqual([70 * TOKEN, 2, 0]);
    expect(partition.periodEndsAtMs).toBe(start + 2 * day);
  });

  it("pays what a quota owes out of the next period", () => {
    const partition = fullPartition(quota(100), { freeMicro: 0, debtMicro: 30 * TOKEN, periodEndsAtMs: T0 });
    advance(partition, T0 + 1);
    expect([partition.freeMicro, partition.debtMicro]).toEqual([100 * TOKEN, 0]);
  });

  it("counts what a quota lost with leases that ran out; a bucket's comes in again", () => {
    for (const [spec, writtenOff] of [
      [quota(100), 30 * TOKEN],
      [bucket(1, 100), 0],
    ] as const) {
      const partition = fullPartition(spec, { freeMicro: 0, refilledAtMs: T0 + 20_000 });
      leaseTo(partition, "edge", { remainingMicro: 30 * TOKEN, expiresAtMs: T0 + 1_000 });
      advance(partition, T0 + 1_000 + LEASE_GRACE_MS);
      expect([partition.freeMicro, partition.outstandingMicro]).toEqual([0, 0]);
      expect(partition.writtenOffMicro).toBe(writtenOff);
    }
  });

  it("has slots free again that were leased to one who is gone", () => {
    const partition = fullPartition(slots(10), { freeMicro: 4 * TOKEN });
    leaseTo(partition, "edge", { remainingMicro: 6 * TOKEN, expiresAtMs: T0 + 1_000 });
    advance(partition, T0 + 1_249);
    expect(partition.freeMicro).toBe(4 * TOKEN);
    advance(partition, T0 + 1_250);
    expect(partition.freeMicro).toBe(10 * TOKEN);
  });

  it("lets a lease melt, evenly, a grace later than its lessee does", () => {
    const partition = fullPartition(bucket(1, 100), { freeMicro: 0, refilledAtMs: T0 + 100_000 });
    leaseTo(partition, "edge", { remainingMicro: 10 * TOKEN, expiresAtMs: T0 + 1_000, meltMs: 500 });
    advance(partition, T0 + 750);
    expect(partition.outstandingMicro).toBe(10 * TOKEN);
    advance(partition, T0 + 1_000);
    expect(partition.outstandingMicro).toBe(5 * TOKEN);
  });

  it("remembers a lessee that holds nothing for three seconds, one that holds something as long as it does", () => {
    const partition = fullPartition(bucket(1, 100), { freeMicro: 0 });
    leaseTo(partition, "dry");
    leaseTo(partition, "holder", { remainingMicro: TOKEN, expiresAtMs: T0 + 60_000 });
    advance(partition, T0 + 3_000);
    expect([...partition.leases.keys()]).toEqual(["dry", "holder"]);
    advance(partition, T0 + 3_001);
    expect([...partition.leases.keys()]).toEqual(["holder"]);
  });
});

describe("what may be left of a lease", () => {
  it("is all before it melts, then an even part, and nothing at its end", () => {
    expect([501, 500, 250, 1, 0, -1].map((leftMs) => mostLeft(1_001, 500, leftMs))).toEqual([
      1_001, 1_001, 500, 2, 0, 0,
    ]);
    expect([1, 0].map((leftMs) => mostLeft(1_001, 0, leftMs))).toEqual([1_001, 0]);
  });
});

describe("a cost known after the response", () => {
  it("is paid by free tokens, then owed, up to the capacity; refill pays it first", () => {
    const partition = fullPartition(bucket(10, 20), { freeMicro: 5 * TOKEN });
    chargeDebt(partition, 3 * TOKEN);
    expect([partition.freeMicro, partition.debtMicro]).toEqual([2 * TOKEN, 0]);
    chargeDebt(partition, 7 * TOKEN);
    expect([partition.freeMicro, partition.debtMicro]).toEqual([0, 5 * TOKEN]);
    chargeDebt(partition, 100 * TOKEN);
    expect(partition.debtMicro).toBe(20 * TOKEN);
    advance(partition, T0 + 1_000);
    expect([partition.freeMicro, partition.debtMicro]).toEqual([0, 10 * TOKEN]);
    advance(partition, T0 + 2_500);
    expect([partition.freeMicro, partition.debtMicro]).toEqual([5 * TOKEN, 0]);
    advance(partition, T0 + 60_000);
    expect([partition.freeMicro, partition.debtMicro]).toEqual([20 * TOKEN, 0]);
  });

  it("is paid in full by one long pause", () => {
    const partition = fullPartition(bucket(10, 20), { freeMicro: 0, debtMicro: 20 * TOKEN });
    advance(partition, T0 + 3_999);
    expect([partition.freeMicro, partition.debtMicro]).toEqual([19_990_000, 0]);
  });
});

describe("a refund", () => {
  it("is of quotas, in the period it was spent in, and never beyond the quota", () => {
    const daily = fullPartition(quota(10), { freeMicro: 4 * TOKEN, epoch: 3 });
    leaseTo(daily, "edge", { remainingMicro: 3 * TOKEN });
    refundQuota(daily, 2 * TOKEN, 2);
    refundQuota(daily, 2 * TOKEN, 4);
    expect(daily.freeMicro).toBe(4 * TOKEN);
    refundQuota(daily, 2 * TOKEN, 3);
    expect(daily.freeMicro).toBe(6 * TOKEN);
    refundQuota(daily, 2 * TOKEN, 3);
    expect(daily.freeMicro).toBe(7 * TOKEN);
    const bucketed = fullPartition(bucket(1, 10), { freeMicro: 0 });
    refundQuota(bucketed, TOKEN, 1);
    expect(bucketed.freeMicro).toBe(0);
  });

  it("pays what is owed first", () => {
    const daily = fullPartition(quota(10), { freeMicro: 0, debtMicro: 3 * TOKEN });
    refundQuota(daily, 5 * TOKEN, 1);
    expect([daily.freeMicro, daily.debtMicro]).toEqual([2 * TOKEN, 0]);
  });
});

describe("the kinds of limits", () => {
  it("have a capacity, and buckets a rate", () => {
    expect([bucket(3, 7), quota(8), slots(9)].map(capacityMicro)).toEqual([7 * TOKEN, 8 * TOKEN, 9 * TOKEN]);
    expect([bucket(3, 7), quota(8), slots(9)].map(refillPerSecond)).toEqual([3 * TOKEN, 0, 0]);
    expect(refillPerSecond({ kind: "bucket", refillNumerator: 1, refillDenominator: 4, burstMicro: 1 })).toBe(250);
    expect([bucket(3, 7), slots(9)].map((spec) => newPartition(spec, 1, T0).periodEndsAtMs)).toEqual([0, 0]);
  });

  it("are the same when every part is", () => {
    const base: LimitSpec = { kind: "bucket", refillNumerator: 2, refillDenominator: 3, burstMicro: 4 };
    const daily = { ...quota(1), kind: "quota", period: "day", quotaMicro: TOKEN, timeZone: "UTC" } as const;
    const others: readonly (readonly [LimitSpec, LimitSpec])[] = [
      [base, { ...base, refillNumerator: 9 }],
      [base, { ...base, refillDenominator: 9 }],
      [base, { ...base, burstMicro: 9 }],
      [daily, { ...daily, quotaMicro: 9 }],
      [daily, { ...daily, period: "hour" }],
      [daily, { ...daily, timeZone: "Asia/Kolkata" }],
      [slots(1), slots(2)],
      [slots(1), daily],
      [daily, slots(1)],
      [base, daily],
      [daily, base],
      [base, slots(1)],
      [slots(4), bucket(4, 4)],
    ];
    for (const [a, b] of others)
      expect([sameSpec(a, a), sameSpec({ ...b }, b), sameSpec(a, b)]).toEqual([true, true, false]);
  });

  it("of slots have free what is not leased, never less than none; others keep what they have", () => {
    const few = fullPartition(slots(2), { outstandingMicro: 5 * TOKEN });
    countFreeSlots(few);
    expect(few.freeMicro).toBe(0);
    few.outstandingMicro = TOKEN;
    countFreeSlots(few);
    expect(few.freeMicro).toBe(TOKEN);
    const bucketed = fullPartition(bucket(1, 5), { freeMicro: TOKEN });
    countFreeSlots(bucketed);
    expect(bucketed.freeMicro).toBe(TOKEN);
  });

  it("are untouched when full, with nothing leased and nothing owed", () => {
    expect(isUntouched(fullPartition(bucket(1, 5)))).toBe(true);
    expect(isUntouched(fullPartition(bucket(1, 5), { freeMicro: 5 * TOKEN - 1 }))).toBe(false);
    expect(isUntouched(fullPartition(bucket(1, 5), { debtMicro: 1 }))).toBe(false);
    expect(isUntouched(fullPartition(bucket(1, 5), { outstandingMicro: 1 }))).toBe(false);
  });
});

describe("a changed limit", () => {
  it("keeps room for what is leased, and forgets the rest of the refill", () => {
    const partition = fullPartition(bucket(10, 100), { freeMicro: 50 * TOKEN, carry: 3, debtMicro: 0 });
    leaseTo(partition, "edge", { remainingMicro: 15 * TOKEN });
    adoptSpec(partition, bucket(10, 20), 2, T0 + 7);
    expect(partition).toMatchObject({ freeMicro: 5 * TOKEN, carry: 0, refilledAtMs: T0 + 7, specVersion: 2 });
    adoptSpec(partition, bucket(10, 10), 3, T0 + 7);
    expect(partition.freeMicro).toBe(0);
  });

  it("owes no more than it has room for", () => {
    const partition = fullPartition(bucket(10, 100), { freeMicro: 0, debtMicro: 50 * TOKEN });
    adoptSpec(partition, bucket(10, 20), 2, T0);
    expect(partition.debtMicro).toBe(20 * TOKEN);
  });

  it("that is the same after all keeps its epoch and its refill, and its version is heard", () => {
    const partition = fullPartition(bucket(10, 100), { carry: 3 });
    adoptSpec(partition, bucket(10, 100), 2, T0 + 5);
    expect(partition).toMatchObject({ epoch: 1, carry: 3, refilledAtMs: T0, specVersion: 2, specSeenAtMs: T0 + 5 });
  });

  it("of a quota has a period of its own; of slots, those that are not leased", () => {
    const partition = fullPartition(bucket(10, 100), { freeMicro: 7 * TOKEN });
    adoptSpec(partition, quota(20, "minute"), 2, T0);
    expect(partition).toMatchObject({ freeMicro: 7 * TOKEN, periodEndsAtMs: Math.ceil((T0 + 1) / 60_000) * 60_000 });
    adoptSpec(partition, bucket(10, 20), 3, T0);
    expect(partition).toMatchObject({ freeMicro: 7 * TOKEN, periodEndsAtMs: 0 });
    leaseTo(partition, "edge", { remainingMicro: 2 * TOKEN });
    adoptSpec(partition, slots(5), 4, T0);
    expect(partition.freeMicro).toBe(3 * TOKEN);
    adoptSpec(partition, slots(9), 5, T0);
    expect(partition.freeMicro).toBe(7 * TOKEN);
  });

  it("that was slots for a while is not full again after it", () => {
    const partition = fullPartition(bucket(10, 100), { freeMicro: 0 });
    adoptSpec(partition, slots(100), 2, T0);
    adoptSpec(partition, bucket(10, 100), 3, T0);
    expect(partition.freeMicro).toBe(0);
  });

  it("shrinks what is free, and never fills it up", () => {
    const partition = newPartition(bucket(10, 100), 1, 0);
    adoptSpec(partition, bucket(10, 20), 2, 0);
    expect([partition.freeMicro, partition.epoch]).toEqual([20 * TOKEN, 2]);
    adoptSpec(partition, bucket(10, 500), 3, 0);
    expect([partition.freeMicro, partition.epoch]).toEqual([20 * TOKEN, 3]);
  });

  it("of an older config version is ignored while the newer is still heard", () => {
    const partition = newPartition(bucket(10, 100), 5, 0);
    adoptSpec(partition, bucket(1, 1), 4, 1_000);
    expect(capacityMicro(partition.spec)).toBe(100 * TOKEN);
    adoptSpec(partition, bucket(1, 1), 4, 60_000);
    expect(capacityMicro(partition.spec)).toBe(100 * TOKEN);
    adoptSpec(partition, bucket(1, 1), 4, 60_001);
    expect(capacityMicro(partition.spec)).toBe(TOKEN);
    // The same version is taken whenever it comes.
    adoptSpec(partition, bucket(1, 2), 4, 60_001);
    expect(capacityMicro(partition.spec)).toBe(2 * TOKEN);
  });
});

describe("a call for several limits", () => {
  const call = (seq: number, count: number, extra: Partial<LeaseCall> = {}): LeaseCall => ({
    lesseeId: "edge",
    seq,
    configVersion: 1,
    items: ["tenant", "route"].map((partition) => ({
      partition,
      spec: bucket(partition === "tenant" ? 100 : 1, partition === "tenant" ? 100 : 3),
      heldMicro: 0,
      returnMicro: 0,
      demandMicroPerSecond: 0,
      wantMicro: 0,
    })),
    waiting: [{ count, costMicro: TOKEN, enforced: [0, 1], shadow: [] }],
    ...extra,
  });

  it("admits all or nothing over all of them: a refused request debits nothing at any level", () => {
    const partitions = new Map<string, Partition>();
    const decision = decideLease(partitions, call(1, 10), 0);
    expect(decision.waiting[0]).toMatchObject({ admitted: 3, violated: [1] });
    expect(partitions.get("tenant")?.freeMicro).toBe(97 * TOKEN);
    expect(partitions.get("route")?.freeMicro).toBe(0);
    expect(decideLease(partitions, call(2, 5), 0).waiting[0]?.admitted).toBe(0);
    expect(partitions.get("tenant")?.freeMicro).toBe(97 * TOKEN);
  });

  it("lets a shadow limit refuse nothing, and counts what it would have", () => {
    const partitions = new Map<string, Partition>();
    const waiting = [{ count: 10, costMicro: TOKEN, enforced: [0], shadow: [1] }];
    expect(decideLease(partitions, call(1, 10, { waiting }), 0).waiting[0]).toMatchObject({
      admitted: 10,
      shadowRefused: [7],
    });
  });

  it("voids what a lessee claims to hold beyond what it was leased", () => {
    const partitions = new Map<string, Partition>();
    const items = call(1, 1).items.map((item) => ({ ...item, heldMicro: 5 * TOKEN }));
    const decision = decideLease(partitions, call(1, 1, { items }), 0);
    expect(decision.grants.map((grant) => grant.leasedMicro)).toEqual([0, 0]);
    expect(partitions.get("tenant")?.outstandingMicro).toBe(0);
  });
});
