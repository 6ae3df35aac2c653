import { describe, expect, it } from "vitest";
import {
  composeItem,
  newHolding,
  noteDemand,
  receive,
  refund,
  settleCost,
  spend,
  stock,
  wantsPrefetch,
} from "../../../src/policy/limits/lessee.ts";
import { bucket, decision, grant, holding, quota, slots, stocked, T0, TOKEN } from "./builders.ts";

const FAST = bucket(100, 100);

describe("a new holding", () => {
  it("has nothing to spend, asks at once, and says what it is for", () => {
    const fresh = newHolding("requests", FAST, T0);
    expect(fresh).toMatchObject({
      partition: "requests",
      spec: FAST,
      bornAtMs: T0,
      direct: false,
      override: undefined,
    });
    expect(spend([fresh], TOKEN, T0)).toBe("ask");
    expect(composeItem(fresh, 0, T0)).toEqual({
      partition: "requests",
      spec: FAST,
      heldMicro: 0,
      returnMicro: 0,
      demandMicroPerSecond: 0,
      wantMicro: 4 * TOKEN,
    });
  });
});

describe("spending", () => {
  it("takes the cost of every holding, and a cost that the stock just covers", () => {
    const tenant = stocked(FAST, 3);
    const route = stocked(FAST, 5);
    expect(spend([tenant, route], 3 * TOKEN, T0)).toBe("admitted");
    expect([tenant.stockMicro, route.stockMicro]).toEqual([0, 2 * TOKEN]);
  });

  it("takes nothing anywhere when one holding is short", () => {
    const tenant = stocked(FAST, 3);
    const route = stocked(FAST, 2);
    expect(spend([tenant, route], 3 * TOKEN, T0)).toBe("ask");
    expect([tenant.stockMicro, route.stockMicro]).toEqual([3 * TOKEN, 2 * TOKEN]);
  });

  it("of a dry holding is refused until it may ask again, and asks from then on", () => {
    const dry = holding(FAST, { askAgainAtMs: T0 + 100 });
    expect(spend([dry], TOKEN, T0 + 99)).toBe("refused");
    expect(spend([dry], TOKEN, T0 + 100)).toBe("ask");
  });

  it("of a full holding is admitted although it was told to come back later", () => {
    expect(spend([stocked(FAST, 1, { askAgainAtMs: T0 + 100 })], TOKEN, T0)).toBe("admitted");
  });

  it("asks before the time when a refund has made room", () => {
    expect(spend([holding(quota(10), { askAgainAtMs: T0 + 100, refundMicro: 1 })], TOKEN, T0)).toBe("ask");
  });

  it("asks while a debt is to be paid, whatever the stock is", () => {
    const owing = stocked(FAST, 5, { debtMicro: 1 });
    expect(spend([owing], TOKEN, T0)).toBe("ask");
    expect(owing.stockMicro).toBe(5 * TOKEN);
  });

  it("of nothing is admitted", () => {
    expect(spend([], TOKEN, T0)).toBe("admitted");
  });

  it("ends with the lease's life, to the millisecond", () => {
    const leased = stocked(FAST, 5, { expiresAtMs: T0 + 10 });
    expect(stock(leased, T0 + 9)).toBe(5 * TOKEN);
    expect(stock(leased, T0 + 10)).toBe(0);
    expect(leased.stockMicro).toBe(0);
  });

  it("never has more than an even part of a melting lease", () => {
    const melting = stocked(FAST, 10, { expiresAtMs: T0 + 1_000, meltMs: 500 });
    expect(stock(melting, T0 + 400)).toBe(10 * TOKEN);
    expect(stock(melting, T0 + 500)).toBe(10 * TOKEN);
    expect(stock(melting, T0 + 750)).toBe(5 * TOKEN);
    expect(stock(melting, T0 + 999)).toBe(20_000);
    // What was spent of it is not melted once more.
    const spent = stocked(FAST, 2, { lineMicro: 10 * TOKEN, expiresAtMs: T0 + 1_000, meltMs: 500 });
    expect(stock(spent, T0 + 750)).toBe(2 * TOKEN);
    expect(stock(spent, T0 + 950)).toBe(TOKEN);
  });
});

describe("a cost known after the response", () => {
  it("is paid by the stock, and owed for the rest", () => {
    const leased = stocked(FAST, 3);
    settleCost([leased], 2 * TOKEN, T0);
    expect([leased.stockMicro, leased.debtMicro]).toEqual([TOKEN, 0]);
    settleCost([leased], 3 * TOKEN, T0);
    expect([leased.stockMicro, leased.debtMicro]).toEqual([0, 2 * TOKEN]);
  });

  it("is owed at most up to the capacity, adds up, and never touches slots", () => {
    const dry = holding(bucket(1, 10));
    const held = stocked(slots(5), 5);
    settleCost([held, dry], 8 * TOKEN, T0);
    expect(dry.debtMicro).toBe(8 * TOKEN);
    settleCost([held, dry], 8 * TOKEN, T0);
    expect(dry.debtMicro).toBe(10 * TOKEN);
    expect([held.stockMicro, held.debtMicro]).toEqual([5 * TOKEN, 0]);
  });

  it("goes with the next call, once, and is worth a call of its own", () => {
    const dry = holding(FAST, { debtMicro: 7, askAgainAtMs: T0 + 100 });
    expect(wantsPrefetch(dry, 50, T0)).toBe(true);
    expect(composeItem(dry, 0, T0).debtMicro).toBe(7);
    expect("debtMicro" in composeItem(dry, 0, T0)).toBe(false);
  });
});

describe("a refund", () => {
  it("is of quotas only, in the epoch of the admission, and never more than the quota", () => {
    const daily = holding(quota(10), { epoch: 3 });
    const bucketed = holding(FAST, { epoch: 3 });
    const old = holding(quota(10), { epoch: 4 });
    refund([daily, bucketed, old], [3, 3, 3], 6 * TOKEN);
    expect([daily, bucketed, old].map(({ refundMicro }) => refundMicro)).toEqual([6 * TOKEN, 0, 0]);
    refund([daily], [3], 6 * TOKEN);
    expect(daily.refundMicro).toBe(10 * TOKEN);
  });

  it("goes with the next call, once, with its epoch", () => {
    const daily = holding(quota(10), { epoch: 3, refundMicro: 5 });
    expect(composeItem(daily, 0, T0)).toMatchObject({ refundMicro: 5, epoch: 3 });
    const next = composeItem(daily, 0, T0);
    expect(["refundMicro" in next, "epoch" in next]).toEqual([false, false]);
  });

  it("of an epoch that is over is forgotten; of the same epoch it stays", () => {
    const daily = holding(quota(10), { epoch: 3, refundMicro: 5 });
    receive([daily], decision([grant({ epoch: 3 })]), T0, T0);
    expect(daily.refundMicro).toBe(5);
    receive([daily], decision([grant({ epoch: 4 })]), T0, T0);
    expect([daily.refundMicro, daily.epoch]).toEqual([0, 4]);
  });
});

describe("what a call says", () => {
  /** As if `perSecond` tokens had been asked for in the last moments, long after its birth. */
  const demanding = (perSecond: number, tokens: number, horizonMs = 1_000) =>
    stocked(FAST, tokens, {
      bornAtMs: T0 - 10_000,
      demand: { perSecond: perSecond * TOKEN, atMs: T0 },
      horizonMs,
    });

  it("wants what is expected within the horizon, less what is held", () => {
    expect(composeItem(demanding(20, 5), 0, T0)).toMatchObject({
      heldMicro: 5 * TOKEN,
      returnMicro: 0,
      demandMicroPerSecond: 20 * TOKEN,
      wantMicro: 15 * TOKEN,
    });
    expect(composeItem(demanding(20, 5, 500), 0, T0).wantMicro).toBe(5 * TOKEN);
    expect(composeItem(demanding(20, 30), 0, T0).wantMicro).toBe(0);
  });

  it("wants four tokens at least", () => {
    expect(composeItem(demanding(2, 1), 0, T0).wantMicro).toBe(3 * TOKEN);
  });

  it("gives back what goes beyond twice the demand", () => {
    const much = demanding(10, 50);
    expect(composeItem(much, 0, T0)).toMatchObject({ heldMicro: 20 * TOKEN, returnMicro: 30 * TOKEN, wantMicro: 0 });
    expect(much.stockMicro).toBe(20 * TOKEN);
    expect(composeItem(demanding(10, 20), 0, T0).returnMicro).toBe(0);
    // Four tokens are never too much.
    expect(composeItem(demanding(1, 5), 0, T0)).toMatchObject({ heldMicro: 4 * TOKEN, returnMicro: TOKEN });
  });

  it("gives back what those who wait need, because they are charged out of what is free", () => {
    const held = demanding(10, 8);
    expect(composeItem(held, 3 * TOKEN, T0)).toMatchObject({
      heldMicro: 5 * TOKEN,
      returnMicro: 3 * TOKEN,
      wantMicro: 5 * TOKEN,
    });
    expect(held.stockMicro).toBe(5 * TOKEN);
    expect(composeItem(demanding(10, 2), 3 * TOKEN, T0)).toMatchObject({ heldMicro: 0, returnMicro: 2 * TOKEN });
  });

  it("does not speak of what is no longer there", () => {
    const late = demanding(10, 8);
    late.expiresAtMs = T0;
    expect(composeItem(late, 0, T0)).toMatchObject({ heldMicro: 0, returnMicro: 0, wantMicro: 10 * TOKEN });
  });

  it("melts from what it claims, as it does at the coordinator, even if no reply comes", () => {
    const melting = demanding(100, 10);
    Object.assign(melting, { lineMicro: 100 * TOKEN, expiresAtMs: T0 + 3_000, meltMs: 2_000 });
    expect(composeItem(melting, 0, T0)).toMatchObject({ heldMicro: 10 * TOKEN, returnMicro: 0 });
    expect(stock({ ...melting }, T0 + 1_000)).toBe(10 * TOKEN);
    expect(stock({ ...melting }, T0 + 2_000)).toBe(5 * TOKEN);
    // Half molten already: what is left goes on as before.
    const half = demanding(100, 100);
    Object.assign(half, { expiresAtMs: T0 + 1_000, meltMs: 2_000 });
    expect(composeItem(half, 0, T0).heldMicro).toBe(50 * TOKEN);
    expect([0, 500, 1_000].map((atMs) => stock({ ...half }, T0 + atMs))).toEqual([50 * TOKEN, 25 * TOKEN, 0]);
    // What cannot be divided evenly: nothing is lost by claiming it.
    const odd = demanding(100, 7);
    Object.assign(odd, { expiresAtMs: T0 + 700, meltMs: 1_900, lineMicro: 100 * TOKEN });
    composeItem(odd, 0, T0);
    expect(stock(odd, T0)).toBe(7 * TOKEN);
  });

  it("melts from what it keeps, not from what it gives back", () => {
    const much = demanding(10, 50);
    Object.assign(much, { expiresAtMs: T0 + 1_000, meltMs: 500 });
    composeItem(much, 0, T0);
    expect(much.lineMicro).toBe(20 * TOKEN);
  });

  it("counts the little that a young holding has seen for what it would come to", () => {
    const young = holding(FAST);
    noteDemand([young], 2 * TOKEN, T0);
    noteDemand([young], 3 * TOKEN, T0);
    expect(young.demand.perSecond).toBe(5 * TOKEN);
    const soon = composeItem(young, 0, T0 + 100).demandMicroPerSecond;
    expect(soon).toBeCloseTo((5 * TOKEN * Math.exp(-0.1)) / (1 - Math.exp(-0.5)), 0);
    const later = composeItem(young, 0, T0 + 1_000).demandMicroPerSecond;
    expect(later).toBeCloseTo((5 * TOKEN * Math.exp(-1)) / (1 - Math.exp(-1)), 0);
    const at5 = composeItem(young, 0, T0 + 5_000).demandMicroPerSecond;
    expect(at5).toBeCloseTo((5 * TOKEN * Math.exp(-5)) / (1 - Math.exp(-5)), 0);
    expect(composeItem(young, 0, T0 + 5_001).demandMicroPerSecond).toBeCloseTo(5 * TOKEN * Math.exp(-5.001), 0);
  });
});

describe("asking ahead", () => {
  const busy = (tokens: number, change: Parameters<typeof stocked>[2] = {}) =>
    stocked(FAST, tokens, {
      bornAtMs: T0 - 10_000,
      demand: { perSecond: 20 * TOKEN, atMs: T0 },
      filledMicro: 20 * TOKEN,
      ...change,
    });

  it("begins when what is left does not last 1.3 round trips", () => {
    // 20/s × 1.3 × 100 ms = 2.6 tokens.
    expect(wantsPrefetch(busy(2.6), 100, T0)).toBe(false);
    expect(wantsPrefetch(busy(2.599), 100, T0)).toBe(true);
  });

  it("does not begin before half of the last lease is gone, and begins with the last token in any case", () => {
    expect(wantsPrefetch(busy(5, { filledMicro: 10 * TOKEN }), 1_000, T0)).toBe(false);
    expect(wantsPrefetch(busy(4.999, { filledMicro: 10 * TOKEN }), 1_000, T0)).toBe(true);
    expect(wantsPrefetch(busy(1), 1, T0)).toBe(false);
    expect(wantsPrefetch(busy(0.999), 1, T0)).toBe(true);
  });

  it("begins in the last quarter of the lease's life", () => {
    expect(wantsPrefetch(busy(20, { ttlMs: 2_000, expiresAtMs: T0 + 500 }), 1, T0)).toBe(false);
    expect(wantsPrefetch(busy(20, { ttlMs: 2_000, expiresAtMs: T0 + 499 }), 1, T0)).toBe(true);
  });

  it("is not for those who expect to use less than four tokens within a second", () => {
    const slow = (perSecond: number) => busy(0, { demand: { perSecond: perSecond * TOKEN, atMs: T0 } });
    expect(wantsPrefetch(slow(3.999), 100, T0)).toBe(false);
    expect(wantsPrefetch(slow(4), 100, T0)).toBe(true);
  });

  it("is not for a limit that is asked for each request, nor before the time", () => {
    expect(wantsPrefetch(busy(0, { direct: true }), 100, T0)).toBe(false);
    expect(wantsPrefetch(busy(0, { askAgainAtMs: T0 + 1 }), 100, T0)).toBe(false);
    expect(wantsPrefetch(busy(0, { askAgainAtMs: T0 }), 100, T0)).toBe(true);
  });

  it("of slots begins with the last free one, and in the last quarter of their life", () => {
    expect(wantsPrefetch(stocked(slots(9), 1), 50, T0)).toBe(false);
    expect(wantsPrefetch(stocked(slots(9), 0.9), 50, T0)).toBe(true);
    expect(wantsPrefetch(stocked(slots(9), 5, { expiresAtMs: T0 + 14_999 }), 50, T0)).toBe(true);
    expect(wantsPrefetch(stocked(slots(9), 5, { expiresAtMs: T0 + 15_000 }), 50, T0)).toBe(false);
  });
});

describe("a reply", () => {
  it("adds what was granted to what is left, for a life that began with the sending", () => {
    const leased = stocked(FAST, 2);
    const given = grant({
      grantedMicro: 5 * TOKEN,
      leasedMicro: 7 * TOKEN,
      epoch: 9,
      ttlMs: 3_000,
      meltMs: 1_000,
      horizonMs: 700,
      direct: true,
      freeMicro: 11,
      resetMs: 13,
      activeLessees: 17,
      spec: bucket(1, 1),
    });
    receive([leased], decision([given]), T0 - 40, T0);
    expect(leased).toMatchObject({
      stockMicro: 7 * TOKEN,
      filledMicro: 7 * TOKEN,
      lineMicro: 7 * TOKEN,
      expiresAtMs: T0 + 2_960,
      ttlMs: 3_000,
      meltMs: 1_000,
      horizonMs: 700,
      epoch: 9,
      direct: true,
      freeMicro: 11,
      resetAtMs: T0 + 13,
      activeLessees: 17,
      override: bucket(1, 1),
      askAgainAtMs: 0,
      retryAtMs: 0,
    });
  });

  it("voids what is held here beyond what is leased", () => {
    const leased = stocked(FAST, 9);
    receive([leased], decision([grant({ grantedMicro: TOKEN, leasedMicro: 4 * TOKEN })]), T0, T0);
    expect(leased.stockMicro).toBe(4 * TOKEN);
  });

  it("that took longer than the lease lives brings nothing", () => {
    const leased = holding(FAST);
    receive([leased], decision([grant({ grantedMicro: 5 * TOKEN, ttlMs: 1_000 })]), T0, T0 + 1_000);
    expect([leased.stockMicro, leased.filledMicro]).toEqual([0, 0]);
  });

  it("counts only what is left of the old lease at that moment", () => {
    const leased = stocked(FAST, 9, { expiresAtMs: T0 + 10 });
    receive([leased], decision([grant({ grantedMicro: TOKEN, leasedMicro: 10 * TOKEN })]), T0, T0 + 10);
    expect(leased.stockMicro).toBe(TOKEN);
  });

  it("says when to come back: to the next request, and to a refused caller the later of all reasons", () => {
    const starved = holding(FAST);
    const refused = { admitted: 0, shadowRefused: [] };
    receive(
      [starved],
      decision([grant({ askAgainMs: 100 })], {
        waiting: [
          { ...refused, violated: [0], retryAfterMs: 400 },
          { ...refused, violated: [0], retryAfterMs: 300 },
          { ...refused, violated: [], retryAfterMs: 900 },
          { ...refused, violated: [5], retryAfterMs: 900 },
        ],
      }),
      T0,
      T0 + 50,
    );
    expect([starved.askAgainAtMs, starved.retryAtMs]).toEqual([T0 + 150, T0 + 450]);
  });

  it("is for each holding in its place, and changes none that it does not speak of", () => {
    const holdings = [holding(FAST), holding(FAST), stocked(FAST, 3)];
    receive(holdings, decision([grant({ grantedMicro: TOKEN }), grant({ grantedMicro: 2 * TOKEN })]), T0, T0);
    expect(holdings.map(({ stockMicro }) => stockMicro)).toEqual([TOKEN, 2 * TOKEN, 3 * TOKEN]);
  });
});
