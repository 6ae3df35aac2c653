/** What an explanation says of each stage, to whom, and by which config. */
import { env } from "cloudflare:workers";
import { createExecutionContext } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { explain } from "../../src/edge/explain/explain.ts";
import type { Env } from "../../src/platform/bindings.ts";
import { AdminSite, TOKEN } from "./admin-site.ts";
import { ADMIN, adminOf, ask, asBody, CONFIG, endAll, explained, keyOf, reached, stubOrigins } from "./explaining.ts";
import { from, Gateway, KEY, withKey } from "./gateway.ts";

describe("an explanation, in detail", () => {
  beforeEach(stubOrigins);
  afterEach(endAll);

  it("names each stage's source in the config, what is left of each limit, and what the origin would get", async () => {
    const gateway = await Gateway.of(CONFIG);
    const headers = { ...(await keyOf("acme")), "x-forwarded-for": "10.0.0.1", connection: "x-hop", "x-hop": "1" };
    const { steps, calls, ladder } = await explained(gateway, asBody("/limited/1?q=1", headers));
    expect(steps.map(({ stage, decision, source }) => [stage, decision, source])).toEqual([
      ["ingress", "accepted", "default"],
      ["rollout", "in-force", expect.stringMatching(/^config \d+$/)],
      ["route", "matched", "routes[9].match"],
      ["identify", "known", "identity[0]"],
      ["access", "passed", "default"],
      ["maintenance", "none", "default"],
      ["admit", "admitted", "tenants.acme"],
      ["cache", "none", "routes[9]"],
      ["admit on a miss", "skipped", "default"],
      ["breaker", "go", "origins.app.breaker"],
      ["forward", "call", "origins.app.url"],
    ]);
    const admitted = steps.find(({ stage }) => stage === "admit");
    expect(admitted?.details["limits"]).toMatchObject([
      { name: "requests", source: "plans.pro.limits.requests", capacityTokens: 1_000, mode: "enforce" },
      { name: "watched", source: "plans.pro.limits.watched", mode: "shadow", remainingTokens: null },
      { name: "few", source: "routes[9].limits.few", capacityTokens: 1, remainingTokens: 0, violated: false },
    ]);
    expect(steps.find(({ stage }) => stage === "breaker")?.details).toMatchObject({ state: "closed", score: 0 });
    expect(calls).toEqual([
      {
        origin: "app",
        role: "origin",
        method: "GET",
        url: "https://app.example/base/limited/1?q=1",
        droppedHeaders: ["cf-connecting-ip", "connection", "x-api-key", "x-hop"],
        addedHeaders: expect.arrayContaining(["cdn-loop", "traceparent", "via", "x-forwarded-host"]),
      },
    ]);
    expect(ladder).toEqual([
      { rung: "origin-answer", answers: false, does: expect.any(String), source: "default" },
      { rung: "plain", answers: true, does: "answers 503", source: "default" },
    ]);
  });

  it("tells no credential, and puts nothing into the audit", async () => {
    const gateway = await Gateway.of(CONFIG);
    const { "x-api-key": apiKey = "" } = await keyOf("acme");
    const body = { url: "https://gateway.example/rest/1", apiKey, headers: { authorization: "Bearer hidden-token" } };
    const response = await ask(gateway, "/explain", body);
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(text).toContain('"tenant":"acme"');
    expect(text).not.toContain(apiKey);
    expect(text).not.toContain("hidden-token");
    const bad = await ask(gateway, "/explain", {
      ...body,
      url: "https://user:pw@gateway.example/",
      headers: { "x\n": "secret-value" },
    });
    expect(bad.status).toBe(400);
    expect(await bad.text()).not.toContain("secret-value");
    const audit = await adminOf(gateway).handle(
      new Request(`${ADMIN}/audit`, { headers: { authorization: `Bearer ${TOKEN}` } }),
      env,
      createExecutionContext(),
    );
    expect(await audit.json()).toMatchObject({ entries: [] });
  });

  it("is for the tenants of the token only, by name or by credential", async () => {
    const site = await AdminSite.make({
      identity: [
        { type: "apiKey", header: "x-api-key" },
        { type: "anonymous", plan: "open" },
      ],
    });
    const { token } = await site.makeToken({ role: "reader", tenants: ["acme"] });
    const url = "https://gateway.example/";
    const status = async (body: unknown): Promise<number> =>
      (await site.call("POST", "/explain", body, { token })).status;
    const { "x-api-key": own } = await keyOf("acme");
    const { "x-api-key": other } = await keyOf("globex");
    expect(await status({ url, tenant: "acme" })).toBe(200);
    expect(await status({ url, apiKey: own })).toBe(200);
    expect(await status({ url, tenant: "globex" })).toBe(403);
    expect(await status({ url, tenant: "nobody" })).toBe(403);
    expect(await status({ url, apiKey: other })).toBe(403);
    expect(await status({ url, headers: { "x-api-key": other } })).toBe(403);
    expect(await status({ url })).toBe(403);
    expect((await site.call("POST", "/explain", { url, tenant: "globex" })).status).toBe(200);
    expect((await site.call("POST", "/explain", { url, tenant: "nobody" })).status).toBe(404);
    expect((await site.call("POST", "/explain", { url, config: "canary" })).status).toBe(409);
  });

  it("goes by the config that the caller has while one is on trial, or by the one that is asked for", async () => {
    const gateway = await Gateway.of(CONFIG);
    gateway.edge.counters.claimFlush(Number.POSITIVE_INFINITY);
    const next = await Gateway.of({ ...CONFIG, routes: [{ id: "new", match: { path: "/rest/*" }, origin: "worked" }] });
    gateway.edge.config.canary = { number: 7, shareRatio: 0.5, tables: next.edge.tables };
    const chosen = new Set<string>();
    for (const tenant of ["acme", "small", "trusted", "listed"]) {
      const sent = await withKey("198.51.100.1", KEY, tenant);
      const { steps, calls } = await explained(gateway, asBody("/rest/1", sent));
      const route = String(steps.find(({ stage }) => stage === "route")?.details["route"]);
      chosen.add(route);
      expect(steps.find(({ stage }) => stage === "rollout")?.decision).toBe(route === "new" ? "canary" : "in-force");
      reached.length = 0;
      await gateway.send(sent, "/rest/1");
      expect(reached).toEqual(calls.map(({ url }) => url));
      for (const config of ["in-force", "canary"] as const) {
        const asked = await explained(gateway, {
          ...asBody("/fresh/1", sent),
          url: "https://gateway.example/rest/2",
          config,
        });
        expect(asked.steps.find(({ stage }) => stage === "route")?.details["route"]).toBe(
          config === "canary" ? "new" : "rest",
        );
      }
    }
    expect([...chosen].toSorted((a, b) => a.localeCompare(b))).toEqual(["new", "rest"]);
  });

  it("is made also while no coordinator answers: by what the isolate holds, else by the fail modes", async () => {
    const gateway = await Gateway.of(CONFIG);
    gateway.edge.counters.claimFlush(Number.POSITIVE_INFINITY);
    const lost: Env = { ...env, WAN: { call: () => new Promise(() => undefined) } };
    const admitted = async (headers: Record<string, string>): Promise<unknown> => {
      const request = new Request("https://gateway.example/rest/1", { headers });
      const wanted = { request, method: "GET", tenant: undefined, config: undefined };
      const { steps } = await explain(gateway.edge, lost, wanted);
      return steps.find(({ stage }) => stage === "admit")?.details["decidedBy"];
    };
    expect(await admitted(from("192.0.2.5"))).toBe("fail-local");
    const acme = await keyOf("acme");
    await gateway.statuses(20, acme, "/rest/1");
    const tellsLeft = async (): Promise<string> =>
      String((await gateway.send(acme, "/rest/1")).headers.get("ratelimit"));
    const left = Number(/r=(\d+)/.exec(await tellsLeft())?.[1]);
    for (let index = 0; index < 5; index++) expect(await admitted(acme)).toBe("lease");
    // Not one of its tokens went for that.
    expect(Number(/r=(\d+)/.exec(await tellsLeft())?.[1])).toBeGreaterThanOrEqual(left - 1);
  });
});
