import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideLease } from "../../../src/policy/limits/lease-book.ts";
import {
  adoptSpec,
  advance,
  capacityMicro,
  newLease,
  newPartition,
  type Partition,
} from "../../../src/policy/limits/partition.ts";
import { fairShare } from "../../../src/policy/limits/fair-share.ts";
import { periodEndMs } from "../../../src/policy/limits/calendar.ts";
import { type LeaseCall, type LimitSpec, MICRO_TOKENS_PER_TOKEN } from "../../../src/policy/limits/types.ts";
import { bucket } from "../../../sim/limits/world.ts";

const TOKEN = MICRO_TOKENS_PER_TOKEN;
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

describe("a changed limit", () => {
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
    adoptSpec(partition, bucket(1, 1), 4, 61_000);
    expect(capacityMicro(partition.spec)).toBe(TOKEN);
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

describe("fair shares", () => {
  it("are max-min fair: none can get more without one that has less getting less", () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(1_000), fc.array(fc.nat(1_000), { maxLength: 20 }), (supply, mine, others) => {
        const share = fairShare(supply, mine, others);
        expect(share).toBeLessThanOrEqual(Math.min(mine, supply) + 1e-9);
        // Never less than an equal part, unless that is all it wants.
        expect(share).toBeGreaterThanOrEqual(Math.min(mine, supply / (others.length + 1)) - 1e-9);
        const total = others.reduce((sum, wanted) => sum + Math.min(wanted, share), 0) + share;
        if (share < mine) expect(total).toBeGreaterThanOrEqual(Math.min(supply, total) - 1e-6);
      }),
    );
  });
  it("of a supply that covers all wishes are the wishes", () => {
    expect(fairShare(100, 10, [20, 30])).toBe(10);
    expect(fairShare(30, 100, [5, 100])).toBe(12.5);
  });
});

describe("calendar periods", () => {
  const at = (text: string): number => Date.parse(text);
  it.each([
    ["day", "UTC", "2026-11-23T13:00:00Z", "2026-11-24T00:00:00Z"],
    ["day", "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T22:00:00Z"],
    ["day", "Europe/Berlin", "2026-10-25T10:00:00Z", "2026-10-25T23:00:00Z"],
    ["month", "UTC", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"],
    ["month", "America/New_York", "2026-11-01T03:00:00Z", "2026-11-01T04:00:00Z"],
    ["hour", "Asia/Kolkata", "2026-11-23T13:10:00Z", "2026-11-23T13:30:00Z"],
    ["minute", "UTC", "2026-11-23T13:10:59.999Z", "2026-11-23T13:11:00Z"],
  ] as const)("a %s in %s that holds %s ends at %s", (period, zone, now, end) => {
    expect(new Date(periodEndMs(at(now), period, zone)).toISOString()).toBe(new Date(at(end)).toISOString());
  });

  it("end after now, always", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: at("2020-01-01T00:00:00Z"), max: at("2035-01-01T00:00:00Z") }),
        fc.constantFrom("minute", "hour", "day", "month"),
        fc.constantFrom("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Auckland", "Asia/Kathmandu"),
        (nowMs, period, zone) => {
          const endMs = periodEndMs(nowMs, period, zone);
          expect(endMs).toBeGreaterThan(nowMs);
          expect(endMs - nowMs).toBeLessThanOrEqual(32 * 86_400_000);
        },
      ),
    );
  });
});
