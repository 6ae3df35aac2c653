import { describe, expect, it } from "vitest";
import { BUCKET_TTL_MS, decideLease, makeRoom, MAX_PARTITIONS } from "../../../src/policy/limits/lease-book.ts";
import type { Partition } from "../../../src/policy/limits/partition.ts";
import type { LeaseItem, LimitSpec, WaitingGroup } from "../../../src/policy/limits/types.ts";
import { bucket, grantOf, group, item, leaseCall, leaseTo, partition, quota, slots, T0, TOKEN } from "./builders.ts";

/** One partition, by the name that calls use. */
const bookOf = (one: Partition): Map<string, Partition> => new Map([["requests", one]]);

/** What a call with one item says of those who wait. */
function waitingOf(one: Partition, waiting: readonly WaitingGroup[], change: Partial<LeaseItem> = {}) {
  return decideLease(bookOf(one), leaseCall([item(one.spec, change)], { waiting }), T0);
}

describe("a lease", () => {
  it("of a partition never seen comes from a full one", () => {
    const partitions = new Map<string, Partition>();
    const given = grantOf(
      partitions,
      item(bucket(100, 100), { wantMicro: 20 * TOKEN, demandMicroPerSecond: 20 * TOKEN }),
    );
    expect(given).toEqual({
      epoch: 1,
      grantedMicro: 20 * TOKEN,
      leasedMicro: 20 * TOKEN,
      ttlMs: 3_000,
      meltMs: 1_500,
      horizonMs: 1_500,
      askAgainMs: 0,
      direct: false,
      freeMicro: 80 * TOKEN,
      resetMs: 200,
      activeLessees: 1,
    });
    const one = partitions.get("requests");
    expect(one).toMatchObject({ freeMicro: 80 * TOKEN, outstandingMicro: 20 * TOKEN, specVersion: 1 });
    expect(one?.leases.get("edge")).toMatchObject({
      remainingMicro: 20 * TOKEN,
      lineMicro: 20 * TOKEN,
      expiresAtMs: T0 + 3_000,
      meltMs: 1_500,
      demandMicroPerSecond: 20 * TOKEN,
      heardAtMs: T0,
    });
  });

  it("is of whole tokens, and an idle partition gives all that is asked for, up to what is free", () => {
    const asked = (tokens: number) => grantOf(new Map(), item(bucket(100, 100), { wantMicro: tokens * TOKEN }));
    expect(asked(7.9).grantedMicro).toBe(7 * TOKEN);
    expect(asked(60).grantedMicro).toBe(60 * TOKEN);
    expect(asked(500).grantedMicro).toBe(100 * TOKEN);
  });

  it("is no longer than the burst lasts: two horizons, and a second at least", () => {
    const lives = (rate: number, burst: number, demand: number) =>
      grantOf(new Map(), item(bucket(rate, burst), { demandMicroPerSecond: demand * TOKEN }));
    expect(lives(100, 80, 100)).toMatchObject({ horizonMs: 800, ttlMs: 1_600, meltMs: 800 });
    expect(lives(100, 80, 500)).toMatchObject({ horizonMs: 800, ttlMs: 1_600 });
    expect(lives(100, 30, 100)).toMatchObject({ horizonMs: 300, ttlMs: BUCKET_TTL_MS, meltMs: 500 });
    expect(lives(100, 80, 10)).toMatchObject({ horizonMs: 1_500, ttlMs: 3_000 });
  });

  it("is not shorter than the one before, by which its lessee lives until it has this reply", () => {
    const after = (leftMs: number) => {
      const one = partition(bucket(100, 30), { freeMicro: 0 });
      leaseTo(one, "edge", { remainingMicro: 10 * TOKEN, expiresAtMs: T0 + leftMs });
      return grantOf(bookOf(one), item(one.spec, { heldMicro: 10 * TOKEN, demandMicroPerSecond: 100 * TOKEN }));
    };
    expect(after(900)).toMatchObject({ horizonMs: 300, ttlMs: 1_000, meltMs: 500 });
    expect(after(2_000)).toMatchObject({ ttlMs: 2_000, meltMs: 1_000 });
    // An end this far away was written before the clock stepped back.
    expect(after(3_600_000)).toMatchObject({ ttlMs: 30_000 });
  });

  it("of a quota or of slots has a life of its own, and ends at once", () => {
    expect(grantOf(new Map(), item(quota(50), { wantMicro: 10 * TOKEN }))).toMatchObject({
      ttlMs: 30_000,
      meltMs: 0,
      grantedMicro: 10 * TOKEN,
      direct: false,
      resetMs: 86_400_000 - (T0 % 86_400_000),
    });
    expect(grantOf(new Map(), item(slots(50), { wantMicro: 10 * TOKEN }))).toMatchObject({
      ttlMs: 10_000,
      meltMs: 0,
      grantedMicro: 10 * TOKEN,
      freeMicro: 40 * TOKEN,
      resetMs: 0,
    });
  });

  it("is what the lessee will use within the horizon, once a bucket is not half full", () => {
    const asked = (freeTokens: number, change: Partial<LeaseItem>) => {
      const one = partition(bucket(100, 100), { freeMicro: freeTokens * TOKEN });
      leaseTo(one, "edge", { remainingMicro: 20 * TOKEN });
      return grantOf(bookOf(one), item(one.spec, { wantMicro: 40 * TOKEN, heldMicro: 4 * TOKEN, ...change }));
    };
    // 10/s × 1.5 s, less the 4 that are held.
    expect(asked(50, { demandMicroPerSecond: 10 * TOKEN }).grantedMicro).toBe(11 * TOKEN);
    expect(asked(51, { demandMicroPerSecond: 10 * TOKEN }).grantedMicro).toBe(40 * TOKEN);
    expect(asked(50, { demandMicroPerSecond: 10 * TOKEN, wantMicro: 5 * TOKEN }).grantedMicro).toBe(5 * TOKEN);
    // Less than three tokens are not worth it.
    expect(asked(50, { demandMicroPerSecond: 1.999 * TOKEN, heldMicro: 0 }).grantedMicro).toBe(0);
    expect(asked(50, { demandMicroPerSecond: 2 * TOKEN, heldMicro: 0 }).grantedMicro).toBe(3 * TOKEN);
    expect(asked(50, { demandMicroPerSecond: 10 * TOKEN, heldMicro: 18 * TOKEN }).grantedMicro).toBe(0);
  });

  it("of a bucket that its demand drains within a second is what is expected, however full it is", () => {
    const asked = (burst: number) =>
      grantOf(new Map(), item(bucket(100, burst), { wantMicro: 80 * TOKEN, demandMicroPerSecond: 40 * TOKEN }));
    expect(asked(40)).toMatchObject({ horizonMs: 1_000, grantedMicro: 40 * TOKEN });
    expect(asked(39)).toMatchObject({ horizonMs: 975, grantedMicro: 39 * TOKEN });
    expect(asked(20)).toMatchObject({ horizonMs: 500, grantedMicro: 20 * TOKEN });
    const wanting = (burst: number) =>
      grantOf(new Map(), item(bucket(100, burst), { wantMicro: 35 * TOKEN, demandMicroPerSecond: 20 * TOKEN }))
        .grantedMicro;
    // It lasts a second: all that is asked for. It does not: what is used while it lasts.
    expect([wanting(40), wanting(20), wanting(19)]).toEqual([35 * TOKEN, 20 * TOKEN, 19 * TOKEN]);
  });

  it("leaves others what they will need: half of what is free, where another wants as much", () => {
    const one = partition(bucket(1_000, 1_000), { freeMicro: 400 * TOKEN });
    leaseTo(one, "other", { demandMicroPerSecond: 300 * TOKEN });
    const given = grantOf(bookOf(one), item(one.spec, { wantMicro: 350 * TOKEN, demandMicroPerSecond: 300 * TOKEN }));
    expect(given.grantedMicro).toBe(200 * TOKEN);
    expect(given.activeLessees).toBe(2);
  });

  it("is renewed by each call: what was spent leaves it, what is returned is free", () => {
    const one = partition(bucket(100, 100), { freeMicro: 40 * TOKEN });
    leaseTo(one, "edge", { remainingMicro: 50 * TOKEN });
    const given = grantOf(bookOf(one), item(one.spec, { heldMicro: 20 * TOKEN, returnMicro: 10 * TOKEN }));
    expect(given).toMatchObject({ leasedMicro: 20 * TOKEN, freeMicro: 50 * TOKEN });
    expect(one.outstandingMicro).toBe(20 * TOKEN);
  });

  it("is never more by a claim: what is held and returned beyond it does not count", () => {
    const one = partition(bucket(100, 100), { freeMicro: 40 * TOKEN });
    leaseTo(one, "edge", { remainingMicro: 5 * TOKEN });
    const given = grantOf(bookOf(one), item(one.spec, { heldMicro: 4 * TOKEN, returnMicro: 30 * TOKEN }));
    expect(given).toMatchObject({ leasedMicro: 4 * TOKEN, freeMicro: 41 * TOKEN });
    const next = grantOf(bookOf(one), item(one.spec, { heldMicro: 30 * TOKEN, returnMicro: 30 * TOKEN }), { seq: 2 });
    expect(next).toMatchObject({ leasedMicro: 4 * TOKEN, freeMicro: 41 * TOKEN });
  });

  it("returned pays what is owed, before it is free", () => {
    const one = partition(bucket(1, 100), { freeMicro: 0, debtMicro: 5 * TOKEN });
    leaseTo(one, "edge", { remainingMicro: 10 * TOKEN });
    const given = grantOf(bookOf(one), item(one.spec, { heldMicro: 2 * TOKEN, returnMicro: 8 * TOKEN }));
    expect([given.freeMicro, one.debtMicro]).toEqual([3 * TOKEN, 0]);
  });

  it("returned to a limit that has shrunk is free only as far as there is room", () => {
    const one = partition(bucket(1, 100), { freeMicro: 0 });
    leaseTo(one, "other", { remainingMicro: 20 * TOKEN });
    leaseTo(one, "edge", { remainingMicro: 10 * TOKEN });
    const smaller = bucket(1, 25);
    grantOf(bookOf(one), item(smaller, { heldMicro: 10 * TOKEN }), { configVersion: 2 });
    const given = grantOf(bookOf(one), item(smaller, { returnMicro: 10 * TOKEN }), { configVersion: 2 });
    expect([given.freeMicro, one.outstandingMicro]).toEqual([5 * TOKEN, 20 * TOKEN]);
  });

  it("of slots that were written off is taken up again as far as slots are free", () => {
    const one = partition(slots(10), { freeMicro: 3 * TOKEN });
    leaseTo(one, "other", { remainingMicro: 7 * TOKEN });
    const given = grantOf(bookOf(one), item(one.spec, { heldMicro: 5 * TOKEN }));
    expect(given).toMatchObject({ leasedMicro: 3 * TOKEN, freeMicro: 0 });
    expect(one.outstandingMicro).toBe(10 * TOKEN);
    // Given back, they are free for others.
    expect(grantOf(bookOf(one), item(one.spec, { heldMicro: TOKEN, returnMicro: 2 * TOKEN })).freeMicro).toBe(
      2 * TOKEN,
    );
  });

  it("brings the partition to now first", () => {
    const one = partition(bucket(10, 100), { freeMicro: 0 });
    expect(grantOf(bookOf(one), item(one.spec), {}, T0 + 1_000).freeMicro).toBe(10 * TOKEN);
  });

  it("adopts a newer limit", () => {
    const one = partition(bucket(10, 100));
    expect(grantOf(bookOf(one), item(bucket(10, 30)), { configVersion: 2 })).toMatchObject({
      epoch: 2,
      freeMicro: 30 * TOKEN,
    });
  });

  it("settles a late cost and a refund of the same epoch", () => {
    const daily = partition(quota(10), { freeMicro: 2 * TOKEN, epoch: 4 });
    expect(grantOf(bookOf(daily), item(daily.spec, { refundMicro: TOKEN, epoch: 3 })).freeMicro).toBe(2 * TOKEN);
    expect(grantOf(bookOf(daily), item(daily.spec, { refundMicro: TOKEN })).freeMicro).toBe(2 * TOKEN);
    expect(grantOf(bookOf(daily), item(daily.spec, { refundMicro: TOKEN, epoch: 4 })).freeMicro).toBe(3 * TOKEN);
    expect(grantOf(bookOf(daily), item(daily.spec, { debtMicro: 5 * TOKEN })).freeMicro).toBe(0);
    expect(daily.debtMicro).toBe(2 * TOKEN);
  });
});

describe("asking for each request", () => {
  const crowded = (spec: LimitSpec, others: number): Partition => {
    const one = partition(spec);
    for (let index = 0; index < others; index++) leaseTo(one, `other-${index}`);
    return one;
  };

  it.each<[string, LimitSpec, boolean]>([
    ["a bucket of three tokens a second for each", bucket(9, 50), false],
    ["a bucket of less", bucket(8, 50), true],
    ["three slots for each", slots(9), false],
    ["fewer slots", slots(8), true],
    ["any quota", quota(8), false],
  ])("with three lessees: %s", (_name, spec, direct) => {
    const given = grantOf(bookOf(crowded(spec, 2)), item(spec, { wantMicro: 4 * TOKEN }));
    expect(given.direct).toBe(direct);
    expect(given.grantedMicro > 0).toBe(!direct);
    expect(given.activeLessees).toBe(3);
  });
});

describe("requests that wait", () => {
  it("are admitted as far as it goes, debited as spent, and the others told when to come back", () => {
    const one = partition(bucket(10, 5));
    const { waiting, grants, decidedAtMs } = waitingOf(one, [group(7)]);
    expect(waiting).toEqual([{ admitted: 5, shadowRefused: [], violated: [0], retryAfterMs: 100 }]);
    expect(grants[0]).toMatchObject({ freeMicro: 0, leasedMicro: 0 });
    expect([one.outstandingMicro, decidedAtMs]).toEqual([0, T0]);
  });

  it("cost what they cost", () => {
    const one = partition(bucket(10, 10));
    expect(waitingOf(one, [group(3, { costMicro: 4 * TOKEN })]).waiting[0]).toMatchObject({
      admitted: 2,
      retryAfterMs: 200,
    });
    expect(one.freeMicro).toBe(2 * TOKEN);
  });

  it("come before what is leased ahead, of which nothing is left for a partition that was short", () => {
    const one = partition(bucket(10, 5));
    const { grants } = waitingOf(one, [group(5)], { wantMicro: 4 * TOKEN });
    expect(grants[0]).toMatchObject({ grantedMicro: 0, askAgainMs: 0 });
    const dear = partition(bucket(100, 50));
    const short = waitingOf(dear, [group(1, { costMicro: 51 * TOKEN })], { wantMicro: 4 * TOKEN });
    expect(short.grants[0]).toMatchObject({ grantedMicro: 0, leasedMicro: 0 });
    expect(short.grants[0]?.askAgainMs).toBeGreaterThan(0);
  });

  it("of one group do not take from what another was refused", () => {
    const one = partition(bucket(10, 5));
    expect(waitingOf(one, [group(1, { costMicro: 6 * TOKEN }), group(5)]).waiting).toMatchObject([
      { admitted: 0, violated: [0] },
      { admitted: 5, violated: [] },
    ]);
  });

  it("name each limit that is as short as the shortest, and wait for the slowest", () => {
    const specs = { tenant: bucket(10, 2), route: bucket(5, 2), wide: bucket(100, 100), daily: quota(2) };
    const items = Object.entries(specs).map(([name, spec]) => item(spec, { partition: name }));
    const call = leaseCall(items, {
      waiting: [group(3, { enforced: [0, 1, 2] }), group(1, { enforced: [2, 3], costMicro: 3 * TOKEN })],
    });
    const { waiting } = decideLease(new Map(), call, T0);
    expect(waiting[0]).toEqual({ admitted: 2, shadowRefused: [], violated: [0, 1], retryAfterMs: 200 });
    expect(waiting[1]).toEqual({
      admitted: 0,
      shadowRefused: [],
      violated: [3],
      retryAfterMs: 86_400_000 - (T0 % 86_400_000),
    });
  });

  it("come back after what is owed is paid, and 50 ms at least", () => {
    const owing = partition(bucket(10, 10), { freeMicro: 0, debtMicro: 2 * TOKEN });
    expect(waitingOf(owing, [group(1)]).waiting[0]?.retryAfterMs).toBe(300);
    const quick = partition(bucket(1_000, 10), { freeMicro: 0 });
    expect(waitingOf(quick, [group(1)]).waiting[0]?.retryAfterMs).toBe(50);
    const odd = partition(bucket(7, 10), { freeMicro: 0 });
    expect(waitingOf(odd, [group(1)]).waiting[0]?.retryAfterMs).toBe(143);
    expect(waitingOf(partition(bucket(1, 1)), [group(1)]).waiting[0]).toMatchObject({ admitted: 1, retryAfterMs: 50 });
  });

  it("for slots take one each, whatever they cost, leased until they come back", () => {
    const one = partition(slots(4));
    const { waiting, grants } = waitingOf(one, [group(6, { costMicro: 9 * TOKEN })]);
    expect(waiting[0]).toEqual({ admitted: 4, shadowRefused: [], violated: [0], retryAfterMs: 1_000 });
    expect(grants[0]).toMatchObject({ leasedMicro: 4 * TOKEN, freeMicro: 0, askAgainMs: 50 });
    expect(one.outstandingMicro).toBe(4 * TOKEN);
    expect(one.leases.get("edge")).toMatchObject({ remainingMicro: 4 * TOKEN, lineMicro: 4 * TOKEN });
  });

  it("are charged in shadow too, as far as that goes", () => {
    const specs = [bucket(10, 100), bucket(10, 3), slots(2)];
    const items = specs.map((spec, index) => item(spec, { partition: `limit-${index}` }));
    const partitions = new Map<string, Partition>();
    const call = leaseCall(items, { waiting: [group(5, { enforced: [0], shadow: [1, 2] })] });
    const { waiting, grants } = decideLease(partitions, call, T0);
    expect(waiting[0]).toEqual({ admitted: 5, shadowRefused: [2, 3], violated: [], retryAfterMs: 50 });
    expect(grants.map(({ freeMicro, askAgainMs }) => [freeMicro, askAgainMs > 0])).toEqual([
      [95 * TOKEN, false],
      [0, true],
      [0, true],
    ]);
    expect(partitions.get("limit-2")?.outstandingMicro).toBe(2 * TOKEN);
    const enough = leaseCall(items, { seq: 2, waiting: [group(2, { enforced: [], shadow: [0] })] });
    expect(decideLease(partitions, enough, T0).waiting[0]?.shadowRefused).toEqual([0]);
    expect(partitions.get("limit-0")?.freeMicro).toBe(93 * TOKEN);
  });

  it("for a limit that the call does not name are charged with nothing", () => {
    expect(waitingOf(partition(bucket(1, 1)), [group(3, { enforced: [7] })]).waiting[0]).toMatchObject({ admitted: 3 });
  });
});

describe("when more is wanted than comes in", () => {
  /** 200/s wanted of 100/s, by two lessees that want alike. */
  const overloaded = (freeTokens: number, credit = 0): Partition => {
    const one = partition(bucket(100, 100), { freeMicro: freeTokens * TOKEN });
    leaseTo(one, "edge", { creditMicro: credit * TOKEN });
    leaseTo(one, "other", { demandMicroPerSecond: 100 * TOKEN });
    return one;
  };
  const asking = { demandMicroPerSecond: 100 * TOKEN };

  it("those who wait get an equal part of what is free", () => {
    const one = overloaded(40);
    expect(waitingOf(one, [group(30)], asking).waiting[0]).toMatchObject({ admitted: 20, violated: [0] });
    expect(one.leases.get("edge")?.creditMicro).toBe(-20 * TOKEN);
  });

  it("and what they have not used of their share lately", () => {
    expect(waitingOf(overloaded(40, 5), [group(30)], asking).waiting[0]?.admitted).toBe(25);
    expect(waitingOf(overloaded(40, 50), [group(60)], asking).waiting[0]?.admitted).toBe(40);
  });

  it("the least of what is asked for is still what is asked for, and what an overloaded bucket leases is what is expected", () => {
    expect(waitingOf(overloaded(40), [group(1)], asking).waiting[0]?.admitted).toBe(1);
    expect(waitingOf(overloaded(40, 100), [group(1)], asking).waiting[0]?.admitted).toBe(1);
    const one = partition(bucket(100, 200), { freeMicro: 190 * TOKEN });
    leaseTo(one, "edge", { creditMicro: 150 * TOKEN });
    leaseTo(one, "other", { demandMicroPerSecond: 400 * TOKEN });
    const given = grantOf(bookOf(one), item(one.spec, { demandMicroPerSecond: 10 * TOKEN, wantMicro: 90 * TOKEN }));
    expect(given).toMatchObject({ horizonMs: 1_500, grantedMicro: 15 * TOKEN });
  });

  it("one at least is admitted, if there is one", () => {
    expect(waitingOf(overloaded(1.5), [group(3)], asking).waiting[0]?.admitted).toBe(1);
    expect(waitingOf(overloaded(2), [group(3, { costMicro: 2 * TOKEN })], asking).waiting[0]?.admitted).toBe(1);
    expect(waitingOf(overloaded(3), [group(3, { costMicro: 1.5 * TOKEN })], asking).waiting[0]?.admitted).toBe(1);
    expect(waitingOf(overloaded(0.9), [group(3)], asking).waiting[0]?.admitted).toBe(0);
  });

  it("nobody leases more than an equal part and its credit, and who got less comes back later", () => {
    const given = grantOf(bookOf(overloaded(40, 5)), item(bucket(100, 100), { ...asking, wantMicro: 100 * TOKEN }));
    // 16 requests of its own at 100/s.
    expect(given).toMatchObject({ grantedMicro: 25 * TOKEN, askAgainMs: 160 });
    const enough = grantOf(bookOf(overloaded(40, 5)), item(bucket(100, 100), { ...asking, wantMicro: 10 * TOKEN }));
    expect(enough).toMatchObject({ grantedMicro: 10 * TOKEN, askAgainMs: 0 });
  });

  it("what is leased counts against the credit", () => {
    const one = overloaded(40, 5);
    grantOf(bookOf(one), item(one.spec, { ...asking, wantMicro: 100 * TOKEN }));
    expect(one.leases.get("edge")?.creditMicro).toBe(-20 * TOKEN);
  });
});

describe("the pace of those who got too little", () => {
  /** Nothing is free, one request waits. */
  const paceOf = (spec: LimitSpec, demand: number, others: readonly number[] = []): number => {
    const one = partition(spec, { freeMicro: 0 });
    for (const [index, wanted] of others.entries()) {
      leaseTo(one, `other-${index}`, { demandMicroPerSecond: wanted * TOKEN });
    }
    const { grants } = waitingOf(one, [group(1)], { demandMicroPerSecond: demand * TOKEN });
    return grants[0]?.askAgainMs ?? -1;
  };

  it.each<[string, LimitSpec, number, readonly number[], number]>([
    ["sixteen requests of its own", bucket(100, 1_000), 50, [], 320],
    ["100 ms at least", bucket(1_000, 1_000), 900, [], 100],
    ["a second at most", bucket(100, 1_000), 1, [], 1_000],
    ["a fifth of the time to full", bucket(100, 100), 50, [], 200],
    ["and no sooner than 100 ms, unless the bucket fills sooner", bucket(100, 30), 50, [], 60],
    ["more where more is wanted: at twice the rate two fifths", bucket(100, 100), 20, [180], 400],
    ["and half at most", bucket(100, 100), 20, [800], 500],
    ["of a low rate: a token's time", bucket(2, 20), 1, [], 500],
    ["of a low rate no sooner than 100 ms", bucket(20, 200), 160, Array.from({ length: 9 }, () => 1), 100],
    ["a quota's", quota(10), 50, [], 10_000],
  ])("is %s", (_name, spec, demand, others, expected) => {
    expect(paceOf(spec, demand, others)).toBe(expected);
  });

  it("is a whole number of milliseconds, and finite for one that wants nothing", () => {
    expect(paceOf(bucket(7, 7), 0)).toBe(200);
    expect(paceOf(bucket(100, 1_000), 30)).toBe(534);
  });
});

describe("when a bucket is full again", () => {
  it("is said to the millisecond above, with what is owed", () => {
    const resetOf = (change: Partial<Partition>) =>
      grantOf(bookOf(partition(bucket(10, 10), change)), item(bucket(10, 10))).resetMs;
    expect(resetOf({})).toBe(0);
    expect(resetOf({ freeMicro: 9_999_999 })).toBe(1);
    expect(resetOf({ freeMicro: 0, debtMicro: 5 * TOKEN })).toBe(1_500);
  });

  it("a quota's period that should be over is over now", () => {
    const daily = partition(quota(10), { periodEndsAtMs: T0 - 5, refilledAtMs: T0 });
    expect(grantOf(bookOf(daily), item(daily.spec)).resetMs).toBe(0);
  });
});

describe("room for new partitions", () => {
  const crowd = (spec: LimitSpec, change: Partial<Partition> = {}, count = MAX_PARTITIONS): Map<string, Partition> =>
    new Map(Array.from({ length: count }, (_, index) => [`p${index}`, partition(spec, change)]));
  const asking = (...names: readonly string[]) =>
    leaseCall(names.map((name) => item(bucket(1, 1), { partition: name })));

  it("is not made before it is needed", () => {
    const partitions = crowd(bucket(1, 1), {}, MAX_PARTITIONS - 1);
    expect(makeRoom(partitions, asking("new"), T0)).toEqual([]);
    expect(makeRoom(partitions, asking("p1", "p2"), T0)).toEqual([]);
  });

  it("is made by as many full ones as needed, never by those that the call names", () => {
    const partitions = crowd(bucket(1, 1));
    expect(makeRoom(partitions, asking("p0", "new", "newer"), T0)).toEqual(["p1", "p2"]);
    expect([partitions.size, partitions.has("p0"), partitions.has("p1")]).toEqual([MAX_PARTITIONS - 2, true, false]);
  });

  it("is made by those that are full by now", () => {
    expect(makeRoom(crowd(bucket(1, 1), { freeMicro: 0 }), asking("new"), T0 + 999)).toBeUndefined();
    expect(makeRoom(crowd(bucket(1, 1), { freeMicro: 0 }), asking("new"), T0 + 1_000)).toEqual(["p0"]);
  });

  it("is not there where too few are full", () => {
    const partitions = crowd(bucket(1, 5), { freeMicro: 0 });
    partitions.set("p7", partition(bucket(1, 5)));
    expect(makeRoom(partitions, asking("new", "newer"), T0)).toBeUndefined();
  });
});
