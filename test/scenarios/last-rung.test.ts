/**
 * The last rung holds when nothing else does: the built Worker on workerd, over a real socket, with a config that cannot be
 * read, and with a good config but none of its bindings. Every request gets an answer of ours; no connection is dropped.
 */
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildWorker } from "../../local/build-worker.ts";
import { freePorts } from "../../local/ports.ts";
import type { Config } from "../../src/config/model.ts";
import { configOf, temporaryFolder } from "../support/gateway.ts";
import { send } from "../support/traffic.ts";

const BROWSER = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

/** The Worker with nothing bound: no objects, no secrets. */
async function startBare(config: unknown): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const port = await freePorts(1);
  const worker = {
    name: "bare",
    compatibilityDate: "2026-10-01",
    compatibilityFlags: ["enable_request_signal"],
    modules: [{ type: "ESModule", path: "worker.js", contents: await buildWorker(config as Config) }],
    unsafeDirectSockets: [{ host: "127.0.0.1", port }],
  };
  // What it logs is that the config cannot be read, once for each request.
  const quiet = { log: new Log(LogLevel.NONE), logRequests: false, handleStructuredLogs: (): void => undefined };
  const options = { ...quiet, cf: false, workers: [worker] };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions(options as unknown as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  await miniflare.ready;
  return { url: `http://127.0.0.1:${port}`, stop: () => miniflare.dispose() };
}

describe.each([
  ["nothing", null],
  ["a text", "weir"],
  ["an empty object", {}],
  ["half a config", { configVersion: 1, hash: "", origins: [], identity: [], plans: {}, tenants: {}, routes: "all" }],
])("a config that is %s, and no binding", (_what, config) => {
  let gateway: Awaited<ReturnType<typeof startBare>>;
  beforeAll(async () => {
    gateway = await startBare(config);
  });
  afterAll(() => gateway.stop());

  it.each([
    ["GET", "/"],
    ["HEAD", "/shop"],
    ["POST", "/orders?x=%"],
    ["GET", "/_weir/livez"],
    ["GET", "/_weir/api/v1/status"],
  ])("still answers %s %s, also again", async (method, path) => {
    for (const headers of [{}, BROWSER]) {
      const answer = await send(undefined, gateway.url + path, { method, headers });
      expect([answer.status, answer.error, answer.served, answer.retryAfter]).toEqual([503, "", "fallback", "5"]);
      expect(answer.headers["cache-control"]).toBe("no-store");
      if (method === "HEAD") continue;
      if (headers === BROWSER) expect(answer.body).toContain("<h1>Service unavailable</h1>");
      else expect(JSON.parse(answer.body)).toMatchObject({ title: "Service Unavailable", status: 503 });
    }
  });
});

describe("a good config, and no binding", () => {
  const folder = temporaryFolder();
  let gateway: Awaited<ReturnType<typeof startBare>>;
  beforeAll(async () => {
    const limits = (failMode: string): unknown => ({ requests: { rate: "10/s", burst: 10, failMode } });
    const match = (path: string): unknown => ({ path });
    const config = await configOf(folder.path, {
      version: 1,
      // Nobody listens there.
      origins: { app: { url: `http://127.0.0.1:${await freePorts(1)}`, retry: { attempts: 1 } } },
      identity: [
        { type: "apiKey", header: "x-api-key" },
        { type: "anonymous", plan: "open" },
      ],
      plans: { open: { limits: limits("open") as never }, keyed: {} },
      tenants: { acme: { plan: "keyed" } },
      routes: [
        { id: "closed", match: match("/closed"), origin: "app", limits: { own: { rate: "1/s", failMode: "closed" } } },
        { id: "local", match: match("/local"), origin: "app", limits: { own: { rate: "1/s", failMode: "local" } } },
        { id: "cached", match: match("/cached"), origin: "app", cache: { ttl: "1m", staleIfError: "1h" } },
        { id: "page", match: match("/page"), origin: "app", degraded: {} },
      ],
    });
    gateway = await startBare(config);
  });
  afterAll(async () => {
    await gateway.stop();
    folder.remove();
  });

  it.each(["/closed", "/local", "/cached", "/page"])("answers %s with what is left", async (path) => {
    const answer = await send(undefined, gateway.url + path, { headers: BROWSER });
    expect([answer.status, answer.error]).toEqual([503, ""]);
    expect(answer.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(Number(answer.retryAfter)).toBeGreaterThanOrEqual(1);
    // By the pipeline: the last rung itself has no reference.
    expect(answer.body).toContain(answer.headers["weir-request-id"]);
  });

  it("answers what no route matches, and a key that cannot be checked", async () => {
    expect((await send(undefined, `${gateway.url}/nowhere`)).status).toBe(404);
    const keyed = await send(undefined, `${gateway.url}/page`, { headers: { "x-api-key": "weir_abc" } });
    expect(keyed.status).toBe(503);
    expect(keyed.body).toContain("key-secret-missing");
    expect((await send(undefined, `${gateway.url}/_weir/livez`)).status).toBe(200);
  });
});
