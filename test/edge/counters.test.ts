import { describe, expect, it } from "vitest";
import { Counters } from "../../src/edge/counters.ts";
import { series } from "../../src/protocol/series.ts";

const reply = (received: number, durable: number, flushAfterMs = 1_000) => ({
  received,
  durable,
  flushAfterMs,
  wantsSettings: false,
});

describe("counters", () => {
  it("tell a bounded number of routes, tenants and events apart, and count the rest together: nothing is lost", () => {
    const counters = new Counters("edge");
    for (let index = 0; index < 3_000; index++) {
      counters.countRequest(`route-${index}`, `origin-${index % 700}`, "origin", 5);
      counters.countTenant(`tenant-${index}`, index % 3 > 0, 1_000_000, 5);
      counters.countEvent(series("weir_admin_refused_total", { reason: String(index) }));
    }
    const batch = counters.closeBatch(0);
    const routes = batch?.routes ?? [];
    const tenants = batch?.tenants ?? [];
    expect([routes.length, tenants.length, Object.keys(batch?.events ?? {}).length]).toEqual([2_001, 1_001, 501]);
    expect(routes.find(({ route }) => route === "other")).toMatchObject({
      origin: "other",
      goodBuckets: [0, 0, 1_000, ...Array(11).fill(0)],
    });
    expect(routes.reduce((sum, { outcomes }) => sum + (outcomes[0] ?? 0), 0)).toBe(3_000);
    expect(tenants.find(({ tenant }) => tenant === "other")?.tokens).toBe(2_000);
    expect(tenants.reduce((sum, { admitted, throttled }) => sum + admitted + throttled, 0)).toBe(3_000);
    expect(batch?.events["weir_dropped_series_total"]).toBe(2_500);
  });

  it("tell the latency of good answers apart, and one route on two origins", () => {
    const counters = new Counters("edge");
    counters.countRequest("all", "app", "cache", 1);
    counters.countRequest("all", "app", "stale", 1);
    counters.countRequest("all", "app", "origin", 20_000);
    counters.countRequest("all", "other-app", "error", 1);
    const [app, other] = counters.closeBatch(0)?.routes ?? [];
    expect([app?.buckets.at(0), app?.buckets.at(-1), app?.goodBuckets.at(0), app?.goodBuckets.at(-1)]).toEqual([
      2, 1, 1, 1,
    ]);
    expect([app?.durationSecondsSum, other?.origin, other?.outcomes.at(-1)]).toEqual([20.002, "other-app", 1]);
  });

  it("close no batch while 16 are not known to be stored; what is counted stays, and goes with the next", () => {
    const counters = new Counters("edge");
    for (let round = 0; round < 20; round++) {
      counters.countRequest("all", "app", "origin", 1);
      counters.closeBatch(round);
    }
    expect(counters.unsent(1)?.batches.map(({ seq }) => seq)).toEqual(
      Array.from({ length: 16 }, (_, index) => index + 1),
    );
    counters.confirm(reply(16, 0));
    expect(counters.closeBatch(20)).toBeUndefined();
    // Nothing new to say, and it has to ask.
    expect(counters.unsent(1)).toMatchObject({ durable: 0, batches: [] });
    counters.confirm(reply(16, 16));
    expect(counters.unsent(1)).toBeUndefined();
    expect(counters.closeBatch(21)?.routes[0]?.outcomes[0]).toBe(4);
  });

  it("have one flush at a time, and another when that one's request was ended with it", () => {
    const counters = new Counters("edge");
    expect([counters.claimFlush(0), counters.claimFlush(15_999), counters.claimFlush(16_000)]).toEqual([
      true,
      false,
      true,
    ]);
    counters.endFlush();
    expect(counters.claimFlush(16_001)).toBe(true);
  });

  it("flush as rarely as they are told, a minute at most and a second at least", () => {
    const counters = new Counters("edge");
    expect(counters.flushAfterMs).toBe(1_000);
    counters.confirm(reply(0, 0, 4_000));
    expect(counters.flushAfterMs).toBe(4_000);
    counters.confirm(reply(0, 0, 1e9));
    expect(counters.flushAfterMs).toBe(60_000);
    counters.confirm(reply(0, 0, 0));
    expect(counters.flushAfterMs).toBe(1_000);
  });

  it("say in how long a batch was counted, from its first request on", () => {
    const counters = new Counters("edge");
    for (const [claimedAtMs, closedAtMs] of [
      [1_000, 2_000],
      [600_000, 601_050],
    ] as const) {
      counters.countRequest("all", "app", "origin", 1);
      counters.claimFlush(claimedAtMs);
      expect(counters.closeBatch(closedAtMs)?.spanMs).toBe(closedAtMs - claimedAtMs);
      counters.endFlush();
    }
  });
});
