/** Attack: live sockets without end, that talk without end. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MonitorWorld } from "../coordinators/monitor-world.ts";
import { AdminSite } from "../edge/admin-site.ts";
import { askToWatch, watch, Watcher } from "../edge/watching.ts";

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

describe("live sockets", () => {
  it("are fifty in the world, however many isolates they come through; one that goes makes room", async () => {
    const world = new MonitorWorld();
    const watchers: Watcher[] = [];
    const sites = await Promise.all(Array.from({ length: 5 }, () => AdminSite.make()));
    for (let index = 0; index < 10; index++) for (const one of sites) watchers.push(await watch(one));
    const site = await AdminSite.make();
    const refused = await askToWatch(site);
    expect([refused.status, refused.webSocket]).toEqual([503, null]);
    for (const watcher of watchers) watcher.say("x".repeat(100_000));
    await world.ring();
    await vi.waitFor(() => expect(watchers.every(({ ticks }) => ticks.length === 1)).toBe(true));
    watchers[0]?.close();
    await vi.waitFor(async () => {
      const answer = await askToWatch(site);
      expect(answer.status).toBe(101);
      if (answer.webSocket !== null) watchers.push(new Watcher(answer.webSocket));
    });
    for (const watcher of watchers) watcher.close();
  });
});
