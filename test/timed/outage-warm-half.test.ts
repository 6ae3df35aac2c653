/**
 * An origin dies under 200 requests a second for 50 URLs: half of them are warm in this PoP, the others were only ever seen
 * by another one, and are here from its snapshots. `npm run drill` has 60 s of each way to die.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin, type OriginMode } from "../support/broken-origin.ts";
import { configOf, snapshotsInKv, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { type Outcome, quantile, runTraffic } from "../support/traffic.ts";

const DRILL = process.env["WEIR_DRILL"] === "1";
const OUTAGE_SECONDS = DRILL ? 60 : 8;
/** Long enough for what is usual to be known, without the first cold calls. */
const WARM_SECONDS = DRILL ? 10 : 2;
const RATE = 200;
const URLS = 50;
const DETECTED_MS = 1_500;
const LEAST_ANSWERED_RATIO = 0.999;
/**
 * Once the breaker is open. What waits for the origin waits longer than a second: the drill, on a machine that has nothing
 * else to do, asks for the promise itself.
 */
const MOST_P99_MS = DRILL ? 50 : 1_000;

interface Death {
  readonly how: string;
  /** Undefined: its port is closed. */
  readonly mode: OriginMode | undefined;
}
const DEATHS: readonly Death[] = [
  { how: "is gone, its port closed", mode: undefined },
  { how: "hangs", mode: "hang" },
  { how: "answers 503 to everything", mode: "503" },
];

/** Answered without a call, because the breaker is open. */
const isSpared = ({ headers }: Outcome): boolean =>
  String(headers["cache-status"]).startsWith("weir; hit") &&
  String(headers["proxy-status"]).includes("destination_unavailable");

describe.each(DRILL ? DEATHS : DEATHS.slice(0, 1))("an origin that $how", ({ mode }) => {
  const folder = temporaryFolder();
  const origin = new BrokenOrigin();
  let gateway: Gateway;

  beforeAll(async () => {
    origin.headersOf = () => ({ "cache-control": "max-age=0" });
    await origin.start();
    const config = await configOf(folder.path, {
      version: 1,
      origins: { app: { url: origin.url, deadline: "3s" } },
      identity: [{ type: "anonymous", plan: "open" }],
      // What limits cost is measured elsewhere.
      plans: { open: {} },
      routes: [
        {
          id: "pages",
          match: { path: "/*" },
          origin: "app",
          cache: { staleIfError: "1h", snapshot: "1m" },
          degraded: {},
        },
      ],
    });
    gateway = await startTestGateway(config, { edges: 2, wanMs: 40, stateDir: folder.path });
  });
  afterAll(async () => {
    await gateway.stop();
    await origin.kill();
    folder.remove();
  });

  function load(urls: readonly string[], seconds: number): Promise<Outcome[]> {
    let turn = 0;
    const path = (): string => `/page/${turn++ % URLS}`;
    return runTraffic({ urls, path, ratePerSecond: RATE, durationMs: seconds * 1_000 });
  }

  it("leaves every GET answered by what was stored here or in the world, fast, and no connection dropped", async () => {
    // Requests alternate between the edges, so each of them sees one half; and what is usual for the origin gets known.
    const before = await load(gateway.urls, WARM_SECONDS);
    expect(before.filter(({ status }) => status !== 200)).toEqual([]);
    await waitUntil("all snapshots are in KV", 20_000, () => snapshotsInKv(folder.path) >= URLS);

    if (mode === undefined) await origin.kill();
    else origin.mode = mode;
    origin.arrivals.length = 0;
    const began = Date.now();
    const outcomes = await load(gateway.urls.slice(0, 1), OUTAGE_SECONDS);
    // For this PoP: the other one, silent now, has seen nothing, so at first this one is opened alone.
    const openedAtMs = Math.min(...outcomes.filter(isSpared).map(({ sentAtMs, durationMs }) => sentAtMs + durationMs));
    const whileOpen = outcomes.filter(({ sentAtMs }) => sentAtMs > openedAtMs);
    const stored = outcomes.filter(({ status, served }) => status === 200 && ["stale", "snapshot"].includes(served));
    const dropped = outcomes.filter(({ status, error }) => status === 0 || error !== "");
    const by = (served: string): number => outcomes.filter((outcome) => outcome.served === served).length;
    // As the client sees it, and as the gateway does: the difference is the machine's.
    const inside = whileOpen.map(({ headers }) =>
      Number(/total;dur=(\d+)/.exec(String(headers["server-timing"]))?.[1]),
    );
    const times = (list: readonly Outcome[]): string =>
      [0.5, 0.99, 0.999, 1]
        .map((q) =>
          quantile(
            list.map(({ durationMs }) => durationMs),
            q,
          ).toFixed(1),
        )
        .join(" / ");
    console.log(
      `${mode ?? "port closed"}: ${outcomes.length} GETs in ${OUTAGE_SECONDS} s, ` +
        `${((100 * stored.length) / outcomes.length).toFixed(3)} % from what was stored ` +
        `(stale ${by("stale")}, snapshot ${by("snapshot")}), dropped ${dropped.length}; ` +
        `open after ${(openedAtMs - began).toFixed(0)} ms; ${origin.arrivals.length} calls reached the origin; ` +
        `p50 / p99 / p99.9 / most, ms: ${times(outcomes)} in all, ${times(whileOpen)} once open (${whileOpen.length}); ` +
        `p99 in the gateway once open ${quantile(inside, 0.99)} ms`,
    );
    expect(dropped).toEqual([]);
    expect(stored.length / outcomes.length).toBeGreaterThanOrEqual(LEAST_ANSWERED_RATIO);
    expect(by("snapshot")).toBeGreaterThan(outcomes.length * 0.4);
    expect(by("stale")).toBeGreaterThan(outcomes.length * 0.4);
    expect(openedAtMs - began).toBeLessThan(DETECTED_MS);
    expect(
      quantile(
        whileOpen.map(({ durationMs }) => durationMs),
        0.99,
      ),
    ).toBeLessThanOrEqual(MOST_P99_MS);
  });
});
