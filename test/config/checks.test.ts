/** Checks that depend on more than one place of the file, beside those in load.test.ts. */
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { preparePage } from "../../src/config/pages/prepare.ts";

const base = {
  version: 1,
  origins: { app: { url: "https://app.example" } },
  identity: [{ type: "anonymous", plan: "open" }],
  plans: { open: {} },
  tenants: { acme: { plan: "open" } },
  routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
};

async function problemsOf(file: unknown, pages: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const result = await loadConfig(JSON.stringify(file), {
    configVersion: 1,
    readPage: async (path) => pages[path],
    preparePage,
  });
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
}

describe("a config file", () => {
  it("may begin with a byte order mark", async () => {
    const result = await loadConfig(`\uFEFF${JSON.stringify(base)}`, {
      configVersion: 1,
      readPage: async () => undefined,
    });
    expect(result.ok).toBe(true);
  });

  it("may give a tenant no more limits than a plan", async () => {
    const limits = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`limit-${index}`, { rate: "1/s" }]));
    expect(await problemsOf({ ...base, tenants: { acme: { plan: "open", limits } } })).toEqual([
      "tenants.acme.limits: has 21 entries; at most 20 are allowed",
    ]);
  });

  it.each(["/café/*", "/a/../b", "/%7ea", "/a%2fb"])("refuses %s, a path no request can have", async (path) => {
    const problems = await problemsOf({ ...base, routes: [{ id: "all", match: { path }, origin: "app" }] });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("canonical form");
  });

  it.each([
    [{ deadline: "30d" }, "origins.app.deadline"],
    [{ tryTimeout: "0s" }, "origins.app.tryTimeout"],
    [{ breaker: { backoff: "10s", maxBackoff: "1s" } }, "origins.app.breaker.backoff"],
  ])("refuses durations that cannot work: %o", async (change, path) => {
    const problems = await problemsOf({ ...base, origins: { app: { ...base.origins.app, ...change } } });
    expect(problems).toHaveLength(1);
    expect(problems[0]?.startsWith(`${path}: must`)).toBe(true);
  });

  it("measures a page in bytes", async () => {
    const routes = [{ ...base.routes[0], degraded: { pages: { "text/html": "big.html" } } }];
    const problems = await problemsOf({ ...base, routes }, { "big.html": "é".repeat(200_000) });
    expect(problems[0]).toContain("big.html has 400000 bytes with what is inlined; at most 262144 are allowed");
  });

  describe("with a ladder of a route's own", () => {
    const problemsOfLadder = async (route: unknown, origins: unknown = base.origins) => {
      const file = { ...base, origins, routes: [{ ...base.routes[0], ...(route as object) }] };
      const result = await loadConfig(JSON.stringify(file), { configVersion: 1, readPage: async () => "" });
      return (result.ok ? result.warnings : result.problems).map(
        ({ path, message }) => `${result.ok ? "warning" : "error"} ${path}: ${message}`,
      );
    };

    it("refuses a rung that comes twice, or is none", async () => {
      expect(await problemsOfLadder({ degraded: { ladder: ["page", "page"] } })).toEqual([
        expect.stringMatching(/^error routes\.0\.degraded\.ladder\.1: comes twice/),
      ]);
      expect(await problemsOfLadder({ degraded: { ladder: ["plain"] } })).toEqual([
        expect.stringMatching(/^error routes\.0\.degraded\.ladder\.0: .*"stale"\|"snapshot"\|"failover"\|"page"/),
      ]);
    });

    it("warns of rungs that never answer, and of pages that are never shown", async () => {
      const at = "warning routes.0.degraded";
      expect(await problemsOfLadder({ degraded: { ladder: ["stale", "snapshot", "failover"] } })).toEqual([
        expect.stringContaining(`${at}.ladder.0: never answers: this route has no such rung without a "cache"`),
        expect.stringContaining(`${at}.ladder.1: never answers`),
        expect.stringContaining(`without a "failover" of origin "app"`),
      ]);
      const cache = { snapshot: "1m" };
      expect(await problemsOfLadder({ cache, degraded: { ladder: ["page", "stale"] } })).toEqual([
        expect.stringContaining(`${at}.ladder.1: is never reached: "page" before it always answers`),
      ]);
      expect(await problemsOfLadder({ cache, degraded: { ladder: ["stale", "snapshot", "page"] } })).toEqual([]);
      expect(
        await problemsOfLadder(
          { degraded: { ladder: ["failover"] } },
          { app: { url: "https://a.example", failover: "b" }, b: { url: "https://b.example" } },
        ),
      ).toEqual([]);
    });
  });

  it("warns of a cost that a tenant's bucket can never hold", async () => {
    const file = {
      ...base,
      plans: { open: { limits: { requests: { rate: "1/s", burst: 2 } } } },
      routes: [{ ...base.routes[0], cost: 5 }],
    };
    const result = await loadConfig(JSON.stringify(file), { configVersion: 1, readPage: async () => undefined });
    expect(result.ok && result.warnings.map(({ path }) => path)).toEqual(["routes.0.cost"]);
  });
});
