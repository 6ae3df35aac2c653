/** Kinds of limits through the whole pipeline: concurrency, late costs, quotas that come back, what the headers say. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { parseList } from "structured-headers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { from, Gateway, origin, slowOrigin, withKey } from "./gateway.ts";

afterEach(async () => {
  vi.unstubAllGlobals();
  await reset();
});

const partitions = async () => (await env.TENANT.getByName("tenant:acme").status()).partitions;
const free = async (name: string): Promise<number | undefined> =>
  (await partitions()).find(({ partition }) => partition === name)?.freeTokens;

describe("concurrency", () => {
  const config = {
    plans: { open: { limits: { requests: { rate: "1000/s", burst: 1_000 } } } },
    tenants: { acme: { plan: "open", concurrency: 3 } },
  };

  it("holds for the whole world: edges share the slots, and give them back when their requests end", async () => {
    const slow = slowOrigin();
    const edges = [await Gateway.patient(config), await Gateway.patient(config)];
    const key = await withKey("192.0.2.1");
    const answers = edges.flatMap((edge) => Array.from({ length: 4 }, () => edge.send(key)));
    await vi.waitFor(() => expect(slow.waiting()).toBe(3));
    const refused = await Promise.race(answers);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({
      title: "Too many requests at once",
      "violated-policies": ["concurrency"],
    });
    expect(parseList(refused.headers.get("ratelimit-policy") ?? "").map((member) => member[0])).toEqual([
      "requests",
      "concurrency",
    ]);
    slow.answerAll();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(3);
    for (const edge of edges) await edge.settled();
    await vi.waitFor(async () => {
      const again = edges.map((edge) => edge.send(key));
      await vi.waitFor(() => expect(slow.waiting()).toBe(2));
      slow.answerAll();
      expect((await Promise.all(again)).map(({ status }) => status)).toEqual([200, 200]);
    });
  });

  it("counts a request until its streamed body has been sent, or its client is gone", async () => {
    const gateway = await Gateway.patient({ ...config, tenants: { acme: { plan: "open", concurrency: 1 } } });
    const key = await withKey("192.0.2.1");
    const large = new Uint8Array(300_000);
    origin(() => new Response(large, { headers: { "content-length": String(large.length) } }));
    const sent = await gateway.send(key);
    expect((await gateway.send(key)).status).toBe(429);
    expect((await sent.arrayBuffer()).byteLength).toBe(large.length);
    await vi.waitFor(async () => {
      const dropped = await gateway.send(key);
      expect(dropped.status).toBe(200);
      await dropped.body?.cancel();
    });
    await vi.waitFor(async () => {
      const again = await gateway.send(key);
      expect(again.status).toBe(200);
      await again.body?.cancel();
    });
  });
});

describe("a late cost", () => {
  const config = {
    plans: { open: { limits: { requests: { rate: "1/h", burst: 100 } } } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app", lateCost: { header: "X-Cost", max: 50 } }],
  };
  const answering = (cost: string): void => {
    origin(() => new Response("hello", { headers: { "x-cost": cost } }));
  };

  it("is charged beyond what the request cost, and its header stays here", async () => {
    const gateway = await Gateway.patient(config);
    answering("30.5");
    const answer = await gateway.send(await withKey("192.0.2.1"));
    expect(answer.headers.get("x-cost")).toBeNull();
    await gateway.send(await withKey("192.0.2.1"));
    await gateway.settled();
    await vi.waitFor(async () => {
      await gateway.send(await withKey("192.0.2.1"));
      // Three requests of 30.5 each; what the isolate still holds of a lease is not free.
      expect(await free("requests")).toBeLessThanOrEqual(100 - 61);
    });
  });

  it("is never more than the route says, and bounds what is owed by the burst", async () => {
    const gateway = await Gateway.patient(config);
    answering("99999999999999999999");
    const key = await withKey("192.0.2.1");
    const statuses = await gateway.statuses(12, key);
    // 50 each, known only afterwards: the third finds nothing left.
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(4);
    expect(statuses.at(-1)).toBe(429);
  });

  it.each(["NaN", "-5", "1e9", "", "Infinity", "1.2.3"])(
    "that is no number of tokens (%s) is counted and charges nothing",
    async (text) => {
      const gateway = await Gateway.patient(config);
      answering(text);
      const key = await withKey("192.0.2.1");
      expect(await gateway.statuses(20, key)).toEqual(Array.from({ length: 20 }, () => 200));
      expect(await gateway.totals()).toMatchObject({ 'weir_late_cost_invalid_total{route="all"}': 20 });
    },
  );
});

describe("a quota", () => {
  const config = {
    plans: { open: { limits: { daily: { quota: 3, per: "day" }, requests: { rate: "1/h", burst: 50 } } } },
  };

  it("is given back when the origin did not answer; tokens are not", async () => {
    const gateway = await Gateway.patient(config);
    origin(() => new Response("broken", { status: 503 }));
    const key = await withKey("192.0.2.1");
    // Not so many that the breaker opens.
    expect(await gateway.statuses(4, key)).not.toContain(429);
    await gateway.settled();
    expect(await free("requests")).toBeLessThanOrEqual(46);
    origin(() => new Response("hello"));
    const after = await gateway.statuses(5, key);
    expect(after.filter((status) => status === 200)).toHaveLength(3);
    expect(after.at(-1)).toBe(429);
  });
});

describe("what the headers say", () => {
  it("names the caller's partition by a truncated HMAC, and nobody else's", async () => {
    const gateway = await Gateway.patient({
      plans: { open: { limits: { own: { rate: "1/h", burst: 5, partition: "principal" } } } },
    });
    origin(() => new Response("hello"));
    const partitionKey = async (headers: Record<string, string>): Promise<string | undefined> =>
      /;pk=:([A-Za-z0-9+/]{16}):/.exec((await gateway.send(headers)).headers.get("ratelimit") ?? "")?.[1];
    const mine = await partitionKey(await withKey("192.0.2.1"));
    expect(mine).toBeDefined();
    expect(await partitionKey(await withKey("192.0.2.9"))).toBe(mine);
    expect(await partitionKey(await withKey("192.0.2.1", "fedcba9876543210"))).not.toBe(mine);
    const anonymous = await partitionKey(from("192.0.2.1"));
    expect(anonymous).toBeDefined();
    expect(await partitionKey(from("192.0.2.1"))).toBe(anonymous);
  });

  it.each([
    ["ietf", true, false],
    ["legacy", false, true],
    ["both", true, true],
    ["none", false, false],
  ])("in the fields the config asks for: %s", async (rateLimitFields, ietf, legacy) => {
    const gateway = await Gateway.patient({ rateLimitFields });
    origin(() => new Response("hello"));
    const { headers } = await gateway.send(await withKey("192.0.2.1"));
    expect([headers.has("ratelimit"), headers.has("x-ratelimit-remaining")]).toEqual([ietf, legacy]);
    if (legacy) expect([headers.get("x-ratelimit-limit"), headers.get("x-ratelimit-remaining")]).toEqual(["2", "1"]);
  });
});
