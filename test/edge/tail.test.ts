/** What watching costs a gateway, and what it tells. */
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Edge } from "../../src/edge/edge.ts";
import type { TailOrder } from "../../src/protocol/metrics.ts";
import { Gateway, KEY, origin, withKey } from "./gateway.ts";

const order = (filter: TailOrder["listeners"][number]["filter"] = {}, more: Partial<TailOrder> = {}): TailOrder => ({
  listeners: [{ listener: "one", filter }],
  most: 50,
  forMs: 15_000,
  ...more,
});

async function quietGateway(): Promise<Gateway> {
  const gateway = await Gateway.of({ routes: [{ id: "all", match: { path: "/*" }, origin: "app" }] });
  // Flushed by hand.
  gateway.edge.counters.claimFlush(Number.POSITIVE_INFINITY);
  return gateway;
}

const flushed = ({ tail }: Edge) => tail.take();

describe("a gateway", () => {
  beforeEach(() => {
    origin(() => new Response("fine"));
  });
  afterEach(async () => {
    await Gateway.allSettled();
    vi.unstubAllGlobals();
    await reset();
  });

  it("that nobody watches keeps no decision, sends none and makes no call more", async () => {
    const gateway = await quietGateway();
    const offered = vi.spyOn(gateway.edge.tail, "offer");
    await gateway.statuses(3, await withKey("192.0.2.1"));
    expect(offered).not.toHaveBeenCalled();
    expect(flushed(gateway.edge)).toBeUndefined();
    const unwatched = [...gateway.calls];
    const watched = await quietGateway();
    watched.edge.tail.follow(order(), Date.now());
    await watched.statuses(3, await withKey("192.0.2.1", KEY, "acme"));
    expect(watched.calls.length).toBeLessThanOrEqual(unwatched.length);
  });

  it("tells who watches of each request: who, where, how it ended and why; of no credential and no query", async () => {
    const gateway = await quietGateway();
    gateway.edge.tail.follow(order(), Date.now());
    const sent: Record<string, string> = { ...(await withKey("192.0.2.1")), cookie: "session=hidden" };
    await gateway.statuses(3, sent, "/a%20b/c?token=hidden");
    const [part] = flushed(gateway.edge) ?? [];
    expect(part).toMatchObject({ listener: "one", matched: 3 });
    expect(part?.decisions.map(({ status, outcome, violated }) => [status, outcome, violated])).toEqual([
      [200, "origin", []],
      [200, "origin", []],
      [429, "throttled", ["requests"]],
    ]);
    expect(part?.decisions[0]).toMatchObject({
      tenant: "acme",
      route: "all",
      method: "GET",
      path: "/a%20b/c",
      served: "origin",
      requestId: expect.stringMatching(/^[0-9a-f]{24}$/),
    });
    expect(JSON.stringify(part)).not.toContain("hidden");
    expect(JSON.stringify(part)).not.toContain(sent["x-api-key"]);
  });

  it("tells only what the filter lets through", async () => {
    const gateway = await quietGateway();
    gateway.edge.tail.follow(order({ tenants: ["acme"], status: "4xx" }), Date.now());
    await gateway.statuses(4, await withKey("192.0.2.1"));
    await gateway.send({ "x-api-key": "wrong" });
    const [part] = flushed(gateway.edge) ?? [];
    expect(part?.matched).toBe(2);
    expect(part?.decisions.every(({ status, tenant }) => status === 429 && tenant === "acme")).toBe(true);
  });

  it("keeps so many of a flood for each flush and no more, and says how many there were", async () => {
    const gateway = await quietGateway();
    gateway.edge.tail.follow(order({}, { most: 5 }), Date.now());
    await gateway.statuses(200, await withKey("192.0.2.1"));
    const first = flushed(gateway.edge);
    expect(first?.[0]).toMatchObject({ matched: 200 });
    expect(first?.[0]?.decisions).toHaveLength(5);
    await gateway.statuses(100, await withKey("192.0.2.1"));
    const second = flushed(gateway.edge)?.[0];
    expect([second?.matched, second?.decisions.length]).toEqual([100, 5]);
  });

  it("stops when a reply says so, or when none has come for longer than the order holds", async () => {
    const gateway = await quietGateway();
    const { tail } = gateway.edge;
    tail.follow(order(), Date.now());
    tail.follow(undefined, Date.now());
    expect(tail.listening).toBe(false);
    tail.follow(order({}, { forMs: 1_000 }), Date.now() - 2_000);
    expect(tail.listening).toBe(true);
    await gateway.send(await withKey("192.0.2.1"));
    expect(tail.listening).toBe(false);
    expect(flushed(gateway.edge)).toBeUndefined();
  });
});
