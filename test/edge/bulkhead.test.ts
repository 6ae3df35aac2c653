/** An origin's slots, and a tenant's there: shared by edges, given back whatever happens, shed in order. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Gateway, KEY, origin, slowOrigin, withKey, eventually } from "./gateway.ts";

const ROOMY = { limits: { requests: { rate: "1000/s", burst: 1_000 } } };
const config = (app: Record<string, unknown>): Record<string, unknown> => ({
  origins: { app: { url: "https://app.example", ...app } },
  plans: { open: ROOMY, vip: { ...ROOMY, priority: "high" }, trial: { ...ROOMY, priority: "low" } },
  tenants: {
    acme: { plan: "open" },
    other: { plan: "open" },
    vip: { plan: "vip" },
    first: { plan: "vip" },
    trial: { plan: "trial" },
  },
});

const keyOf = (tenant: string): Promise<Record<string, string>> => withKey("192.0.2.1", KEY, tenant);

afterEach(async () => {
  // What an isolate still says behind its answers must not reach the objects of the next test.
  await Gateway.allSettled();
  vi.unstubAllGlobals();
  await reset();
});

/** Sends until `count` more calls wait at the origin. */
async function occupy(gateway: Gateway, slow: ReturnType<typeof slowOrigin>, tenant: string, count: number) {
  const before = slow.waiting();
  const key = await keyOf(tenant);
  const answers = Array.from({ length: count }, () => gateway.send(key));
  await eventually(() => expect(slow.waiting()).toBe(before + count));
  return answers;
}

describe("an origin's concurrency", () => {
  it("holds for the whole world: what is too much is shed with 503, Retry-After and Proxy-Status", async () => {
    const slow = slowOrigin();
    const edges = [
      await Gateway.patient(config({ concurrency: 4 })),
      await Gateway.patient(config({ concurrency: 4 })),
    ];
    const key = await keyOf("vip");
    const answers = edges.flatMap((edge) => Array.from({ length: 5 }, () => edge.send(key)));
    await eventually(() => expect(slow.waiting()).toBe(4));
    const refused = await Promise.race(answers);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("proxy-status")).toContain("connection_limit_reached");
    expect(refused.headers.get("weir-served")).toBe("fallback");
    slow.answerAll();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(4);
    for (const edge of edges) await edge.settled();
    await eventually(async () => {
      const again = edges.map((edge) => edge.send(key));
      await eventually(() => expect(slow.waiting()).toBe(2));
      slow.answerAll();
      for (const answer of again) expect((await answer).status).toBe(200);
    });
  });

  it("comes back when the call fails, and when a streamed body has been sent or dropped", async () => {
    const gateway = await Gateway.patient(config({ concurrency: 1, retry: { attempts: 1 } }));
    const key = await keyOf("vip");
    origin(() => {
      throw new Error("Network connection lost.");
    });
    for (let call = 0; call < 3; call++) {
      await eventually(async () => {
        const failed = await gateway.send(key);
        expect(failed.headers.get("proxy-status")).toContain("connection_terminated");
      });
    }
    const large = new Uint8Array(300_000);
    origin(() => new Response(large, { headers: { "content-length": String(large.length) } }));
    const sent = await eventually(async () => {
      const answer = await gateway.send(key);
      expect(answer.status).toBe(200);
      return answer;
    });
    expect((await gateway.send(key)).status).toBe(503);
    expect((await sent.arrayBuffer()).byteLength).toBe(large.length);
    const dropped = await eventually(async () => {
      const answer = await gateway.send(key);
      expect(answer.status).toBe(200);
      return answer;
    });
    await dropped.body?.cancel();
    await eventually(async () => {
      const answer = await gateway.send(key);
      await answer.body?.cancel();
      expect(answer.status).toBe(200);
    });
  });

  it("is shed low priority first, then normal", async () => {
    const slow = slowOrigin();
    const gateway = await Gateway.patient(config({ concurrency: 10 }));
    const answers = await occupy(gateway, slow, "vip", 7);
    // Low priority is shed from 70 %, normal from 90 %.
    expect((await gateway.send(await keyOf("trial"))).status).toBe(503);
    answers.push(...(await occupy(gateway, slow, "acme", 1)));
    answers.push(...(await occupy(gateway, slow, "other", 1)));
    expect((await gateway.send(await keyOf("acme"))).status).toBe(503);
    answers.push(...(await occupy(gateway, slow, "first", 1)));
    expect((await gateway.send(await keyOf("first"))).status).toBe(503);
    slow.answerAll();
    for (const answer of answers) expect((await answer).status).toBe(200);
  });

  it("leaves room for others beside a tenant that takes more than its share", async () => {
    const slow = slowOrigin();
    const gateway = await Gateway.patient(config({ concurrency: 10 }));
    const answers = await occupy(gateway, slow, "other", 1);
    answers.push(...(await occupy(gateway, slow, "acme", 6)));
    // Of normal priority and over its share: as low.
    expect((await gateway.send(await keyOf("acme"))).status).toBe(503);
    answers.push(...(await occupy(gateway, slow, "other", 1)));
    slow.answerAll();
    for (const answer of answers) expect((await answer).status).toBe(200);
  });

  it("is left alone by what the cache answers and what a limit refuses", async () => {
    const slow = slowOrigin();
    const gateway = await Gateway.patient({
      ...config({ concurrency: 1 }),
      plans: { open: { limits: { requests: { rate: "1/h", burst: 1 } } } },
      tenants: { acme: { plan: "open" } },
    });
    const key = await keyOf("acme");
    const first = gateway.send(key);
    await eventually(() => expect(slow.waiting()).toBe(1));
    expect((await gateway.send(key)).status).toBe(429);
    slow.answerAll();
    expect((await first).status).toBe(200);
  });
});

describe("a tenant's concurrency at an origin", () => {
  it("is the tenant's own limit: 429 for it, nothing for the others", async () => {
    const slow = slowOrigin();
    const edges = [
      await Gateway.patient(config({ concurrencyPerTenant: 2 })),
      await Gateway.patient(config({ concurrencyPerTenant: 2 })),
    ];
    const key = await keyOf("acme");
    const answers = edges.flatMap((edge) => Array.from({ length: 3 }, () => edge.send(key)));
    await eventually(() => expect(slow.waiting()).toBe(2));
    const refused = await Promise.race(answers);
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ "violated-policies": ["origin:app"] });
    const other = edges[0]?.send(await keyOf("other"));
    await eventually(() => expect(slow.waiting()).toBe(3));
    slow.answerAll();
    expect((await other)?.status).toBe(200);
    expect((await Promise.all(answers)).filter(({ status }) => status === 200)).toHaveLength(2);
  });
});
