/** Attack: who may not see everybody watches everybody, or goes on watching when he may no more. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MINUTE_MS, MonitorWorld } from "../coordinators/monitor-world.ts";
import { AdminSite } from "../edge/admin-site.ts";
import { askToWatch, watch } from "../edge/watching.ts";

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

describe("a live socket", () => {
  it.each(["reader", "operator", "admin"])("is not for a token of some tenants: %s", async (role) => {
    const site = await AdminSite.make();
    const { token } = await site.makeToken({ role, tenants: ["acme"] });
    const answer = await askToWatch(site, {}, token);
    expect([answer.status, answer.webSocket]).toEqual([403, null]);
    expect(await answer.json()).toMatchObject({ type: "urn:weir:problem:admin:outside-scope" });
  });

  it("is not to be found without a token, nor with one of another deployment", async () => {
    const site = await AdminSite.make();
    for (const token of [null, `weiradm_${"0".repeat(16)}_${"A".repeat(22)}`]) {
      const answer = await askToWatch(site, {}, token);
      expect([answer.status, answer.webSocket]).toEqual([404, null]);
    }
  });

  it("tells a token that was revoked nothing after five minutes, and does not let it in again", async () => {
    const world = new MonitorWorld();
    const site = await AdminSite.make();
    const { token, tokenId } = await site.makeToken({ role: "reader" });
    const watcher = await watch(site, token);
    await world.ring();
    await vi.waitFor(() => expect(watcher.ticks).toHaveLength(1));
    expect((await site.call("DELETE", `/tokens/${tokenId}`)).status).toBe(200);
    world.nowMs += 5 * MINUTE_MS;
    await world.ring();
    await vi.waitFor(() => expect(watcher.closedWith).toBe(4_000));
    expect(watcher.ticks).toHaveLength(1);
    expect((await askToWatch(site, {}, token)).status).toBe(404);
  });
});
