/**
 * Eight edges, a WAN of 80 ms, 200 requests a second; the origin fails in every way it can, one after the other. What the
 * breaker promises in simulation is measured here on the real runtime. `npm run drill` runs all of it, for longer.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import type { BreakerView } from "../../src/admin/contract.ts";
import { BrokenOrigin, type OriginMode } from "../support/broken-origin.ts";
import { ADMIN, configOf, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { type Outcome, runTraffic, send } from "../support/traffic.ts";

const EDGES = 8;
const RATE = 200;
const OUTAGE_SECONDS = 30;
const RAMP_SECONDS = 10;
const EARLY_AGE_MS = 500;
/** DESIGN section 5: what may reach a dead origin. */
const MOST_SENT = RATE + 2 * EDGES + 30;
const DETECTED_MS = 1_500;
/** Of the normal load, in the first second after it closed. */
const FIRST_SECOND_RATIO = 0.12;

interface Fault {
  readonly fault: string;
  /** Undefined: its port is closed. */
  readonly mode: OriginMode | undefined;
}
const FAULTS: readonly Fault[] = [
  { fault: "503", mode: "503" },
  { fault: "hang", mode: "hang" },
  { fault: "refuse", mode: undefined },
  { fault: "reset", mode: "reset" },
  { fault: "slow headers", mode: "slow-headers" },
  { fault: "half a body", mode: "cut" },
];

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;

beforeAll(async () => {
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: {
      app: {
        url: origin.url,
        deadline: "2s",
        // Slow headers come after 700 ms.
        tryTimeout: "600ms",
        retry: { attempts: 3 },
        breaker: { earlyAge: `${EARLY_AGE_MS}ms`, probePath: "/health", ramp: `${RAMP_SECONDS}s` },
      },
    },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { limits: { requests: { rate: "5000/s", burst: 5_000, deadline: "2s" } } } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app", degraded: { retryAfter: "1s" } }],
  });
  gateway = await startTestGateway(config, { edges: EDGES, wanMs: 80, stateDir: folder.path });
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

async function breaker(): Promise<BreakerView> {
  const outcome = await send(undefined, `${gateway.urls[0]}/_weir/api/v1/breakers/app`, { headers: ADMIN });
  return JSON.parse(outcome.body) as BreakerView;
}

/** From 200 addresses: each is a caller of its own in the ramp. */
const traffic = (seconds: number, signal = new AbortController().signal): Promise<Outcome[]> =>
  runTraffic({
    signal,
    urls: gateway.urls,
    path: () => "/page",
    headers: (request) => ({ "cf-connecting-ip": `192.0.2.${(request * 7) % 200}` }),
    ratePerSecond: RATE,
    durationMs: seconds * 1_000,
  });

/** As after a long time without an outage: what came before does not count as flapping. */
async function beginAnew(): Promise<void> {
  origin.mode = "ok";
  const reset = await fetch(`${gateway.urls[0]}/_weir/api/v1/breakers/app/reset`, {
    method: "POST",
    headers: ADMIN,
    body: JSON.stringify({ reason: "next fault" }),
  });
  expect(reset.status).toBe(200);
  await waitUntil("all edges know", 10_000, async () => {
    const outcomes = await traffic(0.2);
    return outcomes.every(({ status }) => status === 200);
  });
}

const attemptOf = ({ headers }: { readonly headers: Readonly<Record<string, unknown>> }): number =>
  Number(headers["weir-attempt"]);

async function outage({ mode }: Fault): Promise<Record<string, number>> {
  await beginAnew();
  const before = await traffic(2);
  expect(before.filter(({ status }) => status !== 200)).toEqual([]);
  const { history } = await breaker();
  const knownEpoch = history.at(-1)?.epoch ?? 0;

  const load = traffic(OUTAGE_SECONDS);
  const failedAtMs = Date.now();
  if (mode === undefined) await origin.kill();
  else origin.mode = mode;
  origin.arrivals.length = 0;
  let probesAtOnce = 0;
  let refused = 0;
  const watch = setInterval(() => {
    void breaker().then(({ state, outstandingProbes, counts }) => {
      probesAtOnce = Math.max(probesAtOnce, outstandingProbes);
      if (state !== "closed") refused = Math.max(refused, counts["network"] ?? 0);
    });
  }, 200);
  const refusedBefore = (await breaker()).counts["network"] ?? 0;
  const during = await load;
  clearInterval(watch);
  const arrived = [...origin.arrivals];
  if (mode === undefined) await origin.start();
  origin.mode = "ok";
  const after = traffic(8);
  const revivedAtMs = Date.now();
  const closing = await waitUntil("the breaker closes", 10_000, async () =>
    ["ramp", "closed"].includes((await breaker()).state),
  );
  const all = [...during, ...(await after)];
  const moved = (await breaker()).history.filter(({ epoch }) => epoch > knownEpoch);
  const openedAtMs = moved.find(({ to }) => to === "open")?.atMs ?? Number.NaN;
  const rampAtMs = moved.find(({ to, atMs }) => to === "ramp" && atMs >= revivedAtMs)?.atMs ?? Number.NaN;
  // What was under way when it opened, and what had not heard of it, is over.
  const whileOpen = arrived.filter(({ atMs, path }) => atMs > openedAtMs + DETECTED_MS && path !== "/health");
  return {
    detectedMs: openedAtMs - failedAtMs,
    sent: mode === undefined ? refused - refusedBefore : arrived.length,
    dropped: all.filter(({ status, error }) => status === 0 || error !== "").length,
    probesAtOnce,
    retriesWhileOpen: whileOpen.filter((arrival) => attemptOf(arrival) > 1).length,
    closedMs: closing,
    openings: moved.filter(({ to }, index) => to === "open" && moved[index - 1]?.to !== "half-open").length,
    firstSecondRatio: origin.arrivals.filter(({ atMs }) => atMs > rampAtMs && atMs <= rampAtMs + 1_000).length / RATE,
  };
}

describe.each(FAULTS)("an origin that fails by $fault, behind eight edges", (fault) => {
  it("is found in time, spared, and loaded gently when it is back", async () => {
    const figures = await outage(fault);
    console.log(
      `${fault.fault}: found after ${figures["detectedMs"]} ms, ${figures["sent"]} requests sent in ${OUTAGE_SECONDS} s, ` +
        `dropped ${figures["dropped"]}, probes at once ${figures["probesAtOnce"]}, ` +
        `retries while open ${figures["retriesWhileOpen"]}, closed ${figures["closedMs"]?.toFixed(0)} ms after revival, ` +
        `first second ${(100 * (figures["firstSecondRatio"] ?? 0)).toFixed(1)} % of the load`,
    );
    expect(figures["detectedMs"]).toBeLessThanOrEqual(DETECTED_MS);
    expect(figures["sent"]).toBeLessThanOrEqual(MOST_SENT);
    expect(figures["dropped"]).toBe(0);
    expect(figures["probesAtOnce"]).toBeLessThanOrEqual(1);
    expect(figures["retriesWhileOpen"]).toBe(0);
    expect(figures["openings"]).toBe(1);
    expect(figures["firstSecondRatio"]).toBeLessThanOrEqual(FIRST_SECOND_RATIO);
  });
});
