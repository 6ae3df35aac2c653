import { evictDurableObject, reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MINUTE_MS, MonitorWorld, settingsOf } from "../coordinators/monitor-world.ts";
import { AdminSite } from "./admin-site.ts";
import { askToWatch, watch, type Watcher } from "./watching.ts";

let world: MonitorWorld;
let site: AdminSite;
const watchers: Watcher[] = [];
beforeEach(async () => {
  world = new MonitorWorld();
  site = await AdminSite.make();
});
afterEach(async () => {
  for (const watcher of watchers.splice(0)) watcher.close();
  vi.restoreAllMocks();
  await reset();
});

async function open(): Promise<Watcher> {
  const watcher = await watch(site);
  watchers.push(watcher);
  return watcher;
}

const throttled = { route: "all", outcome: "throttled", tenant: "acme", count: 3 } as const;
const heard = (what: () => unknown) => vi.waitFor(() => expect(what()).toBeTruthy(), { timeout: 5_000 });

describe("whoever watches live", () => {
  it("is greeted with how things are, and told at the next reading what was counted since", async () => {
    await world.monitor.configure({ v: 1, settings: settingsOf() });
    const watcher = await open();
    await world.ring();
    await heard(() => watcher.ticks.length === 1);
    expect(watcher.ticks[0]).toMatchObject({ v: 1, atMs: world.nowMs, point: { routes: {}, tenants: {} }, firing: 0 });
    world.nowMs += 1_200;
    await world.count("edge", 0, [throttled]);
    await world.ring();
    await heard(() => watcher.ticks.length === 2);
    const tick = watcher.ticks[1];
    expect(tick?.point).toMatchObject({
      fromMs: world.nowMs - 1_200,
      toMs: world.nowMs,
      routes: { all: { outcomes: { throttled: 3 } } },
      tenants: { acme: { admitted: 0, throttled: 3, shadowed: 0 } },
    });
    expect(tick?.edges).toBe(1);
    expect((await world.alarmAtMs()) ?? 0).toBeLessThanOrEqual(world.nowMs + 700);
  });

  it("is told every five seconds that nothing happens, and what breakers say at once", async () => {
    await world.monitor.configure({ v: 1, settings: settingsOf() });
    const watcher = await open();
    for (let second = 0; second < 16; second++) {
      await world.ring();
      world.nowMs += 1_000;
    }
    await heard(() => watcher.ticks.length >= 4);
    expect(watcher.ticks).toHaveLength(4);
    expect(watcher.ticks.at(-1)?.breakers).toEqual([{ origin: "shop", state: "closed", score: 0, forced: false }]);
    const transition = { from: "closed", to: "forced-open", reason: "test", score: 0, pops: [], epoch: 3, by: "ann" };
    const news = { originId: "shop", sinceMs: world.nowMs, transition: { ...transition, atMs: world.nowMs } };
    await world.monitor.hearBreaker({ v: 1, news });
    await heard(() => watcher.ticks.length === 5);
    expect(watcher.ticks[4]).toMatchObject({
      breakers: [{ origin: "shop", state: "open", score: 0, forced: true }],
      firing: 1,
    });
  });

  it("goes on being told after the object was evicted", async () => {
    const watcher = await open();
    await world.ring();
    await heard(() => watcher.ticks.length === 1);
    await evictDurableObject(world.monitor);
    world.nowMs += 700;
    await world.count("edge", 0, [throttled]);
    await world.ring();
    await heard(() => watcher.ticks.at(-1)?.point.tenants["acme"]?.throttled === 3);
  });

  it("is answered when it says ping, and passed over whatever else it says", async () => {
    const watcher = await open();
    watcher.say("hello");
    watcher.say("{".repeat(1_000));
    watcher.say("ping");
    await heard(() => watcher.texts.length === 1);
    expect(watcher.texts).toEqual(["pong"]);
    expect(watcher.closedWith).toBeUndefined();
  });

  it("is asked to come again after five minutes", async () => {
    const watcher = await open();
    await world.ring();
    world.nowMs += 5 * MINUTE_MS - 1_000;
    const later = await open();
    await world.ring();
    world.nowMs += 1_000;
    await world.ring();
    await heard(() => watcher.closedWith === 4_000);
    expect(later.closedWith).toBeUndefined();
  });

  it("costs nobody anything when it does not answer its end", async () => {
    const told = vi.spyOn(console, "error");
    // Nobody listens on the other side.
    const { webSocket } = await askToWatch(site);
    world.nowMs += 5 * MINUTE_MS;
    for (let reading = 0; reading < 3; reading++) {
      await world.ring();
      world.nowMs += 1_000;
    }
    expect(told).not.toHaveBeenCalled();
    const watcher = await open();
    await world.ring();
    await heard(() => watcher.ticks.length === 1);
    webSocket?.accept();
    webSocket?.close();
  });

  it("must ask for a WebSocket of the version that there is", async () => {
    expect((await askToWatch(site, { upgrade: "h2c" })).status).toBe(426);
    expect((await askToWatch(site, { "sec-websocket-protocol": "weir.live.2" })).status).toBe(400);
    const { status, headers, webSocket } = await askToWatch(site, {
      "sec-websocket-protocol": "weir.live.2, weir.live.1",
    });
    expect([status, headers.get("sec-websocket-protocol")]).toEqual([101, "weir.live.1"]);
    webSocket?.accept();
    webSocket?.close();
  });

  it("keeps the object reading only while it is there", async () => {
    const watcher = await open();
    await world.ring();
    watcher.close();
    await heard(() => watcher.closedWith !== undefined);
    for (let alarms = 0; alarms < 100; alarms++) {
      const atMs = await world.alarmAtMs();
      if (atMs === null) return;
      world.nowMs = Math.max(world.nowMs, atMs);
      await world.ring();
    }
    throw new Error("it does not rest");
  });
});
