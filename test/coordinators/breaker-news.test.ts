import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Monitor } from "../../src/coordinators/monitor/object.ts";
import { BREAKER_DEFAULTS } from "../../src/policy/breaker/types.ts";
import type { BreakerNews } from "../../src/protocol/monitor.ts";
import type { OriginReport, OriginSettings } from "../../src/protocol/origin.ts";

const settings: OriginSettings = {
  configVersion: 1,
  originId: "shop",
  probeUrl: "http://origin.test/health",
  probeTimeoutMs: 500,
  breaker: { ...BREAKER_DEFAULTS, backoffMs: 1, maxBackoffMs: 1 },
};
const origin = () => env.ORIGIN.getByName("origin:shop");
const report = (seq: number, failures: number, change: Partial<OriginReport> = {}): OriginReport => ({
  v: 2,
  edgeId: `edge-${change.pop ?? "A"}`,
  seq,
  pop: "A",
  epoch: Number.MAX_SAFE_INTEGER,
  outcomes: [[200, 0, failures]],
  failures: { network: failures },
  latencies: [],
  latencyTotalMs: 0,
  underWay: 0,
  settings,
  ...change,
});

let heard: BreakerNews[] = [];
let isAway = false;
beforeEach(() => {
  heard = [];
  isAway = false;
  vi.spyOn(Monitor.prototype, "hearBreaker").mockImplementation(async ({ news }) => {
    if (isAway) throw new Error("away");
    heard.push(structuredClone(news));
  });
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response("ok"));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});
const steps = () => heard.map(({ transition: { from, to } }) => `${from}>${to}`);
const toldAll = () => vi.waitUntil(async () => (await origin().status()).news.waiting === 0, 5_000);

describe("what the Monitor hears of a breaker", () => {
  it("is each transition, in order, once, with the time of the first failure", async () => {
    const beganMs = Date.now();
    await origin().report(report(1, 22));
    for (let alarm = 0; alarm < 3; alarm++) await runDurableObjectAlarm(origin());
    await toldAll();
    expect(steps()).toEqual(["closed>open", "open>half-open", "half-open>ramp"]);
    expect(heard[0]).toMatchObject({ originId: "shop", transition: { reason: "failures", pops: ["A"] } });
    expect(heard[0]?.pop).toBeUndefined();
    // The failures happened 200 ms before they were told; a step of evidence is 50 ms.
    expect(heard[0]?.sinceMs).toBeGreaterThanOrEqual(beganMs - 251);
    expect(heard[0]?.sinceMs).toBeLessThanOrEqual(Date.now() - 200);
  });

  it("waits while it is away, also through an eviction, and goes by alarm then", async () => {
    isAway = true;
    await origin().report(report(1, 22));
    await vi.waitUntil(async () => (await origin().status()).news.failures > 0, 5_000);
    expect((await origin().status()).news).toMatchObject({ waiting: 1, dropped: 0 });
    await evictDurableObject(origin());
    isAway = false;
    expect(await runDurableObjectAlarm(origin())).toBe(true);
    await toldAll();
    expect(steps()[0]).toBe("closed>open");
    expect(new Set(steps()).size).toBe(steps().length);
  });

  it("goes by an alarm of its own where no probe is due", async () => {
    isAway = true;
    await origin().reset({ v: 1, settings, reason: "as new", by: "ann" });
    await vi.waitUntil(async () => (await origin().status()).news.failures > 0, 5_000);
    isAway = false;
    await evictDurableObject(origin());
    expect(await runDurableObjectAlarm(origin())).toBe(true);
    expect(steps()).toEqual(["closed>closed"]);
  });

  it("keeps the newest 200, and counts what was dropped", async () => {
    isAway = true;
    const byHand = { v: 1, settings, reason: "drill", by: "ann" } as const;
    for (let turn = 0; turn < 110; turn++) {
      await origin().force({ ...byHand, state: "open", forMs: 60_000 });
      await origin().reset(byHand);
    }
    const { news, transitions } = await origin().status();
    expect(news).toMatchObject({ waiting: 200, dropped: 20 });
    expect(transitions).toEqual([
      { from: "closed", to: "forced-open", reason: "forced", count: 110 },
      { from: "forced-open", to: "closed", reason: "reset", count: 110 },
    ]);
  });

  it("is told of a PoP that is opened alone, with the time at which it closes by itself", async () => {
    for (const pop of ["B", "C", "D", "E"]) {
      await origin().report(report(1, 0, { pop, outcomes: [[0, 200, 0]], failures: {} }));
    }
    for (let seq = 1; heard.length === 0 && seq < 40; seq++) {
      await origin().report(report(seq, 5));
      await origin().report(report(seq + 1, 0, { pop: "B", outcomes: [[0, 40, 0]], failures: {} }));
    }
    await toldAll();
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatchObject({ originId: "shop", pop: "A", transition: { reason: "failures at one PoP" } });
    expect(heard[0]?.untilMs).toBeGreaterThan(Date.now());
    const { view, transitions } = await origin().status();
    expect(view?.state).toBe("closed");
    expect(transitions).toEqual([{ from: "closed", to: "open", reason: "failures at one PoP", count: 1 }]);
  });

  it("is nothing of a config on trial, whose transitions are counted all the same", async () => {
    await origin().report(report(1, 22, { settings: { ...settings, onTrial: true } }));
    const { news, transitions } = await origin().status();
    expect(news.waiting).toBe(0);
    expect(transitions).toHaveLength(1);
    expect(heard).toEqual([]);
  });

  it("begins with an isolate that says whose breaker it is, at the version that is known", async () => {
    const { originId: _, ...before } = settings;
    await origin().report(report(1, 22, { settings: before }));
    expect((await origin().status()).news.waiting).toBe(0);
    await origin().reset({ v: 1, settings, reason: "done", by: "ann" });
    await toldAll();
    expect(steps()).toEqual(["open>closed"]);
  });
});
