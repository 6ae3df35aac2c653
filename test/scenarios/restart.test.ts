/** The whole gateway is killed in the middle of a window, and started again on its stored state. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { worstExcess } from "../../local/windows.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { freePorts } from "../../local/ports.ts";
import { configOf, keyFor, startTestGateway, temporaryFolder } from "../support/gateway.ts";
import { type Outcome, runTraffic } from "../support/traffic.ts";

const RATE = 20;
const BURST = 60;
const folder = temporaryFolder();
const origin = new BrokenOrigin();

beforeAll(() => origin.start());
afterAll(async () => {
  await origin.kill();
  folder.remove();
});

describe("a gateway killed in the middle of a window", () => {
  it("gives no tenant a full bucket when it is back", async () => {
    const config = await configOf(folder.path, {
      version: 1,
      origins: { app: { url: origin.url } },
      identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
      plans: { standard: { limits: { requests: { rate: `${RATE}/s`, burst: BURST } } } },
      tenants: { acme: { plan: "standard" } },
      routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
    });
    const port = await freePorts(2);
    const headers = await keyFor("acme");
    const outcomes: Outcome[] = [];
    for (let life = 0; life < 3; life++) {
      const gateway = await startTestGateway(config, { edges: 2, port, stateDir: folder.path });
      const work = runTraffic({
        urls: gateway.urls,
        path: () => "/",
        headers,
        ratePerSecond: 200,
        durationMs: 2_000,
        timeoutMs: 3_000,
      });
      if (life < 2) {
        // kill -9 while requests are under way: no shutdown code runs.
        setTimeout(() => {
          if (gateway.pid !== undefined) process.kill(gateway.pid, "SIGKILL");
        }, 1_500);
      }
      outcomes.push(...(await work));
      await gateway.stop();
    }
    const admitted = outcomes.filter((outcome) => outcome.status === 200);
    const over = worstExcess(
      admitted.map((outcome) => outcome.decidedAtMs),
      RATE,
      BURST,
    );
    const spanSeconds =
      (Math.max(...admitted.map((o) => o.decidedAtMs)) - Math.min(...admitted.map((o) => o.decidedAtMs))) / 1_000;
    console.log(
      `${admitted.length} admitted over three lives in ${spanSeconds.toFixed(1)} s, over in the worst window ${over.toFixed(2)}`,
    );
    expect(admitted.length).toBeGreaterThan(BURST);
    expect(over).toBeLessThanOrEqual(0);
  });
});
