/** From a throttled request on one edge to whoever watches on another, through workerd and sockets. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import type { LiveTick } from "../../src/protocol/monitor.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { ADMIN, configOf, keyFor, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { send } from "../support/traffic.ts";

const EDGES = 3;
const ROUNDS = process.env["WEIR_DRILL"] === "1" ? 40 : 6;
/** From the refusal to the tick. */
const WITHIN_MS = 2_000;

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;
const tenants = Array.from({ length: ROUNDS }, (_, round) => `tenant-${round}`);

beforeAll(async () => {
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: origin.url } },
    identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
    plans: { small: { limits: { requests: { rate: "1/h", burst: 1, deadline: "5s" } } } },
    tenants: Object.fromEntries(tenants.map((tenant) => [tenant, { plan: "small" }])),
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  gateway = await startTestGateway(config, { edges: EDGES, wanMs: 40 });
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

describe("a tenant that is throttled", () => {
  it("is seen by whoever watches within two seconds", async () => {
    const ticks: LiveTick[] = [];
    const url = `${gateway.urls[0] ?? ""}/_weir/api/v1/live`.replace("http:", "ws:");
    const socket = new WebSocket(url, { protocols: ["weir.live.1"], headers: ADMIN });
    socket.addEventListener("message", ({ data }) => ticks.push(JSON.parse(String(data)) as LiveTick));
    await waitUntil("the greeting", 10_000, () => ticks.length > 0);
    // The isolates' config reaches the Monitor with their first counts.
    const call = async (edge: number, tenant: string) =>
      (await send(undefined, `${gateway.urls[edge] ?? ""}/`, { headers: await keyFor(tenant) })).status;

    const tookMs: number[] = [];
    for (const [round, tenant] of tenants.entries()) {
      expect(await call(round % EDGES, tenant)).toBe(200);
      // A moment of its own in the rhythm of flushes and readings.
      await new Promise((resolve) => setTimeout(resolve, (round * 370) % 1_100));
      expect(await call((round + 1) % EDGES, tenant)).toBe(429);
      const seen = () => ticks.some(({ point }) => (point.tenants[tenant]?.throttled ?? 0) > 0);
      tookMs.push(await waitUntil(`${tenant} in a tick`, 10_000, seen));
    }
    socket.close();
    console.log(`from 429 to tick: ${tookMs.map((ms) => ms.toFixed(0)).join(", ")} ms`);
    expect(Math.max(...tookMs)).toBeLessThanOrEqual(WITHIN_MS);
    expect(ticks.at(-1)).toMatchObject({ v: 1, breakers: [{ origin: "app", state: "closed" }] });
    expect(ticks.at(-1)?.edges).toBeGreaterThan(0);
  });
});
