/** Maintenance through the whole pipeline: who passes, what the others get, when it begins and ends. */
import { env } from "cloudflare:workers";
import { createExecutionContext, reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Admin } from "../../src/admin/admin.ts";
import type { MaintenanceView } from "../../src/admin/contract.ts";
import { onTrial } from "../../src/policy/rollout/rollout.ts";
import { originObjectName } from "../../src/protocol/origin.ts";
import { eventually, from, Gateway, KEY, origin, withKey } from "./gateway.ts";

const MINUTE_MS = 60_000;
const CONFIG = {
  origins: {
    app: { url: "https://app.example", retry: { attempts: 1 }, failover: "second" },
    second: { url: "https://second.example" },
  },
  plans: { open: { limits: { requests: { rate: "1000/s", burst: 1_000 } } } },
  routes: [
    { id: "news", match: { path: "/news/*" }, origin: "app", cache: { ttl: "1h" }, charge: "miss" },
    { id: "old", match: { path: "/old/*" }, origin: "app", cache: { staleIfError: "1h" } },
    { id: "kept", match: { path: "/kept/*" }, origin: "app", cache: { snapshot: "1m" } },
    { id: "shop", match: { path: "/shop" }, origin: "app", degraded: { status: 200, retryAfter: "1d" } },
    { id: "rest", match: { path: "/*" }, origin: "app" },
  ],
};
const visitor = from("192.0.2.1");
/** Of the origin, in the order of arrival. */
let reached: string[] = [];
/** By how much the clock is ahead, in the isolate and in its objects. */
let aheadMs = 0;

beforeEach(() => {
  aheadMs = 0;
  const { now } = Date;
  vi.spyOn(Date, "now").mockImplementation(() => now.call(Date) + aheadMs);
  reached = [];
  vi.stubGlobal("fetch", async (url: string) => {
    reached.push(url);
    return new Response(`answer ${reached.length}`, {
      headers: url.includes("/old/") ? { age: "9", "cache-control": "max-age=1" } : {},
    });
  });
});
afterEach(async () => {
  await Gateway.allSettled();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  await reset();
});

/** Without the flush of counters behind its answers, for which every test would wait. */
async function gatewayOf(config: Record<string, unknown>, pop?: string): Promise<Gateway> {
  const gateway = await Gateway.of(config, pop);
  gateway.edge.counters.claimFlush(Number.POSITIVE_INFINITY);
  return gateway;
}

async function admin(gateway: Gateway, method: string, path: string, body?: unknown): Promise<Response> {
  const request = new Request(`https://gateway.example/_weir/api/v1/maintenance${path}`, {
    method,
    headers: { authorization: `Bearer ${env.WEIR_ADMIN_TOKEN ?? ""}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return new Admin(gateway.edge).handle(request, env, createExecutionContext());
}

async function start(gateway: Gateway, path: string, body: unknown = {}): Promise<MaintenanceView> {
  const answer = await admin(gateway, "PUT", path, { forMs: 10 * MINUTE_MS, ...(body as object) });
  expect(answer.status).toBe(200);
  return answer.json();
}

/** An isolate that has never asked learns of it with its first request. */
async function inMaintenance(body: unknown = {}, path = "/origins/app"): Promise<Gateway> {
  const gateway = await gatewayOf(CONFIG);
  await start(gateway, path, body);
  return gateway;
}

const served = (answer: Response): unknown => [answer.status, answer.headers.get("weir-served")];

describe("an origin in maintenance", () => {
  it("is not called for a visitor, who is told when it ends and that it is no outage", async () => {
    const gateway = await inMaintenance();
    for (const [method, path] of [
      ["GET", "/"],
      ["POST", "/"],
      ["DELETE", "/news/1"],
      ["GET", "/news/1"],
      ["GET", "/shop"],
      ["POST", "/shop"],
    ] as const) {
      const answer = await gateway.send(visitor, path, { method });
      expect(served(answer)).toEqual([503, "fallback"]);
      const retryAfter = Number(answer.headers.get("retry-after"));
      expect(retryAfter).toBeGreaterThan(590);
      expect(retryAfter).toBeLessThanOrEqual(600);
      expect(answer.headers.get("proxy-status")).toMatch(
        /^weir;error=destination_unavailable;next-hop="app";details="maintenance: (page|plain)"$/,
      );
    }
    const problem = await gateway.send(visitor);
    expect(problem.headers.get("content-type")).toBe("application/problem+json");
    expect(await problem.json()).toMatchObject({ type: "urn:weir:problem:maintenance", title: "Down for maintenance" });
    const page = await gateway.send({ ...visitor, accept: "text/html", "accept-language": "de" }, "/shop");
    expect(await page.text()).toContain("<h1>Wartungsarbeiten</h1>");
    expect(reached).toEqual([]);
  });

  it("is answered for by what is stored, fresh or stale, and by snapshots", async () => {
    const gateway = await gatewayOf(CONFIG);
    for (const path of ["/news/1", "/old/1", "/kept/1"]) await gateway.send(visitor, path);
    await gateway.settled();
    expect(reached).toHaveLength(3);
    await start(gateway, "/origins/app");
    aheadMs = 6_000;
    expect(served(await gateway.send(visitor, "/news/1"))).toEqual([200, "cache"]);
    const stale = await gateway.send(visitor, "/old/1");
    expect(served(stale)).toEqual([200, "stale"]);
    expect(stale.headers.get("cache-status")).toMatch(/^weir; hit; ttl=-\d+; detail=stale$/);
    expect(stale.headers.get("proxy-status")).toContain('details="maintenance: stale"');
    const snapshot = await (await gatewayOf(CONFIG)).send(visitor, "/kept/1");
    expect(served(snapshot)).toEqual([200, "snapshot"]);
    expect(snapshot.headers.get("cache-status")).toMatch(/^weir; hit; ttl=-?\d+; detail=snapshot$/);
    expect(reached).toHaveLength(3);
  });

  it("answers everybody with the page at once where that is asked for, before any limit is charged", async () => {
    const gateway = await gatewayOf({
      ...CONFIG,
      plans: { open: { limits: { requests: { rate: "1/h", burst: 1 } } } },
    });
    await gateway.send(visitor, "/news/1");
    await gateway.settled();
    await start(gateway, "/origins/app", { pageOnly: true });
    aheadMs = 6_000;
    // A hit refreshes the view behind it: so traffic that the cache answers learns of it, too.
    await eventually(async () => {
      expect(served(await gateway.send(visitor, "/news/1"))).toEqual([503, "fallback"]);
    });
    for (let index = 0; index < 5; index++) expect((await gateway.send(visitor, "/rest")).status).toBe(503);
    expect((await gateway.send(visitor, "/rest", { method: "HEAD" })).body).toBeNull();
    expect(reached).toHaveLength(1);
  });

  it("lets those pass whom its list names, by address, network or key; they see the origin itself", async () => {
    const gateway = await inMaintenance({ allow: ["192.0.2.7", "2001:db8::/32", `key:${KEY}`], pageOnly: true });
    const passing = [from("192.0.2.7"), from("2001:db8::1"), await withKey("192.0.2.1")];
    for (const caller of passing) {
      expect(served(await gateway.send(caller, "/news/1"))).toEqual([200, "origin"]);
      expect(served(await gateway.send(caller, "/news/1", { method: "POST" }))).toEqual([200, "origin"]);
    }
    expect(reached).toHaveLength(6);
    expect((await gateway.send(await withKey("192.0.2.1", "fedcba9876543210"), "/news/1")).status).toBe(503);
    expect((await gateway.send(from("192.0.2.8"), "/news/1")).status).toBe(503);
  });

  it("keeps nothing of what those see who pass, not even the first to come", async () => {
    const gateway = await inMaintenance({ allow: ["192.0.2.7"] });
    const first = await gateway.send(from("192.0.2.7"), "/news/1");
    expect(served(first)).toEqual([200, "origin"]);
    expect(first.headers.get("cache-status")).toBe("weir; fwd=bypass");
    expect(served(await gateway.send(visitor, "/news/1"))).toEqual([503, "fallback"]);
    expect(served(await gateway.send(from("192.0.2.7"), "/news/1"))).toEqual([200, "origin"]);
  });

  it("holds nobody back who waited for somebody who is", async () => {
    const gateway = await inMaintenance({ allow: ["192.0.2.7"] });
    const both = await Promise.all([gateway.send(visitor, "/news/1"), gateway.send(from("192.0.2.7"), "/news/1")]);
    expect(both.map(served)).toEqual([
      [503, "fallback"],
      [200, "origin"],
    ]);
  });

  it("is no failure of the origin for the breaker, and counted as what it is", async () => {
    const gateway = await Gateway.of(CONFIG);
    await start(gateway, "/origins/app");
    for (let index = 0; index < 40; index++) await gateway.send(visitor);
    await gateway.send(visitor, "/shop");
    const status = await env.ORIGIN.getByName("origin:app").status();
    expect(status).toMatchObject({ score: 0, counts: { network: 0, status: 0 }, history: [] });
    expect(await gateway.totals()).toMatchObject({
      'weir_requests_total{origin="app",route="rest",outcome="maintenance"}': 40,
      'weir_requests_total{origin="app",route="shop",outcome="maintenance"}': 1,
      'weir_origin_failures_total{origin="app",reason="maintenance"}': 41,
      'weir_rungs_total{route="rest",rung="plain",result="answered"}': 40,
      'weir_rungs_total{route="shop",rung="page",result="answered"}': 1,
    });
  });

  it("is not called in the place of another that fails", async () => {
    const gateway = await Gateway.of(CONFIG);
    await start(gateway, "/origins/second");
    origin(() => new Response("broken", { status: 500 }));
    expect(served(await gateway.send(visitor))).toEqual([500, "origin"]);
    expect((await gateway.totals())['weir_rungs_total{route="rest",rung="failover",result="nothing"}']).toBe(1);
  });
});

describe("a route in maintenance", () => {
  it("holds nobody back on other routes of the origin", async () => {
    const gateway = await inMaintenance({}, "/routes/shop");
    expect((await gateway.send(visitor, "/shop")).status).toBe(503);
    expect(served(await gateway.send(visitor, "/rest"))).toEqual([200, "origin"]);
  });
});

describe("maintenance in time", () => {
  it("begins when it is to, and is over when it is, though the coordinator has been away since", async () => {
    const gateway = await inMaintenance({ startInMs: 2 * MINUTE_MS, forMs: 3 * MINUTE_MS });
    expect(served(await gateway.send(visitor))).toEqual([200, "origin"]);
    gateway.cutOff("ORIGIN");
    for (const [minute, status] of [
      [1, 200],
      [2.1, 503],
      [4.9, 503],
      [5.1, 200],
    ] as const) {
      aheadMs = minute * MINUTE_MS;
      expect([minute, (await gateway.send(visitor)).status]).toEqual([minute, status]);
    }
  });

  it("is over within seconds once it is ended, for those who get nothing but the page, too", async () => {
    const gateway = await inMaintenance({ pageOnly: true });
    expect((await gateway.send(visitor)).status).toBe(503);
    expect((await admin(gateway, "DELETE", "/origins/app")).status).toBe(200);
    await eventually(async () => {
      expect((await gateway.send(visitor)).status).toBe(200);
    });
  });

  it("that an isolate heard of long ago is asked for before anybody is held back", async () => {
    const gateway = await inMaintenance({ pageOnly: true });
    expect((await gateway.send(visitor)).status).toBe(503);
    await gateway.settled();
    await admin(gateway, "DELETE", "/origins/app");
    aheadMs = MINUTE_MS;
    expect((await gateway.send(visitor)).status).toBe(200);
  });

  it("is learnt from a neighbour in the PoP", async () => {
    const first = await gatewayOf(CONFIG, "maintained");
    await start(first, "/origins/app", { allow: ["192.0.2.7"] });
    await first.send(visitor);
    await first.settled();
    const second = await gatewayOf(CONFIG, "maintained");
    second.cutOff("ORIGIN");
    expect((await second.send(visitor)).status).toBe(503);
    expect((await second.send(from("192.0.2.7"))).status).toBe(200);
  });
});

describe("the admin API for maintenance", () => {
  it("sets, lists and ends it", async () => {
    const gateway = await gatewayOf(CONFIG);
    const set = await start(gateway, "/routes/shop", {
      allow: ["10.0.0.0/8", "10.0.0.0/8"],
      reason: "new till",
      by: "ann",
    });
    expect(set).toMatchObject({
      scope: "route",
      id: "shop",
      origin: "app",
      state: "in-force",
      allow: ["10.0.0.0/8"],
      pageOnly: false,
      reason: "new till",
      by: "root (ann)",
    });
    expect(set.endsAtMs - set.startsAtMs).toBe(10 * MINUTE_MS);
    await start(gateway, "/origins/second", { startInMs: MINUTE_MS });
    // Who has a config on trial that changes this origin is held back as well.
    const onItsTrial = await env.ORIGIN.getByName(originObjectName(onTrial("app"))).listMaintenance();
    expect(onItsTrial.all).toMatchObject([{ routeId: "shop", reason: "new till" }]);
    expect(await (await admin(gateway, "GET", "")).json()).toMatchObject({
      maintenance: [set, { scope: "origin", id: "second", state: "to-come" }],
      unreachable: [],
    });
    expect((await admin(gateway, "DELETE", "/routes/shop")).status).toBe(200);
    expect((await admin(gateway, "DELETE", "/routes/shop")).status).toBe(404);
    expect(await (await admin(gateway, "GET", "")).json()).toMatchObject({ maintenance: [{ id: "second" }] });
  });

  it.each([
    ["/origins/nope", { forMs: 1_000 }, 404, 'Unknown origin \\"nope\\"; valid: app, second'],
    ["/routes/nope", { forMs: 1_000 }, 404, "valid: news, old, kept, shop, rest"],
    ["/tenants/acme", { forMs: 1_000 }, 400, "scope"],
    ["/origins/app", {}, 400, "forMs"],
    ["/origins/app", { forMs: 31 * 86_400_000 }, 400, "forMs"],
    ["/origins/app", { forMs: 1_000, allow: ["10.0.0.1", "10.0.0.1/8"] }, 400, "allow.1: is no network"],
    ["/origins/app", { forMs: 1_000, allow: Array.from({ length: 101 }, () => "10.0.0.1") }, 400, "allow"],
    ["/origins/app", { forMs: 1_000, admin: true }, 400, "admin"],
  ])("says what is wrong with %s %o", async (path, body, status, message) => {
    const answer = await admin(await gatewayOf(CONFIG), "PUT", path, body);
    expect([answer.status, await answer.text()]).toEqual([status, expect.stringContaining(message)]);
  });

  it("refuses more than an origin can bear", async () => {
    const gateway = await gatewayOf(CONFIG);
    const allow = Array.from({ length: 100 }, (_, index) => `10.0.0.${index}`);
    const statuses: number[] = [];
    for (const id of ["/origins/app", "/routes/news", "/routes/old", "/routes/kept", "/routes/shop", "/routes/rest"]) {
      statuses.push((await admin(gateway, "PUT", id, { forMs: 1_000, allow })).status);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 409]);
  });
});
