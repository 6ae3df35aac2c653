/**
 * Origins die, and whoever is to know is told: from the breaker's verdict to a signed webhook at a real receiver, and the
 * end when they are back. Several origins, so that one outage has several samples.
 */
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import type { AlertsReply } from "../../src/admin/contract/alerts.ts";
import type { BreakerView } from "../../src/admin/contract/breakers.ts";
import type { ObjectivesReply } from "../../src/admin/contract/objectives.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { ADMIN, configOf, SECRETS, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { quantile, runTraffic, send } from "../support/traffic.ts";

const ORIGINS = process.env["WEIR_DRILL"] === "1" ? 24 : 6;
const RATE_EACH = 20;
const HOOK_SECRET = `whsec_${Buffer.from("what a receiver and Weir know").toString("base64")}`;

interface Told {
  readonly atMs: number;
  readonly id: string;
  readonly origin: string;
  readonly status: string;
}
const told: Told[] = [];
let hookPort = 0;
const hook = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString()));
  request.on("end", () => {
    const atMs = Date.now();
    try {
      const { "webhook-id": id = "" } = request.headers;
      const { data } = new Webhook(HOOK_SECRET).verify(body, request.headers as Record<string, string>) as {
        data: { alerts: { status: string; kind: string; labels: Record<string, string> }[] };
      };
      for (const { status, kind, labels } of data.alerts) {
        if (kind === "breaker") told.push({ atMs, id: String(id), origin: labels["origin"] ?? "", status });
      }
      response.writeHead(204).end();
    } catch (error) {
      told.push({ atMs, id: "unverified", origin: String(error), status: "unverified" });
      response.writeHead(401).end();
    }
  });
});

const folder = temporaryFolder();
const origins = Array.from({ length: ORIGINS }, () => new BrokenOrigin());
let gateway: Gateway;
beforeAll(async () => {
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  const address = hook.address();
  hookPort = typeof address === "object" && address !== null ? address.port : 0;
  await Promise.all(origins.map((origin) => origin.start()));
  const config = await configOf(folder.path, {
    version: 1,
    origins: Object.fromEntries(
      origins.map(({ url }, index) => [`o${index}`, { url, breaker: { probePath: "/health", ramp: "1s" } }]),
    ),
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { limits: { requests: { rate: "1000/s", burst: 1000 } } } },
    routes: origins.map((_, index) => ({ id: `r${index}`, match: { path: `/o${index}/*` }, origin: `o${index}` })),
    objectives: { "o0-good": { origin: "o0", target: 0.99 } },
    alerts: {
      receivers: {
        hook: { type: "webhook", url: `http://127.0.0.1:${hookPort}/`, signingSecret: "WEIR_HOOK" },
      },
    },
  });
  gateway = await startTestGateway(config, { secrets: { ...SECRETS, WEIR_HOOK: HOOK_SECRET } });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all(origins.map((origin) => origin.kill()));
  hook.closeAllConnections();
  hook.close();
  folder.remove();
});

async function read<Reply>(path: string): Promise<Reply> {
  const { body } = await send(undefined, `${gateway.urls[0]}/_weir/api/v1${path}`, { headers: ADMIN });
  return JSON.parse(body) as Reply;
}
const firing = () => told.filter(({ status }) => status === "firing");
const over = () => told.filter(({ status }) => status === "resolved");

describe("an outage", () => {
  it("is told within five seconds of the verdict, once, and its end is told when the ramp is over", async () => {
    let turn = 0;
    const stop = new AbortController();
    const traffic = runTraffic({
      urls: gateway.urls,
      path: () => `/o${turn++ % ORIGINS}/page`,
      ratePerSecond: ORIGINS * RATE_EACH,
      durationMs: 90_000,
      signal: stop.signal,
    });
    // The Monitor has heard of the config when its watchdog fires.
    await waitUntil("the Monitor watches", 20_000, async () => (await read<AlertsReply>("/alerts")).alerts.length > 0);
    const killedAtMs = Date.now();
    await Promise.all(origins.map((origin) => origin.kill()));
    await waitUntil("all outages are told", 30_000, () => firing().length >= ORIGINS);

    const breakers = await Promise.all(origins.map((_, index) => read<BreakerView>(`/breakers/o${index}`)));
    const toFirstTryMs = breakers.map(({ origin, history }) => {
      const verdict = history.find(({ to }) => to === "open");
      const arrival = firing().find((one) => one.origin === origin);
      return (arrival?.atMs ?? Number.POSITIVE_INFINITY) - (verdict?.atMs ?? 0);
    });
    const p95 = quantile(toFirstTryMs, 0.95);
    console.log(`verdict to first attempt: p50 ${quantile(toFirstTryMs, 0.5)} ms, p95 ${p95} ms`);
    expect(p95).toBeLessThanOrEqual(5_000);

    await Promise.all(origins.map((origin) => origin.start()));
    await waitUntil("all ends are told", 40_000, () => over().length >= ORIGINS);
    stop.abort();
    await traffic;
    expect(told.map(({ status }) => status)).not.toContain("unverified");
    expect(new Set(told.map(({ id, origin }) => `${id} ${origin}`)).size).toBe(told.length);
    expect(told.map(({ origin, status }) => `${origin} ${status}`).toSorted()).toEqual(
      breakers.flatMap(({ origin }) => [`${origin} firing`, `${origin} resolved`]).toSorted(),
    );

    const { incidents, means } = await read<ObjectivesReply>("/objectives");
    expect(incidents).toHaveLength(ORIGINS);
    for (const { beganAtMs, detectedAtMs, toldAtMs, recoveredAtMs, byHand } of incidents) {
      // A step of evidence is 50 ms.
      expect(beganAtMs).toBeGreaterThanOrEqual(killedAtMs - 50);
      expect(detectedAtMs).toBeGreaterThan(beganAtMs);
      expect(toldAtMs).toBeGreaterThanOrEqual(detectedAtMs);
      expect(recoveredAtMs).toBeGreaterThan(toldAtMs ?? 0);
      expect(byHand).toBe(false);
    }
    expect(means.map(({ incidents }) => incidents)).toEqual(origins.map(() => 1));
    const { deliveries } = await read<AlertsReply>("/alerts");
    expect(deliveries.map(({ state }) => state)).not.toContain("dead");
  });
});
