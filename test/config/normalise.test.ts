import { describe, expect, it } from "vitest";
import { compileTables } from "../../src/config/compile.ts";
import { normalise } from "../../src/config/normalise.ts";
import { readPages } from "../../src/config/pages/files.ts";
import { preparePage } from "../../src/config/pages/prepare.ts";
import type { ConfigFile } from "../../src/config/schema.ts";

const file = {
  version: 1,
  origins: { shop: { url: "https://shop.example/api//", deadline: "3s" }, spare: { url: "https://spare.example" } },
  identity: [{ type: "apiKey", header: "X-Api-Key" }],
  plans: {
    free: {
      limits: { requests: { rate: "10/s", burst: 20 }, daily: { quota: 100, per: "day" } },
      concurrency: 5,
      priority: "low",
    },
    gold: { limits: { requests: { rate: "20/s" }, daily: { quota: 200, per: "day" } }, concurrency: 50 },
  },
  tenants: {
    plain: { plan: "free" },
    special: {
      plan: "free",
      limits: { requests: { rate: "1/m", mode: "shadow", failMode: "open", deadline: "1s" }, extra: { rate: "2.5/s" } },
      concurrency: 9,
      priority: "high",
    },
  },
  routes: [
    {
      id: "a",
      match: { path: "/a" },
      origin: "shop",
      cost: 0.25,
      limits: { own: { rate: "1/s", partition: "principal" } },
    },
    {
      id: "b",
      match: { path: "/b" },
      origin: "shop",
      degraded: { pages: { "text/plain": "b.txt" } },
      cache: { ttl: "1m" },
    },
  ],
} satisfies ConfigFile;

const texts: Readonly<Record<string, string>> = { "b.txt": "sorry", "b.de.txt": "Verzeihung" };
const config = normalise(file, await readPages(file, { readPage: async (path) => texts[path], preparePage }));
const tables = compileTables({ configVersion: 1, hash: "", ...config });
/** With what its plan gives it. */
const tenant = (id: string, plan?: string) => tables.tenant(id, plan);
const idsOf = (compiled: ReturnType<typeof tenant>) => compiled?.limits.map(({ id }) => id).toSorted();

describe("tenants", () => {
  it("take everything from their plan when they say nothing", () => {
    expect(config.tenants[0]).toEqual({ id: "plain", plan: "free" });
    expect(tenant("plain")).toMatchObject({
      priority: "low",
      limits: [...(config.plans["free"]?.limits ?? []), { id: "concurrency", spec: { slotsMicro: 5_000_000 } }],
    });
  });

  it("replace the plan's limits of the same name, keep the others and add their own", () => {
    const limits = tenant("special")!.limits;
    expect(limits.map(({ id }) => id).toSorted()).toEqual(["concurrency", "daily", "extra", "requests"]);
    expect(limits.find(({ id }) => id === "requests")).toEqual({
      name: "requests",
      id: "requests",
      partition: "tenant",
      mode: "shadow",
      failMode: "open",
      deadlineMs: 1_000,
      spec: { kind: "bucket", refillNumerator: 50, refillDenominator: 3, burstMicro: 1_000_000 },
      quotaTokens: 1,
      windowSeconds: 60,
    });
  });

  it("override the plan's concurrency and priority", () => {
    expect(tenant("special")).toMatchObject({ priority: "high", slotLimits: [{ spec: { slotsMicro: 9_000_000 } }] });
  });

  it("on another plan than theirs keep what is their own, and count what is that plan's by itself", () => {
    expect(idsOf(tenant("plain", "gold"))).toEqual(["plan:gold:concurrency", "plan:gold:daily", "plan:gold:requests"]);
    expect(idsOf(tenant("special", "gold"))).toEqual(["concurrency", "extra", "plan:gold:daily", "requests"]);
    expect([tenant("plain", "gold")?.priority, tenant("special", "gold")?.priority]).toEqual(["normal", "high"]);
  });

  it("leave the plan as it was", () => {
    expect(config.plans["free"]?.limits.map(({ mode }) => mode)).toEqual(["enforce", "enforce"]);
  });
});

describe("limits", () => {
  it("hold one second of the rate when no burst is given", () => {
    const extra = tenant("special")!.limits.find(({ id }) => id === "extra");
    expect(extra).toMatchObject({ quotaTokens: 3, spec: { burstMicro: 3_000_000 }, windowSeconds: 1 });
  });

  it("announce the time in which an empty bucket is full again", () => {
    expect(tenant("plain")!.limits[0]).toMatchObject({ id: "requests", quotaTokens: 20, windowSeconds: 2 });
  });

  it("with a quota have the calendar period as window, in UTC unless a zone is given", () => {
    expect(tenant("plain")!.limits[1]).toMatchObject({
      spec: { kind: "quota", quotaMicro: 100_000_000, period: "day", timeZone: "UTC" },
      quotaTokens: 100,
      windowSeconds: 86_400,
      failMode: "local",
      deadlineMs: 150,
    });
  });

  it("of a route have ids that no tenant limit can have", () => {
    expect(config.routes[0]?.limits[0]).toMatchObject({ name: "own", id: "route:a:own", partition: "principal" });
  });
});

describe("origins, identity and routes", () => {
  it("get their defaults", () => {
    expect(config.origins[0]).toMatchObject({
      url: "https://shop.example/api",
      deadlineMs: 3_000,
      tryTimeoutMs: 3_000,
      retry: { attempts: 2, budgetRatio: 0.1 },
      breaker: { tripScore: 20, backoffMs: 1_000, maxBackoffMs: 5_000 },
      probePath: "/",
      keyAware: false,
    });
    expect(config.origins[1]).toMatchObject({ deadlineMs: 10_000, tryTimeoutMs: 10_000 });
    expect(config.identity).toEqual([{ type: "apiKey", header: "x-api-key" }]);
  });

  it("of a route count the cost in micro-tokens", () => {
    expect(config.routes.map(({ costMicro, charge }) => [costMicro, charge])).toEqual([
      [250_000, "always"],
      [1_000_000, "always"],
    ]);
  });

  it("of a route name its pages by form and language, a 503 and thirty seconds", () => {
    const pages = { "text/plain": { en: "b.txt as text/plain", de: "b.de.txt as text/plain" } };
    expect(config.pages.templates).toEqual({
      "b.txt as text/plain": { parts: ["sorry"] },
      "b.de.txt as text/plain": { parts: ["Verzeihung"] },
    });
    expect(config.routes[1]).toMatchObject({
      degraded: { status: 503, retryAfterMs: 30_000, pages },
      cache: { scope: "shared", freshForMs: 60_000 },
    });
    expect(config.routes[0]).not.toHaveProperty("degraded");
  });
});
