/** Eight edges over real sockets, the runtime killed in between: the totals are what the clients saw. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { freePorts } from "../../local/ports.ts";
import { ADMIN, configOf, keyFor, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { runTraffic } from "../support/traffic.ts";

const EDGES = 8;
const DRILL = process.env["WEIR_DRILL"] === "1";
/** In each of two lives: 20,000 in all in the drill. */
const REQUESTS = DRILL ? 10_000 : 1_000;
const RATE = 1_000;
/** What edges have flushed that are quiet since is stored by then. */
const STORED_AFTER_MS = 5_000;
const ASK_EVERY_MS = 200;
/** On a busy machine a flush may fail by its deadline. */
const ROUNDS = 4;
const OUTCOME_OF: Readonly<Record<number, string>> = { 200: "origin", 404: "refused", 429: "throttled" };

const folder = temporaryFolder();
const origin = new BrokenOrigin();

beforeAll(() => origin.start());
afterAll(async () => {
  await origin.kill();
  folder.remove();
});

/** Outcome -> requests, over all routes. */
async function counted(url: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/_weir/metrics`, { headers: ADMIN })).text();
  const sums: Record<string, number> = {};
  for (const [, outcome = "", count] of text.matchAll(/^weir_requests_total\{[^}]*outcome="(\w+)"\} (\d+)$/gm)) {
    sums[outcome] = (sums[outcome] ?? 0) + Number(count);
  }
  return sums;
}

const equal = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].every((name) => (a[name] ?? 0) === (b[name] ?? 0));

describe("the counters of eight edges", () => {
  it("are exact after a flush, and still after the runtime was killed and all isolates are others", async () => {
    const config = await configOf(folder.path, {
      version: 1,
      origins: { app: { url: origin.url } },
      identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
      plans: { standard: { limits: { requests: { rate: "400/s", burst: 400, deadline: "3s" } } } },
      tenants: { acme: { plan: "standard" } },
      routes: [{ id: "shop", match: { path: "/shop/*" }, origin: "app" }],
    });
    const port = await freePorts(EDGES);
    const headers = await keyFor("acme");
    const seen: Record<string, number> = {};
    for (let life = 0; life < 2; life++) {
      const gateway = await startTestGateway(config, { edges: EDGES, port, stateDir: folder.path });
      let sent = 0;
      const ask = async (requests: number): Promise<void> => {
        const outcomes = await runTraffic({
          urls: gateway.urls,
          path: () => (sent++ % 5 === 0 ? "/nowhere" : "/shop/x"),
          headers,
          ratePerSecond: RATE,
          durationMs: (requests / RATE) * 1_000,
        });
        for (const { status, served } of outcomes) {
          // On a busy machine the origin's breaker may open: what was served then says so.
          const outcome = OUTCOME_OF[status] ?? served;
          seen[outcome] = (seen[outcome] ?? 0) + 1;
        }
      };
      await ask(REQUESTS);
      const [url = ""] = gateway.urls;
      let totals: Readonly<Record<string, number>> = {};
      const areEqual = async (): Promise<boolean> => {
        await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
        totals = await counted(url);
        return equal(totals, seen);
      };
      for (let round = 0; round < ROUNDS && !equal(totals, seen); round++) {
        // What a flush in vain has left waits for the next request.
        if (round > 0) await ask(EDGES);
        await waitUntil("the last flush", 10_000, areEqual).catch(() => undefined);
      }
      expect([life, totals]).toEqual([life, { ...totals, ...seen }]);
      expect(equal(totals, seen)).toBe(true);
      const flushedAtMs = performance.now();
      if (life === 0) {
        await waitUntil("storing", 10_000, () => performance.now() - flushedAtMs > STORED_AFTER_MS);
        if (gateway.pid !== undefined) process.kill(gateway.pid, "SIGKILL");
      }
      await gateway.stop();
    }
    for (const outcome of ["origin", "refused", "throttled"])
      expect([outcome, seen[outcome] ?? 0]).not.toEqual([outcome, 0]);
    expect(Object.values(seen).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(2 * REQUESTS);
  });
});
