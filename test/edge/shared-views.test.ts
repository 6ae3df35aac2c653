/** Views shared within a PoP: an isolate that is new learns an open breaker from its neighbour, not from the coordinator. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { SharedViews } from "../../src/edge/shared-views.ts";
import { Gateway, origin, withKey } from "./gateway.ts";

afterEach(async () => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  await reset();
});

const CONFIG = {
  origins: {
    app: { url: "https://app.example", retry: { attempts: 1 }, breaker: { backoff: "60s", maxBackoff: "60s" } },
  },
  plans: { open: { limits: { requests: { rate: "1000/s", burst: 1_000 } } } },
};

describe("a shared view", () => {
  it("tells a new isolate that the origin is down, while its coordinator says nothing", async () => {
    const first = await Gateway.of(CONFIG, "shared-1");
    const key = await withKey("192.0.2.1");
    origin(() => new Response("no", { status: 500 }));
    await vi.waitFor(async () => {
      await first.send(key);
      expect((await env.ORIGIN.getByName("origin:app").status()).view?.state).toBe("open");
    }, 5_000);
    await first.settled();
    const second = await Gateway.of(CONFIG, "shared-1");
    second.cutOff("ORIGIN");
    const calls = vi.fn(() => new Response("fine"));
    origin(calls);
    expect((await second.send(key)).status).toBe(503);
    expect(calls).not.toHaveBeenCalled();
    expect(second.edge.origins.stats.sharedViews).toBe(1);
    // In another PoP nobody has heard of it, and traffic is not blocked for the coordinator's sake.
    const elsewhere = await Gateway.of(CONFIG, "shared-2");
    elsewhere.cutOff("ORIGIN");
    expect((await elsewhere.send(key)).status).toBe(200);
  });

  it("is not taken when it is old, malformed, or the cache fails", async () => {
    const views = new SharedViews();
    const view = { state: "open", epoch: 3, nextProbeInMs: 1_000, earlyAgeMs: undefined } as const;
    await views.tell("p", "app", { view, atMs: 1_000_000 });
    expect((await views.find("p", "app", 1_004_000))?.view).toMatchObject({ state: "open", epoch: 3 });
    expect(await views.find("p", "app", 1_005_001)).toBeUndefined();
    expect(await views.find("p", "other", 1_000_000)).toBeUndefined();
    for (const text of [
      "",
      "[]",
      "{}",
      '{"view":{"state":"open","epoch":3},"atMs":1}',
      '{"view":{"state":"x"},"atMs":1}',
    ]) {
      const headers = { "cache-control": "public, max-age=5" };
      await caches.default.put("https://weir-views.invalid/p/app", new Response(text, { headers }));
      expect(await views.find("p", "app", 1)).toBeUndefined();
    }
    vi.spyOn(caches.default, "match").mockRejectedValue(new Error("down"));
    expect(await views.find("p", "app", 1_000_000)).toBeUndefined();
  });
});
