import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MEASURED } from "../../cli/cost/measurements.ts";
import { seeded } from "../../sim/kernel/random.ts";
import { OUTCOMES } from "../../src/protocol/metrics.ts";
import { billedBy } from "./billed-by.ts";
import { HOUR_MS, MINUTE_MS, MonitorWorld, type Seen, settingsOf, sumsOf, sumsOfSeen } from "./monitor-world.ts";

let world: MonitorWorld;
beforeEach(() => {
  world = new MonitorWorld();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

const one = (more: Partial<Seen> = {}): Seen => ({
  route: "all",
  outcome: "origin",
  tenant: "acme",
  count: 1,
  ...more,
});

describe("what the Monitor object records", () => {
  const seeds = Array.from({ length: env.TEST_DRILL === "1" ? 20 : 2 }, (_, index) => Number(env.TEST_SEED) + index);
  it.each(seeds)(
    "adds up to what was counted, whoever is evicted when, whatever the clock does: seed %i",
    async (seed) => {
      const random = seeded(seed);
      const below = (limit: number) => Math.floor(random() * limit);
      const all: Seen[] = [];
      for (let step = 0; step < 80; step++) {
        const chance = random();
        if (chance < 0.45) {
          const edge = below(6);
          const seen = Array.from({ length: 1 + below(4) }, () => ({
            route: `route-${below(4)}`,
            origin: "shop",
            outcome: OUTCOMES[below(OUTCOMES.length)] ?? "error",
            tenant: `tenant-${below(5)}`,
            count: 1 + below(20),
          }));
          all.push(...seen);
          await world.count(`edge-${edge}`, edge % 4, seen);
        } else if (chance < 0.75) await world.readAfter(below(20_000));
        else if (chance < 0.83) await world.evictMonitor();
        else if (chance < 0.91) {
          const shard = below(4);
          await world.metrics(shard).totals();
          await evictDurableObject(world.metrics(shard));
          // It may have gone back, and be read before isolates have told it the rest again.
          if (random() < 0.5) await world.readAfter(1_000);
        } else if (chance < 0.95) world.nowMs -= below(90_000);
        else await world.ring();
      }
      await world.flushAll();
      await world.readAfter(5_000);
      await world.readAfter(MINUTE_MS);
      await world.evictMonitor();
      const expected = sumsOfSeen(all);
      expect(Object.keys(expected).length).toBeGreaterThan(30);
      expect(sumsOf(await world.points())).toEqual(expected);
      expect(sumsOf(await world.points(5 * MINUTE_MS))).toEqual(expected);
      expect(sumsOf(await world.points(HOUR_MS))).toEqual(expected);
    },
  );

  it("is in the minute in which it was read, and the minute that runs is told too", async () => {
    await world.count("edge", 0, [one({ count: 3 })]);
    await world.readAfter(30_000);
    await world.count("edge", 0, [one({ count: 4, outcome: "throttled" })]);
    await world.readAfter(40_000);
    const points = await world.points();
    expect(points.map(({ fromMs, routes }) => [fromMs % HOUR_MS, routes["all"]?.outcomes])).toEqual([
      [0, { origin: 3 }],
      [MINUTE_MS, { throttled: 4 }],
    ]);
    expect(points[1]?.tenants).toEqual({ acme: { admitted: 0, throttled: 4, shadowed: 0 } });
  });

  it("is counted from the start where a Metrics object began anew, and not where it went back", async () => {
    const read = { series: {}, edges: 1, tenants: [] };
    const totals = vi.spyOn((await import("../../src/coordinators/metrics/object.ts")).Metrics.prototype, "totals");
    const say = (beganAtMs: number, count: number) => {
      const counts = Array.from({ length: 14 }, () => 0);
      const route = { route: "all", origin: "shop", outcomes: [count], buckets: counts, goodBuckets: counts };
      totals.mockImplementation(async () => ({ ...read, beganAtMs, routes: [{ ...route, durationSecondsSum: 0 }] }));
      return world.readAfter(5_000);
    };
    const counted = async () => (await world.points())[0]?.routes["all"]?.outcomes.origin;
    // Four objects say the same.
    await say(1, 10);
    expect(await counted()).toBe(40);
    await say(1, 7);
    await say(1, 10);
    expect(await counted()).toBe(40);
    await say(1, 11);
    expect(await counted()).toBe(44);
    await say(2, 3);
    expect(await counted()).toBe(56);
  });

  it("is not counted again where a stored reading cannot be read", async () => {
    await world.count("edge", 0, [one({ count: 3 })]);
    await world.readAfter(5_000);
    await world.readAfter(MINUTE_MS);
    await runInDurableObject(world.monitor, (_object, { storage }) => {
      storage.sql.exec("UPDATE reading SET body = '{'");
    });
    await world.evictMonitor();
    await world.readAfter(5_000);
    await world.count("edge", 0, [one({ count: 2 })]);
    await world.readAfter(5_000);
    expect(sumsOf(await world.points())).toMatchObject({ "all origin": 5 });
  });

  it("keeps minutes for 26 hours and hours for 35 days", async () => {
    await world.count("edge", 0, [one()]);
    await world.readAfter(1_000);
    const later = async (ms: number) => {
      world.nowMs += ms;
      await world.count("edge", 0, [one()]);
      await world.readAfter(1_000);
      await world.readAfter(MINUTE_MS);
      return (
        await world.rows(
          "SELECT (SELECT COUNT(*) FROM minute) m, (SELECT COUNT(*) FROM hour) h, (SELECT COUNT(*) FROM demand) d",
        )
      )[0];
    };
    expect(await later(25 * HOUR_MS)).toEqual({ m: 2, h: 2, d: 2 });
    expect(await later(3 * HOUR_MS)).toEqual({ m: 2, h: 3, d: 3 });
    expect(await later(34 * 24 * HOUR_MS)).toMatchObject({ m: 1, h: 3 });
    expect(await later(2 * 24 * HOUR_MS)).toMatchObject({ m: 1, h: 2 });
  });

  it("tells a thousand routes and a hundred tenants apart, and counts the others together", async () => {
    const seen = Array.from({ length: 1_200 }, (_, index) =>
      one({ route: `route-${index}`, tenant: `tenant-${index}`, count: 1 + (index < 1_000 ? 1 : 0) }),
    );
    for (let part = 0; part < 4; part++)
      await world.count(`edge-${part}`, part, seen.slice(part * 300, part * 300 + 300));
    await world.readAfter(1_000);
    const [point] = await world.points();
    expect(Object.keys(point?.routes ?? {})).toHaveLength(1_001);
    expect(Object.keys(point?.tenants ?? {})).toHaveLength(101);
    expect(point?.routes["other"]?.outcomes).toEqual({ origin: 200 });
    expect(point?.tenants["other"]?.admitted).toBe(2_200 - 200);
    await world.readAfter(MINUTE_MS);
    const [row] = await world.rows("SELECT MAX(LENGTH(body)) size FROM minute");
    expect(row?.["size"]).toBeLessThan(1_000_000);
  });
});

describe("one reading of a thousand routes with all outcomes, of four Metrics objects", () => {
  it("takes less than three seconds on a machine that is busy, and writes eight rows when the minute ends", async () => {
    const seen = (part: number): Seen[] =>
      OUTCOMES.flatMap((outcome) =>
        Array.from({ length: 1_000 }, (_, index) =>
          one({ route: `route-${index}`, outcome, tenant: `${part}-${index}` }),
        ),
      );
    for (let part = 0; part < 4; part++) await world.count(`edge-${part}`, part, seen(part));
    await world.readAfter(5_000);
    for (let part = 0; part < 4; part++) await world.count(`edge-${part}`, part, seen(part));
    world.nowMs += 5_000;
    const beganMs = performance.now();
    await world.ring();
    const tookMs = performance.now() - beganMs;
    const rows = await billedBy(world.monitor, () => world.readAfter(MINUTE_MS));
    console.log(`a reading took ${tookMs.toFixed(0)} ms; the minute's end wrote ${rows} rows`);
    expect(sumsOf(await world.points())).toMatchObject({ "route-7 origin": 8, "other admitted": 22 * 3_900 });
    expect(tookMs).toBeLessThan(3_000);
    expect(rows).toBe(MEASURED.monitor.rowsPerMinute + MEASURED.rowsPerStore.shards);
  });
});

describe("the Monitor object's alarm", () => {
  it("rests when nothing has changed for three minutes, and reads again when it is woken", async () => {
    await world.count("edge", 0, [one()]);
    await world.readAfter(1_000);
    let readings = 0;
    for (let atMs = await world.alarmAtMs(); atMs !== null; atMs = await world.alarmAtMs()) {
      expect(atMs - world.nowMs).toBeLessThanOrEqual(5_000);
      world.nowMs = atMs;
      await world.ring();
      readings++;
    }
    expect(readings).toBe(36);
    await world.monitor.wake({ v: 1, shard: 0 });
    expect(await world.alarmAtMs()).toBeLessThanOrEqual(world.nowMs + 50);
  });

  it("is set again, whatever a reading comes to", async () => {
    const { Metrics } = await import("../../src/coordinators/metrics/object.ts");
    await world.count("edge", 0, [one()]);
    vi.spyOn(Metrics.prototype, "totals").mockRejectedValue(new Error("away"));
    await world.readAfter(1_000);
    expect(await world.alarmAtMs()).toBeGreaterThan(world.nowMs);
    vi.spyOn(Metrics.prototype, "totals").mockResolvedValue(undefined as never);
    vi.spyOn(console, "error").mockReturnValue();
    await world.readAfter(5_000);
    expect(await world.alarmAtMs()).toBeGreaterThan(world.nowMs);
  });
});

describe("demand", () => {
  it("is told in tokens a second of the time in which something was asked, too large by 19 % at most", async () => {
    for (let sample = 0; sample < 100; sample++) {
      // Nineteen calm samples of 5 a second, then one of 80.
      const tokens = sample % 20 === 19 ? 800 : 50;
      await world.count("edge", 0, [one({ tenant: "acme", count: 10, tokens, seconds: 0.5 })]);
      await world.readAfter(5_000);
      await world.readAfter(5_000);
    }
    await world.readAfter(5 * MINUTE_MS);
    const report = await world.monitor.demand({ v: 1, fromMs: world.nowMs - 24 * HOUR_MS, toMs: world.nowMs });
    const acme = report.tenants.find(({ tenant }) => tenant === "acme");
    expect(acme).toMatchObject({ admitted: 1_000, throttled: 0, peakTokens: 800 });
    expect(acme?.meanSeconds).toBeCloseTo(0.5);
    for (const [told, asked] of [
      [acme?.p50, 5],
      [acme?.p95, 5],
      [acme?.p99, 80],
    ] as const) {
      expect(told).toBeGreaterThanOrEqual(asked);
      expect(told).toBeLessThan(asked * 1.19);
    }
    // Ten requests of half a second within ten seconds: half a one at once.
    const [shop] = report.origins;
    expect(shop?.concurrencyP99).toBeGreaterThanOrEqual(0.5);
    expect(shop?.concurrencyP99).toBeLessThan(0.5 * 1.19);
    await world.evictMonitor();
    expect(await world.monitor.demand({ v: 1, fromMs: report.fromMs, toMs: report.toMs })).toEqual(report);
  });

  it("is no flood where an eviction made one reading of a minute", async () => {
    await world.readAfter(1_000);
    await world.count("edge", 0, [one({ tokens: 100 })]);
    await world.readAfter(9_000);
    await world.readAfter(52_000);
    for (let second = 0; second < 50; second += 5) {
      await world.count("edge", 0, [one({ tokens: 50 })]);
      if (second < 45) await world.readAfter(5_000);
      else world.nowMs += 5_000;
    }
    await world.evictMonitor();
    await world.readAfter(1_000);
    await world.readAfter(10_000);
    const { tenants } = await world.monitor.demand({ v: 1, fromMs: 0, toMs: world.nowMs });
    expect(tenants[0]?.p99).toBeLessThan(12);
    expect(tenants[0]?.p50).toBeGreaterThan(8);
  });
});

describe("objectives", () => {
  const objective = {
    id: "shop-good",
    kind: "good",
    origin: "shop",
    targetRatio: 0.99,
    windowMs: 30 * 24 * HOUR_MS,
  } as const;

  it("are judged from what is recorded, also after an eviction, and burn", async () => {
    await world.monitor.configure({ v: 1, settings: settingsOf({ objectives: [objective] }) });
    for (let minute = 0; minute < 10; minute++) {
      await world.count("edge", 0, [
        one({ count: 30 }),
        one({ count: 70, outcome: "error" }),
        one({ count: 500, outcome: "throttled" }),
        one({ count: 40, outcome: "error", route: "else", origin: "else" }),
      ]);
      await world.readAfter(MINUTE_MS);
    }
    const status = async () => (await world.monitor.objectives()).objectives;
    const [before] = await status();
    expect(before).toMatchObject({ total: 1_000, bad: 700, burn: [{ burning: true, severity: "page" }, {}, {}, {}] });
    expect(before?.budgetLeftRatio).toBeCloseTo(1 - 70);
    const { alerts } = await world.monitor.alerts();
    expect(alerts.filter(({ kind }) => kind === "burn").map(({ state }) => state)).toContain("firing");
    await world.evictMonitor();
    await world.readAfter(1_000);
    expect(await status()).toEqual([before]);
    // Half an hour without errors: the short window no longer burns.
    for (let minute = 0; minute < 7; minute++) {
      await world.count("edge", 0, [one({ count: 1_000 })]);
      await world.readAfter(MINUTE_MS);
    }
    expect((await status())[0]?.burn[0]).toMatchObject({ burning: false, shortBurnRate: 0 });
  });

  it("are those of the newest config that was told, and counted anew where they are about something else", async () => {
    await world.monitor.configure({ v: 1, settings: settingsOf({ configVersion: 2, objectives: [objective] }) });
    await world.monitor.configure({ v: 1, settings: settingsOf({ configVersion: 1 }) });
    expect(await world.monitor.wake({ v: 1, shard: 0 })).toEqual({ configVersion: 2 });
    await world.count("edge", 0, [one({ count: 30, outcome: "stale" })]);
    await world.readAfter(MINUTE_MS);
    await world.readAfter(MINUTE_MS);
    const status = async () => (await world.monitor.objectives()).objectives[0];
    expect(await status()).toMatchObject({ total: 30, bad: 30 });
    const degraded = { ...objective, kind: "good-or-degraded" as const };
    await world.monitor.configure({ v: 1, settings: settingsOf({ configVersion: 3, objectives: [degraded] }) });
    expect((await status())?.recordedSinceMs).toBeLessThanOrEqual(world.nowMs);
    expect(await status()).toMatchObject({ bad: 0 });
  });
});

describe("conditions of the last minutes", () => {
  const firing = async () =>
    (await world.monitor.alerts()).alerts
      .filter(({ kind, state }) => kind !== "watchdog" && state === "firing")
      .map(({ fingerprint }) => fingerprint);

  it("are a tenant throttled for half of its requests, until it is not", async () => {
    await world.monitor.configure({ v: 1, settings: settingsOf() });
    for (let second = 0; second < 60; second += 5) {
      await world.count("edge", 0, [
        one({ count: 4 }),
        one({ count: 6, outcome: "throttled" }),
        one({ tenant: "calm", count: 90 }),
        one({ tenant: "calm", count: 10, outcome: "throttled" }),
      ]);
      await world.readAfter(5_000);
    }
    expect(await firing()).toEqual(["throttle-spike|tenant=acme"]);
    for (let second = 0; second < 240; second += 10) {
      await world.count("edge", 0, [one({ count: 10 })]);
      await world.readAfter(10_000);
    }
    expect(await firing()).toEqual([]);
  });

  it("are a Metrics object that cannot be read for half a minute", async () => {
    const { Metrics } = await import("../../src/coordinators/metrics/object.ts");
    await world.monitor.configure({ v: 1, settings: settingsOf() });
    await world.readAfter(5_000);
    const totals = vi.spyOn(Metrics.prototype, "totals");
    const read = await world.metrics(1).totals();
    for (let second = 0; second < 40; second += 5) {
      totals.mockRejectedValueOnce(new Error("away")).mockResolvedValue(read);
      await world.readAfter(5_000);
      if (second === 20) expect(await firing()).toEqual([]);
    }
    expect(await firing()).toEqual(["coordinator-away|coordinator=metrics"]);
  });
});

describe("a breaker's news", () => {
  const news = (to: string, epoch: number, atMs: number) => ({
    originId: "shop",
    sinceMs: atMs - 800,
    transition: { atMs, from: "closed", to, reason: "score", score: 20, pops: ["FRA"], epoch },
  });

  it("is an incident and an alert at once, once, however often it comes", async () => {
    await world.monitor.configure({ v: 1, settings: settingsOf() });
    const opened = news("open", 2, world.nowMs);
    for (let time = 0; time < 3; time++) {
      await world.monitor.hearBreaker({ v: 1, news: opened });
      await world.evictMonitor();
    }
    const { incidents } = await world.monitor.objectives();
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject({ originId: "shop", beganAtMs: world.nowMs - 800, detectedAtMs: world.nowMs });
    const breakers = async () =>
      (await world.monitor.alerts()).alerts.filter(({ kind }) => kind === "breaker").map(({ state }) => state);
    expect(await breakers()).toEqual(["firing"]);
    world.nowMs += 30_000;
    await world.monitor.hearBreaker({ v: 1, news: news("closed", 5, world.nowMs) });
    expect(await breakers()).toEqual(["resolved"]);
    expect((await world.monitor.objectives()).incidents[0]?.recoveredAtMs).toBe(world.nowMs);
  });
});
