/** explain: the decision that the gateway then makes, and nothing else. */
import { env } from "cloudflare:workers";
import { createExecutionContext, runInDurableObject } from "cloudflare:test";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { ExplainBody } from "../../src/admin/contract.ts";
import { explain } from "../../src/edge/explain/explain.ts";
import { addressPartition } from "../../src/edge/stages/identify.ts";
import { tenantCoordinator } from "../../src/protocol/tenant.ts";
import { TOKEN } from "./admin-site.ts";
import {
  ADMIN,
  adminOf,
  ask,
  asBody,
  CONFIG,
  endAll,
  explained,
  keyOf,
  reached,
  stubOrigins,
  visitor,
} from "./explaining.ts";
import { from, Gateway, KEY, withKey } from "./gateway.ts";

const REVOKED = "aaaaaaaaaaaaaaaa";

/** A gateway that has been used: something is stored, used up, open, in maintenance, revoked. */
async function usedGateway(): Promise<Gateway> {
  const gateway = await Gateway.of(CONFIG);
  gateway.edge.counters.claimFlush(Number.POSITIVE_INFINITY);
  const acme = await keyOf("acme");
  for (const place of ["fresh", "miss", "stale", "behind"]) {
    expect((await gateway.send(acme, `/${place}/kept`)).status).toBe(200);
  }
  for (const place of ["twice", "works", "rest", "plain"]) await gateway.send(acme, `/${place}/1`);
  // Its limit is slow to fill: what an explanation took of it would be seen.
  expect((await gateway.send(from("192.0.2.33"), "/rest/1")).status).toBe(200);
  expect(await gateway.statuses(3, await keyOf("small"), "/rest/1")).toEqual([200, 200, 429]);
  expect(await gateway.statuses(2, acme, "/limited/1")).toEqual([200, 429]);
  const tenant = env.TENANT.getByName(tenantCoordinator("acme"));
  await tenant.createKey({ v: 1, keyId: REVOKED });
  await tenant.revokeKey({ v: 1, keyId: REVOKED });
  for (const origin of ["tripped", "shut"]) {
    expect((await ask(gateway, `/breakers/${origin}/trip`, { reason: "test", forMs: 600_000 })).status).toBe(200);
  }
  const worked = await adminOf(gateway).handle(
    new Request(`${ADMIN}/maintenance/origins/worked`, {
      method: "PUT",
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ forMs: 600_000, allow: ["192.0.2.9"] }),
    }),
    env,
    createExecutionContext(),
  );
  expect(worked.status, await worked.text()).toBeLessThan(300);
  // Until the isolate has heard of all that.
  await vi.waitFor(
    async () => {
      for (const place of ["twice", "plain", "works"]) await gateway.send(acme, `/${place}/1`);
      expect((await gateway.send(acme, "/works/1")).status).toBe(503);
      expect((await gateway.send(acme, "/plain/1")).status).toBe(503);
      expect((await gateway.send(acme, "/twice/1")).headers.get("weir-served")).toBe("failover");
      expect((await gateway.send(await keyOf("acme", REVOKED), "/rest/1")).status).toBe(401);
    },
    { timeout: 6_000, interval: 100 },
  );
  return gateway;
}

interface Case {
  readonly name: string;
  readonly path: string;
  readonly headers: () => Record<string, string> | Promise<Record<string, string>>;
  readonly method?: string;
}

const CASES: readonly Case[] = [
  { name: "a good key", path: "/rest/1?a=b", headers: () => keyOf("acme") },
  { name: "a POST", path: "/rest/1", headers: () => keyOf("acme"), method: "POST" },
  { name: "a revoked key", path: "/rest/1", headers: () => keyOf("acme", REVOKED) },
  { name: "an expired key", path: "/rest/1", headers: () => keyOf("acme", KEY, { expiresAtMs: 1_000 }) },
  { name: "a key out of scope", path: "/rest/1", headers: () => keyOf("acme", KEY, { scopes: ["read:fresh"] }) },
  {
    name: "a key within its scope",
    path: "/fresh/kept",
    headers: () => keyOf("acme", KEY, { scopes: ["read:fresh"] }),
  },
  { name: "an unknown tenant's key", path: "/rest/1", headers: () => keyOf("nobody") },
  { name: "a forged key", path: "/rest/1", headers: () => ({ ...visitor, "x-api-key": "weir_YWNtZQ_0_A" }) },
  { name: "a denied address", path: "/rest/1", headers: () => withKey("203.0.113.7", KEY, "acme") },
  { name: "an address that is not allowed", path: "/rest/1", headers: () => keyOf("listed") },
  { name: "an allowed address", path: "/rest/1", headers: () => withKey("198.51.100.1", KEY, "listed") },
  { name: "an exempt address", path: "/rest/1", headers: () => withKey("192.0.2.77", KEY, "trusted") },
  { name: "nobody in particular", path: "/rest/1", headers: () => from("192.0.2.33") },
  { name: "an exhausted limit of the tenant", path: "/rest/1", headers: () => keyOf("small") },
  { name: "an exhausted limit of the route", path: "/limited/1", headers: () => keyOf("acme") },
  { name: "something fresh", path: "/fresh/kept", headers: () => keyOf("acme") },
  { name: "something fresh, charged on a miss", path: "/miss/kept", headers: () => keyOf("small") },
  { name: "a miss, charged, with nothing left", path: "/miss/other", headers: () => keyOf("small") },
  {
    name: "nothing stored, only if cached",
    path: "/fresh/no",
    headers: async () => ({ ...(await keyOf("acme")), "cache-control": "only-if-cached" }),
  },
  {
    name: "a range of something fresh",
    path: "/fresh/kept",
    headers: async () => ({ ...(await keyOf("acme")), range: "bytes=0-3" }),
  },
  { name: "something stale, its breaker open", path: "/stale/kept", headers: () => keyOf("acme") },
  { name: "nothing stored, its breaker open", path: "/stale/other", headers: () => keyOf("acme") },
  { name: "something stale that is refreshed behind", path: "/behind/kept", headers: () => keyOf("acme") },
  { name: "a failover", path: "/twice/1", headers: () => keyOf("acme") },
  { name: "a page", path: "/page/1", headers: () => keyOf("acme") },
  { name: "a plain refusal", path: "/plain/1", headers: () => keyOf("acme") },
  { name: "maintenance", path: "/works/1", headers: () => keyOf("acme") },
  { name: "maintenance, of somebody it lets in", path: "/works/1", headers: () => withKey("192.0.2.9", KEY, "acme") },
  { name: "no route", path: "/", headers: () => keyOf("acme") },
  { name: "a method that is not allowed", path: "/read/1", headers: () => keyOf("acme"), method: "DELETE" },
  { name: "a broken escape", path: "/rest/%zz", headers: () => keyOf("acme") },
  { name: "a loop", path: "/rest/1", headers: async () => ({ ...(await keyOf("acme")), via: "1.1 weir" }) },
];

describe("an explanation, of a gateway that has been used", () => {
  let gateway: Gateway;
  beforeAll(async () => {
    stubOrigins();
    gateway = await usedGateway();
  });
  afterAll(endAll);

  it("says which limit is used up, and when to come again", async () => {
    const { steps, predicted } = await explained(gateway, asBody("/rest/1", await keyOf("small")));
    const last = steps.at(-1);
    expect(last).toMatchObject({ stage: "admit", decision: "throttled", source: "plans.open.limits.requests" });
    expect(last?.details["limits"]).toMatchObject([{ violated: true, remainingTokens: 0, capacityTokens: 2 }]);
    expect(predicted).toMatchObject({ status: 429, refusal: "limited" });
    expect(Number(predicted.headers["retry-after"])).toBeGreaterThan(60);
  });

  it("says what is stored, how old it is, and what the ladder would do", async () => {
    const { steps, ladder } = await explained(gateway, asBody("/stale/kept", await keyOf("acme")));
    const cache = steps.find(({ stage }) => stage === "cache");
    expect(cache).toMatchObject({ decision: "revalidate", source: "routes[2].cache" });
    expect(cache?.details).toMatchObject({
      key: { origin: "shut", tenant: null, site: expect.stringContaining("gateway.example"), path: "/stale/kept" },
      stored: { status: 200, staleIfErrorMs: 3_600_000 },
    });
    expect(ladder[0]).toMatchObject({ rung: "stale", answers: true, source: "routes[2].cache" });
    expect(steps.at(-1)).toMatchObject({ stage: "degrade", decision: "stale" });
  });

  it("changes nothing, a thousand times over", async () => {
    const bodies: ExplainBody[] = [{ url: "https://gateway.example/rest/1", tenant: "acme" }];
    for (const { path, headers, method } of CASES) bodies.push(asBody(path, await headers(), method));
    // What a first question learns of the world (a tenant's record) is learnt.
    for (const body of bodies) await explained(gateway, body);
    await gateway.settled();
    const before = await everything(gateway);
    expect(before).toContain("requests");
    const calls = reached.length;
    for (let index = 0; index < 1_000; index++) {
      const body = bodies[index % bodies.length];
      if (body === undefined) throw new Error("no body");
      const { url, method = "GET", headers = {}, address, tenant } = body;
      const sent = address === undefined ? headers : { ...headers, ...from(address) };
      const request = new Request(url, { method, headers: sent });
      await explain(gateway.edge, env, { request, method, tenant, config: undefined });
    }
    expect(await everything(gateway)).toBe(before);
    expect(reached).toHaveLength(calls);
  });

  it("says what the gateway then does, whatever the request", async () => {
    for (const { name, path, headers, method = "GET" } of CASES) {
      const sent = await headers();
      const { predicted, calls } = await explained(gateway, asBody(path, sent, method));
      const answer = await gateway.send(sent, path, { method });
      await answer.arrayBuffer();
      expect(
        { status: predicted.status ?? 200, served: predicted.served, cache: predicted.headers["cache-status"] ?? null },
        `${name}: ${JSON.stringify(predicted)}`,
      ).toMatchObject({ status: answer.status, served: answer.headers.get("weir-served") });
      expect(predicted.status === null, name).toBe(calls.some(({ role }) => role !== "refresh"));
      if (predicted.status === null) continue;
      for (const field of ["content-type", "www-authenticate", "allow", "ratelimit-policy", "proxy-status"]) {
        expect(predicted.headers[field] ?? null, `${name}: ${field}`).toBe(answer.headers.get(field));
      }
    }
  });
});

/** What every coordinator, the isolate and its stores hold, as text. */
async function everything(gateway: Gateway): Promise<string> {
  const { edge } = gateway;
  const parts: unknown[] = [];
  for (const kind of ["TENANT", "ORIGIN", "CONTROL", "METRICS", "TENANT_INDEX"] as const) {
    for (const name of OBJECTS[kind]) {
      const stub = env[kind].getByName(name) as DurableObjectStub;
      parts.push(name, await runInDurableObject(stub, (_object, state) => rowsOf(state.storage.sql)));
    }
  }
  for (const name of OBJECTS.TENANT) {
    const { leaseCalls, partitions } = await env.TENANT.getByName(name).status();
    // Leases end and buckets fill with time, together by as much as they had been taken from.
    const spent = partitions.map(({ partition, capacityTokens, freeTokens, outstandingTokens }) => {
      return [partition, capacityTokens - freeTokens - outstandingTokens];
    });
    parts.push(name, leaseCalls, spent);
  }
  for (const name of OBJECTS.ORIGIN) {
    const { counts, score, outstandingProbes, pops, history } = await env.ORIGIN.getByName(name).status();
    parts.push(counts, score, outstandingProbes, pops, history);
  }
  const { lessees, origins, responses, snapshots, purges } = edge;
  parts.push(lessees.stats, origins.stats, responses.stats, snapshots.stats, purges.stats);
  parts.push(gateway.calls.length, (await env.SNAPSHOTS?.list())?.keys, edge.refreshes.size);
  return JSON.stringify(parts, null, 1);
}

const OBJECTS = {
  TENANT: [
    ...["acme", "small", "listed", "trusted", "nobody"].map(tenantCoordinator),
    `anonymous:crowd:${addressPartition("192.0.2.33").coordinatorSuffix}`,
  ],
  ORIGIN: ["origin:app", "origin:tripped", "origin:shut", "origin:worked"],
  CONTROL: ["control"],
  METRICS: ["metrics:0"],
  TENANT_INDEX: ["tenant-index"],
} as const;

/** The gate notes when a token was used; the rest is as it was. */
function rowsOf(sql: SqlStorage): unknown {
  const tables = sql.exec(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name",
  );
  return tables.toArray().map(({ name }) => [name, sql.exec(`SELECT * FROM "${String(name)}"`).toArray()]);
}
