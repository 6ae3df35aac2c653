/** What a client gets from each way an origin can fail, on a cached route, a route with a page, and a bare one. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin, type OriginMode } from "../support/broken-origin.ts";
import { ADMIN, configOf, startTestGateway, temporaryFolder } from "../support/gateway.ts";
import { type Outcome, send } from "../support/traffic.ts";

const folder = temporaryFolder();
const origin = new BrokenOrigin();
const second = new BrokenOrigin();
let gateway: Gateway;

beforeAll(async () => {
  await origin.start();
  await second.start();
  const open = { type: "anonymous", plan: "open" };
  const breaker = { earlyAge: "200ms" };
  const config = await configOf(folder.path, {
    version: 1,
    origins: {
      app: { url: origin.url, deadline: "400ms", retry: { attempts: 1 }, breaker },
      first: { url: origin.url, deadline: "400ms", retry: { attempts: 1 }, failover: "second", breaker },
      second: { url: second.url },
    },
    identity: [open],
    plans: { open: { limits: { requests: { rate: "10000/s", burst: 10_000 } } } },
    routes: [
      { id: "catalog", match: { path: "/catalog/*" }, origin: "app", cache: { staleIfError: "1h" } },
      { id: "page", match: { path: "/page" }, origin: "app", degraded: { retryAfter: "30s" } },
      { id: "failover", match: { path: "/failover" }, origin: "first" },
      { id: "bare", match: { path: "/*" }, origin: "app" },
    ],
  });
  gateway = await startTestGateway(config);
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  await second.kill();
  folder.remove();
});

const get = (path: string, headers: Record<string, string> = {}): Promise<Outcome> =>
  send(undefined, gateway.urls[0] + path, { headers });

/** Every test begins with a closed breaker and a stored answer that has just become stale. */
beforeEach(async () => {
  origin.mode = "ok";
  for (const name of ["app", "first"]) {
    await fetch(`${gateway.urls[0]}/_weir/api/v1/breakers/${name}/reset`, {
      method: "POST",
      headers: ADMIN,
      body: JSON.stringify({ reason: "next test" }),
    });
  }
  await get("/catalog/boots", { "cache-control": "no-cache" });
});

const WAYS: readonly { mode: OriginMode; error: string; bareStatus: number }[] = [
  { mode: "reset", error: "connection_terminated", bareStatus: 503 },
  { mode: "hang", error: "http_response_timeout", bareStatus: 503 },
  { mode: "slow-headers", error: "http_response_timeout", bareStatus: 503 },
  { mode: "cut", error: "http_response_incomplete", bareStatus: 503 },
  { mode: "chunked-cut", error: "http_response_incomplete", bareStatus: 503 },
  { mode: "500", error: "destination_unavailable", bareStatus: 500 },
  { mode: "503", error: "destination_unavailable", bareStatus: 503 },
  // No status of HTTP: it cannot be passed on.
  { mode: "999", error: "destination_unavailable", bareStatus: 503 },
];

describe.each(WAYS)("an origin that fails by $mode", ({ mode, error, bareStatus }) => {
  it("gives a stale answer, a page, the second origin's answer, or a plain refusal: never a dropped connection", async () => {
    origin.mode = mode;
    const stale = await get("/catalog/boots", { "cache-control": "no-cache" });
    expect([stale.status, stale.served, stale.error]).toEqual([200, "stale", ""]);
    expect(JSON.parse(stale.body)).toMatchObject({ path: "/catalog/boots" });

    const page = await get("/page", { accept: "text/html" });
    expect([page.status, page.served, page.retryAfter]).toEqual([503, "fallback", "30"]);
    expect(page.body).toContain("<h1>We will be right back</h1>");
    expect(page.headers["proxy-status"]).toContain(`error=${error};next-hop="app"`);
    expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
    expect(page.headers["cache-control"]).toBe("no-store");

    const failover = await get("/failover");
    expect([failover.status, failover.served]).toEqual([200, "failover"]);

    const bare = await get("/bare");
    expect([bare.status, bare.error]).toEqual([bareStatus, ""]);
    expect(bare.headers["proxy-status"]).toContain(`error=${error}`);
  });
});

describe("an origin whose port is closed", () => {
  it("is answered for like any other dead one", async () => {
    await origin.kill();
    try {
      expect((await get("/catalog/boots", { "cache-control": "no-cache" })).served).toBe("stale");
      expect((await get("/page")).served).toBe("fallback");
      expect((await get("/bare")).status).toBe(503);
    } finally {
      await origin.start();
    }
  });
});

describe("an origin that throttles with 429", () => {
  it("is passed on as it is, with its Retry-After, and trips nothing", async () => {
    origin.mode = "429";
    for (let index = 0; index < 40; index++) {
      const answer = await get("/bare");
      expect([answer.status, answer.served, answer.retryAfter]).toEqual([429, "origin", "7"]);
    }
    origin.mode = "ok";
    expect((await get("/bare")).status).toBe(200);
  });
});

describe("requests that a gateway must not pass on as they are", () => {
  it("reach the origin in canonical form, without what they claim and with what the next hop needs", async () => {
    origin.arrivals.length = 0;
    await get("/a//b/../%7Ec;x=1?q=1", {
      "x-forwarded-for": "6.6.6.6",
      "weir-tenant": "root",
      connection: "close, x-secret",
      "x-secret": "1",
    });
    const [arrival] = origin.arrivals;
    expect(arrival?.path).toBe("/a/~c;x=1?q=1");
    expect(arrival?.headers["x-forwarded-for"]).toBeUndefined();
    expect(arrival?.headers["weir-tenant"]).toBeUndefined();
    expect(arrival?.headers["x-secret"]).toBeUndefined();
    expect(arrival?.headers["via"]).toBe("1.1 weir");
    expect(arrival?.headers["weir-attempt"]).toBe("1");
    expect(arrival?.headers["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it("are refused: a loop with 508, control bytes with 400, TRACE with 405, an unknown admin path with 404", async () => {
    expect((await get("/", { via: "1.1 weir" })).status).toBe(508);
    expect((await get("/", { "cdn-loop": "weir" })).status).toBe(508);
    expect((await get("/a%00b")).status).toBe(400);
    expect((await get("/a%zz")).status).toBe(400);
    expect((await send(undefined, `${gateway.urls[0]}/`, { method: "TRACE" })).status).toBe(405);
    expect((await get("/_weir/api/v1/status")).status).toBe(404);
    expect((await get("/_weir/api/v1/status", { authorization: "Bearer wrong" })).status).toBe(404);
  });
});
