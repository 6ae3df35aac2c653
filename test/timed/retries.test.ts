/** Retries never amplify: an origin that fails half of its calls, over four edges; what arrived there is counted. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { configOf, startTestGateway, temporaryFolder } from "../support/gateway.ts";
import { type Outcome, runTraffic } from "../support/traffic.ts";

const SECONDS = process.env["WEIR_DRILL"] === "1" ? 60 : 5;
const RATE = 200;
/** Of the calls that are answered a tenth may be retries, and what was saved while all was well. */
const MOST_AMPLIFICATION = 1.1;

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;

beforeAll(async () => {
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: origin.url, deadline: "3s", retry: { attempts: 3 }, breaker: { earlyAge: "30s" } } },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { limits: { requests: { rate: "5000/s", burst: 5_000, deadline: "2s" } } } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  gateway = await startTestGateway(config, { edges: 4, wanMs: 20, stateDir: folder.path });
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

const traffic = (method: string, seconds: number): Promise<Outcome[]> =>
  runTraffic({ urls: gateway.urls, path: () => "/x", method, ratePerSecond: RATE, durationMs: seconds * 1_000 });

describe("an origin that fails half of its calls", () => {
  it("gets at most a tenth more than was asked, and users get more answers than without retries", async () => {
    await traffic("GET", 2);
    origin.mode = "half-503";
    origin.arrivals.length = 0;
    const outcomes = await traffic("GET", SECONDS);
    const arrived = origin.arrivals.filter(({ method }) => method === "GET");
    const first = arrived.filter(({ headers }) => headers["weir-attempt"] === "1").length;
    const retried = arrived.length - first;
    const answered = outcomes.filter(({ status }) => status === 200).length;
    console.log(
      `half of calls fail: ${outcomes.length} requests, ${first} sent, ${retried} retries: ` +
        `amplification ${(arrived.length / first).toFixed(3)}; ${((100 * answered) / outcomes.length).toFixed(1)} % answered`,
    );
    expect(retried).toBeGreaterThan(0);
    expect(arrived.length / first).toBeLessThanOrEqual(MOST_AMPLIFICATION);
    // Of those that went out: where half fails, the breaker opens by chance, for seconds, in one of many minutes.
    expect(answered / first).toBeGreaterThan(0.5);
  });

  it("never sees a POST without a key twice", async () => {
    origin.mode = "half-503";
    origin.arrivals.length = 0;
    const outcomes = await traffic("POST", 1);
    const arrived = origin.arrivals.filter(({ method }) => method === "POST");
    expect(arrived.length).toBeGreaterThan(0);
    expect(arrived.length).toBeLessThanOrEqual(outcomes.length);
    expect(arrived.filter(({ headers }) => headers["weir-attempt"] !== "1")).toEqual([]);
  });
});
