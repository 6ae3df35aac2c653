import { describe, expect, it } from "vitest";
import {
  composeItem,
  costOf,
  noteDemand,
  occupySlots,
  receive,
  releaseSlots,
  spend,
} from "../../../src/policy/limits/lessee.ts";
import { bucket, decision, grant, holding, slots, stocked, T0, TOKEN } from "./builders.ts";

const FAST = bucket(100, 100);

describe("slots", () => {
  it("are one for each request, whatever it costs in tokens", () => {
    const held = stocked(slots(4), 2);
    expect(costOf(held, 7 * TOKEN)).toBe(TOKEN);
    expect(costOf(stocked(FAST, 1), 7 * TOKEN)).toBe(7 * TOKEN);
    expect(spend([held], 7 * TOKEN, T0)).toBe("admitted");
    expect([held.stockMicro, held.busyMicro]).toEqual([TOKEN, TOKEN]);
  });

  it("are free again when the request has ended; tokens are not", () => {
    const held = stocked(slots(4), 1);
    const tokens = stocked(FAST, 1);
    spend([held, tokens], TOKEN, T0);
    expect(tokens.busyMicro).toBe(0);
    expect(releaseSlots([held, tokens], T0 + 1)).toBe(false);
    expect([held.stockMicro, held.busyMicro, tokens.stockMicro]).toEqual([TOKEN, 0, 0]);
  });

  it("are not given back twice", () => {
    const held = stocked(slots(4), 1);
    expect(releaseSlots([held], T0)).toBe(false);
    expect([held.stockMicro, held.busyMicro]).toEqual([TOKEN, 0]);
  });

  it("go back at once where they are scarce, and only where one was in use", () => {
    const scarce = stocked(slots(4), 1, { direct: true });
    expect(releaseSlots([scarce], T0)).toBe(false);
    spend([scarce], TOKEN, T0);
    expect(releaseSlots([scarce, stocked(slots(4), 1)], T0)).toBe(true);
  });

  it("of a lease whose life is over are not free again here", () => {
    const held = stocked(slots(4), 1, { expiresAtMs: T0 + 10 });
    spend([held], TOKEN, T0);
    releaseSlots([held], T0 + 10);
    expect([held.stockMicro, held.busyMicro]).toEqual([0, 0]);
  });

  it("of a fail mode, beyond the lease, are not free again here when they end", () => {
    const held = stocked(slots(9), 2);
    spend([held], TOKEN, T0);
    spend([held], TOKEN, T0);
    occupySlots([held], false);
    for (const [stockTokens, busyTokens] of [
      [0, 2],
      [1, 1],
      [2, 0],
    ]) {
      releaseSlots([held], T0);
      expect([held.stockMicro / TOKEN, held.busyMicro / TOKEN]).toEqual([stockTokens, busyTokens]);
    }
  });

  it("taken back by the coordinator are not free again here when they end", () => {
    const held = stocked(slots(9), 0, { busyMicro: 2 * TOKEN, lineMicro: 2 * TOKEN });
    receive([held], decision([grant({ leasedMicro: TOKEN })]), T0, T0);
    releaseSlots([held], T0);
    expect([held.stockMicro, held.busyMicro]).toEqual([0, TOKEN]);
    releaseSlots([held], T0);
    expect([held.stockMicro, held.busyMicro]).toEqual([TOKEN, 0]);
  });

  it("given back with a call are no longer of the lease", () => {
    const held = stocked(slots(9), 2, { direct: true });
    spend([held], TOKEN, T0);
    expect(composeItem(held, 0, T0)).toMatchObject({ heldMicro: TOKEN, returnMicro: TOKEN });
    occupySlots([held], false);
    releaseSlots([held], T0);
    expect([held.stockMicro, held.busyMicro]).toEqual([0, TOKEN]);
    composeItem(held, 0, T0);
    releaseSlots([held], T0);
    expect([held.stockMicro, held.busyMicro]).toEqual([TOKEN, 0]);
  });

  it("that the coordinator admitted come out of the stock, those of a fail mode do not; tokens never", () => {
    const held = stocked(slots(4), 1);
    const tokens = stocked(FAST, 1);
    occupySlots([held, tokens], false);
    expect([held.stockMicro, held.busyMicro]).toEqual([TOKEN, TOKEN]);
    occupySlots([held, tokens], true);
    occupySlots([held, tokens], true);
    expect([held.stockMicro, held.busyMicro]).toEqual([0, 3 * TOKEN]);
    expect([tokens.stockMicro, tokens.busyMicro]).toEqual([TOKEN, 0]);
  });

  it("in use are what is held, beside the free ones, and a quarter more than the most in use is wanted", () => {
    const held = stocked(slots(100), 2, { busyMicro: 5 * TOKEN });
    noteDemand([held], TOKEN, T0);
    // 6 at once: a quarter more is 7.5, so 8.
    expect(composeItem(held, 0, T0)).toMatchObject({
      heldMicro: 7 * TOKEN,
      returnMicro: 0,
      demandMicroPerSecond: 6 * TOKEN,
      wantMicro: TOKEN,
    });
  });

  it("beyond the peak go back: a quarter more is kept", () => {
    const held = stocked(slots(100), 20);
    noteDemand([held], TOKEN, T0);
    expect(composeItem(held, 0, T0)).toMatchObject({ heldMicro: 2 * TOKEN, returnMicro: 18 * TOKEN, wantMicro: 0 });
    expect(held.stockMicro).toBe(2 * TOKEN);
  });

  it("that are scarce all go back but those in use, and none is wanted ahead", () => {
    const held = stocked(slots(4), 2, { busyMicro: TOKEN, direct: true });
    noteDemand([held], TOKEN, T0);
    expect(composeItem(held, 0, T0)).toMatchObject({ heldMicro: TOKEN, returnMicro: 2 * TOKEN, wantMicro: 0 });
  });

  it("unused so far are asked for one at a time", () => {
    expect(composeItem(holding(slots(4)), 0, T0)).toMatchObject({ heldMicro: 0, wantMicro: TOKEN });
  });

  it("are demanded by their peak, which fades, and not by their number", () => {
    const held = stocked(slots(100), 10);
    for (let request = 0; request < 5; request++) noteDemand([held], TOKEN, T0);
    expect(held.demand.perSecond).toBe(TOKEN);
    held.busyMicro = 3 * TOKEN;
    noteDemand([held], TOKEN, T0 + 10);
    expect(held.demand).toEqual({ perSecond: 4 * TOKEN, atMs: T0 + 10 });
    held.busyMicro = 0;
    noteDemand([held], TOKEN, T0 + 20);
    expect(held.demand).toEqual({ perSecond: 4 * TOKEN, atMs: T0 + 10 });
    // After e^-2 of it the one request is the peak again.
    noteDemand([held], TOKEN, T0 + 2_010);
    expect(held.demand).toEqual({ perSecond: TOKEN, atMs: T0 + 2_010 });
  });

  it("taken back meanwhile leave nothing to spend until as many requests have ended", () => {
    const held = stocked(slots(10), 0, { busyMicro: 5 * TOKEN });
    receive([held], decision([grant({ leasedMicro: 2 * TOKEN })]), T0, T0 + 10);
    expect([held.stockMicro, held.busyMicro]).toEqual([0, 5 * TOKEN]);
  });
});
