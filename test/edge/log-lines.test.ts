/** Which requests a line is written about, how many, and what is in it; what the runtime's log really gets. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { originSettings } from "../../src/edge/origin-views.ts";
import { originObjectName } from "../../src/protocol/origin.ts";
import { from, Gateway, KEY, origin, slowOrigin, withKey, eventually } from "./gateway.ts";

let lines: Record<string, unknown>[] = [];
beforeEach(() => {
  lines = [];
  vi.spyOn(console, "log").mockImplementation((line: unknown) => {
    lines.push(JSON.parse(String(line)) as Record<string, unknown>);
  });
  origin(() => new Response("fine"));
});
afterEach(async () => {
  await Gateway.allSettled();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  await reset();
});

const ROOMY = { open: { limits: { requests: { rate: "1000/s", burst: 10_000 } } } };
const gatewayWith = (logs: unknown, more: Record<string, unknown> = {}): Promise<Gateway> =>
  Gateway.of({ logs, plans: ROOMY, ...more });

describe("a request that is sampled", () => {
  it("has one line, with what it was, who asked and what became of it", async () => {
    const gateway = await gatewayWith({ sample: 1 });
    const sent: Record<string, string> = { ...(await withKey("192.0.2.1")), cookie: "session=hidden" };
    await gateway.send(sent, "/a%20b?token=hidden");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: "info",
      requestId: expect.stringMatching(/^[0-9a-f]{24}$/),
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/),
      tenant: "acme",
      principal: expect.stringMatching(/^[\w+/=]{16}$/),
      route: "all",
      method: "GET",
      path: "/a%20b",
      status: 200,
      outcome: "origin",
      served: "origin",
      refusal: null,
      failure: null,
      decidedBy: "coordinator",
      violated: [],
      durationMs: expect.any(Number),
      pop: gateway.edge.pop,
      configVersion: 1,
      attempts: 1,
    });
    const text = JSON.stringify(lines);
    for (const secret of ["hidden", sent["x-api-key"], KEY, "192.0.2.1"]) expect(text).not.toContain(secret);
  });

  it("is one of so many as the config says, and none where it says none", async () => {
    const gateway = await gatewayWith({ sample: 0.2 });
    const key = await withKey("192.0.2.1");
    await gateway.statuses(1_000, key);
    // Five standard deviations.
    expect(Math.abs(lines.length - 200)).toBeLessThan(64);
    lines = [];
    const silent = await gatewayWith({ sample: 0 });
    await silent.statuses(200, key);
    expect(lines).toEqual([]);
  });

  it("names the trace that it belongs to, as the origin is told it", async () => {
    const told: (string | null)[][] = [];
    vi.stubGlobal("fetch", async (_url: string, { headers }: { headers: Headers }) => {
      told.push([headers.get("traceparent"), headers.get("tracestate")]);
      return new Response("fine");
    });
    const gateway = await gatewayWith({ sample: 1 });
    const key = await withKey("192.0.2.1");
    const caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    await gateway.send({ ...key, traceparent: caller, tracestate: "vendor=1" });
    await gateway.send({ ...key, traceparent: "00-bad", tracestate: "vendor=1" });
    expect(told[0]).toEqual([caller, "vendor=1"]);
    // A trace that begins here has no state.
    expect(told[1]).toEqual([lines[1]?.["traceparent"], null]);
    expect(lines.map(({ traceparent }) => traceparent)).toEqual(told.map(([parent]) => parent));
    expect(String(lines[1]?.["traceparent"]).slice(11, 35)).toBe(lines[1]?.["requestId"]);
  });
});

describe("a refusal by policy", () => {
  const refusedOf = async (gateway: Gateway, headers: Record<string, string>, path = "/"): Promise<unknown[]> => {
    lines = [];
    await gateway.send(headers, path);
    return lines.map(({ level, status, outcome, refusal, failure, tenant, violated }) => [
      level,
      status,
      outcome,
      refusal,
      failure,
      tenant,
      violated,
    ]);
  };

  it("is logged though nothing is sampled: throttled, denied, and a wrong credential", async () => {
    const gateway = await Gateway.of({ logs: { sample: 0 }, access: { deny: ["203.0.113.0/24"] } });
    const key = await withKey("192.0.2.1");
    await gateway.statuses(2, key);
    expect(lines).toEqual([]);
    expect(await refusedOf(gateway, key)).toEqual([["warn", 429, "throttled", "limited", null, "acme", ["requests"]]]);
    expect(await refusedOf(gateway, await withKey("203.0.113.9"))).toEqual([
      ["warn", 403, "refused", "denied", null, "acme", []],
    ]);
    expect(await refusedOf(gateway, { ...from("192.0.2.1"), "x-api-key": "wrong" })).toEqual([
      ["warn", 401, "refused", "invalid-key", null, null, []],
    ]);
  });

  it("is logged where the origin is not asked: its breaker is open, or its slots are taken", async () => {
    const slow = slowOrigin();
    const gateway = await gatewayWith(
      { sample: 0 },
      { origins: { app: { url: "https://app.example", concurrency: 1, retry: { attempts: 1 } } } },
    );
    const key = await withKey("192.0.2.1");
    const first = gateway.send(key);
    await eventually(() => expect(slow.waiting()).toBe(1));
    expect(await refusedOf(gateway, key)).toEqual([["warn", 503, "fallback", "unavailable", "bulkhead", "acme", []]]);
    slow.answerAll();
    await first;
    const [app] = gateway.edge.tables.origins;
    if (app === undefined) throw new Error("the config has no origin");
    const settings = originSettings(app, 1);
    const order = { v: 1, settings, state: "open", reason: "test", by: "test", forMs: 60_000 } as const;
    await env.ORIGIN.getByName(originObjectName("app")).force(order);
    const other = await gatewayWith({ sample: 0 });
    expect(await refusedOf(other, key)).toEqual([["warn", 503, "fallback", "unavailable", "breaker-open", "acme", []]]);
  });

  it("is not what is wrong with a request, or with the origin", async () => {
    const gateway = await gatewayWith({ sample: 0 }, { routes: [{ id: "a", match: { path: "/a" }, origin: "app" }] });
    const key = await withKey("192.0.2.1");
    expect((await gateway.send(key, "/unknown")).status).toBe(404);
    expect((await gateway.send(key, "/%00")).status).toBe(400);
    origin(() => new Response("broken", { status: 500 }));
    expect((await gateway.send(key, "/a")).status).toBe(500);
    expect(lines).toEqual([]);
  });

  it("is logged so many times each second; the next line says how many were not, and they are counted", async () => {
    let nowMs = Date.now();
    vi.spyOn(Date, "now").mockImplementation(() => nowMs);
    const gateway = await gatewayWith({ sample: 0, refusalsPerSecond: 3 });
    const wrong = { ...from("192.0.2.1"), "x-api-key": "wrong" };
    await gateway.statuses(10, wrong);
    expect(lines).toHaveLength(3);
    nowMs += 999;
    await gateway.statuses(5, wrong);
    expect(lines).toHaveLength(3);
    nowMs += 1;
    await gateway.statuses(2, wrong);
    expect(lines.map(({ suppressed }) => suppressed)).toEqual([undefined, undefined, undefined, 12, undefined]);
    expect((await gateway.totals())["weir_log_lines_suppressed_total"]).toBe(12);
  });
});
