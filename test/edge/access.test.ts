/** Access lists through the whole pipeline: who is refused, what it costs, and what an exempt caller is spared. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { from, Gateway, KEY, withKey } from "./gateway.ts";

let originCalls = 0;
beforeEach(() => {
  originCalls = 0;
  vi.stubGlobal("fetch", async () => {
    originCalls++;
    return new Response("hello", { headers: { "cache-control": "no-store" } });
  });
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await reset();
});

const gatewayWith = (access: unknown, tenant: Record<string, unknown> = {}): Promise<Gateway> =>
  Gateway.of({
    access,
    tenants: { acme: { plan: "open", ...tenant } },
    routes: [
      {
        id: "miss",
        match: { path: "/miss/*" },
        origin: "app",
        cache: { ttl: "1m" },
        charge: "miss",
        limits: { own: { rate: "1/h", burst: 1 } },
      },
      { id: "all", match: { path: "/*" }, origin: "app" },
    ],
  });

describe("a refused caller", () => {
  it("gets 403 as problem+json, reaches neither a coordinator nor an origin, and is counted by list", async () => {
    const gateway = await gatewayWith({ deny: ["203.0.113.0/24"], allow: ["0.0.0.0/0"] });
    const refused = await gateway.send(from("203.0.113.9"));
    expect(refused.status).toBe(403);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    expect(refused.headers.get("ratelimit")).toBeNull();
    expect(await refused.json()).toMatchObject({
      type: "urn:weir:problem:denied",
      title: "This caller is not allowed here",
    });
    expect(await gateway.statuses(2, await withKey("203.0.113.9"))).toEqual([403, 403]);
    expect((await gateway.send(from("2001:db8::1"))).status).toBe(403);
    expect((await gateway.send({})).status).toBe(403);
    expect(originCalls).toBe(0);
    expect(await gateway.totals()).toMatchObject({
      'weir_access_refused_total{list="deny"}': 3,
      'weir_access_refused_total{list="allow"}': 2,
      'weir_requests_total{origin="app",route="all",outcome="refused"}': 5,
    });
    expect(gateway.calls).toEqual([]);
  });

  it("is refused whatever its own headers say, and nobody else is", async () => {
    const gateway = await gatewayWith({ deny: ["203.0.113.9"] });
    const claims = {
      "x-forwarded-for": "192.0.2.1",
      forwarded: "for=192.0.2.1",
      "x-real-ip": "192.0.2.1",
      "true-client-ip": "192.0.2.1",
    };
    expect((await gateway.send({ ...claims, ...from("203.0.113.9") })).status).toBe(403);
    const accused = { "x-forwarded-for": "203.0.113.9", forwarded: "for=203.0.113.9" };
    expect(gateway.calls).toEqual([]);
    expect((await gateway.send({ ...accused, ...from("192.0.2.1") })).status).toBe(200);
    expect(gateway.calls).toContain("TENANT");
  });

  it.each(["::ffff:203.0.113.9", "::ffff:cb00:7109", "203.0.113.9"])("is the same caller as %s", async (address) => {
    const gateway = await gatewayWith({ deny: ["203.0.113.0/24"] });
    expect((await gateway.send(from(address))).status).toBe(403);
  });

  it("is refused by its key on any address, while another key of the tenant passes", async () => {
    const gateway = await gatewayWith(undefined, { access: { deny: [`key:${KEY}`] } });
    expect((await gateway.send(await withKey("192.0.2.1"))).status).toBe(403);
    expect((await gateway.send(await withKey("192.0.2.1", "fedcba9876543210"))).status).toBe(200);
  });
});

describe("an exempt caller", () => {
  it("is not charged, gets no RateLimit headers, and is counted as admitted", async () => {
    const gateway = await gatewayWith({ exempt: [`key:${KEY}`] });
    const exempt = await withKey("192.0.2.1");
    expect(await gateway.statuses(10, exempt)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(await gateway.statuses(5, exempt, "/miss/x")).toEqual(Array.from({ length: 5 }, () => 200));
    const answer = await gateway.send(exempt);
    expect([answer.headers.get("ratelimit"), answer.headers.get("ratelimit-policy")]).toEqual([null, null]);
    const others = await withKey("192.0.2.1", "fedcba9876543210");
    expect(await gateway.statuses(3, others)).toEqual([200, 200, 429]);
    expect((await gateway.send(others)).headers.get("ratelimit")).toContain("requests");
    expect(await gateway.totals()).toMatchObject({
      'weir_tenant_decisions_total{tenant="acme",decision="admitted"}': 18,
    });
  });

  it("by its address reaches no coordinator of limits at all", async () => {
    const gateway = await gatewayWith({ exempt: ["192.0.2.0/24"] });
    expect(await gateway.statuses(10, from("192.0.2.1"))).toEqual(Array.from({ length: 10 }, () => 200));
    expect(gateway.calls).not.toContain("TENANT");
    expect(await gateway.statuses(3, from("198.51.100.1"))).toEqual([200, 200, 429]);
  });

  it.each(["/", "/miss/x"])("is refused on %s when its key is revoked", async (path) => {
    const gateway = await gatewayWith({ exempt: [`key:${KEY}`, "192.0.2.1"] });
    const tenant = env.TENANT.getByName("tenant:acme");
    await tenant.createKey({ v: 1, keyId: KEY, label: "" });
    await tenant.revokeKey({ v: 1, keyId: KEY });
    const answer = await gateway.send(await withKey("192.0.2.1"), path);
    expect(answer.status).toBe(401);
    expect(answer.headers.get("ratelimit")).toBeNull();
    expect(originCalls).toBe(0);
  });

  it("is held to the concurrency cap", async () => {
    const gateway = await gatewayWith({ exempt: ["192.0.2.1"] }, { concurrency: 1 });
    const exempt = await withKey("192.0.2.1");
    expect((await gateway.send(exempt)).status).toBe(200);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    vi.stubGlobal("fetch", async () => held.then(() => new Response("late")));
    const slow = gateway.send(exempt);
    expect((await gateway.send(exempt)).status).toBe(429);
    release();
    expect((await slow).status).toBe(200);
    await gateway.totals();
  });
});
