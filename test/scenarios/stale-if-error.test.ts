/**
 * Stale on error, for every way in which an origin cannot answer, and for every word with which it may be forbidden or
 * allowed. Real origins, real sockets; what the runtime words as an internal error has no origin that makes it so, and is
 * in test/edge/ladder.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin, type OriginMode } from "../support/broken-origin.ts";
import { ADMIN, configOf, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { type Outcome, quantile, send } from "../support/traffic.ts";

interface Way {
  readonly way: string;
  readonly mode: OriginMode;
  readonly origin?: Readonly<Record<string, unknown>>;
  /** Brought about before the requests, and undone behind them. */
  readonly begin?: (way: string) => Promise<() => Promise<unknown>>;
  /** As `Proxy-Status` says it. */
  readonly reason: string;
  readonly error: string;
}

const LONG = { deadline: "8s", tryTimeout: "8s" };
const WAYS: readonly Way[] = [
  { way: "network", mode: "reset", reason: "network", error: "connection_terminated" },
  {
    way: "timeout",
    mode: "hang",
    origin: { ...LONG, tryTimeout: "300ms" },
    reason: "timeout",
    error: "http_response_timeout",
  },
  {
    way: "deadline",
    mode: "hang",
    origin: { ...LONG, deadline: "300ms" },
    reason: "timeout",
    error: "http_response_timeout",
  },
  { way: "status", mode: "500", reason: "status", error: "destination_unavailable" },
  { way: "cut", mode: "cut", reason: "body", error: "http_response_incomplete" },
  { way: "chunked-cut", mode: "chunked-cut", reason: "body", error: "http_response_incomplete" },
  { way: "breaker-open", mode: "ok", begin: openByHand, reason: "breaker-open", error: "destination_unavailable" },
  {
    way: "bulkhead-full",
    mode: "hang",
    origin: { ...LONG, concurrency: 1 },
    begin: fillBulkhead,
    reason: "bulkhead",
    error: "connection_limit_reached",
  },
  { way: "maintenance", mode: "ok", begin: maintain, reason: "maintenance", error: "destination_unavailable" },
];

/** What the origin said when it still answered → whether stale may be served; the route says an hour. */
const WORDS: readonly (readonly [cacheControl: string, mayServe: boolean])[] = [
  ["max-age=1", true],
  ["max-age=1, stale-if-error=600", true],
  ["max-age=1, stale-if-error=0", false],
  ["max-age=1, must-revalidate", false],
  ["max-age=1, proxy-revalidate", false],
  ["s-maxage=1", false],
  ["max-age=1, no-cache", false],
];

/** An origin's deadline; on a busy machine, too, an answer from the store takes less. */
const HANGING_MS = 1_000;

/** `?cc=…`: with this Cache-Control, and as if it had been made long ago. */
function agedAs(path: string): Record<string, string> {
  const cacheControl = new URL(path, "http://origin").searchParams.get("cc");
  return cacheControl === null ? {} : { "cache-control": cacheControl, age: "100" };
}

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;

beforeAll(async () => {
  await origin.start();
  origin.headersOf = agedAs;
  const shared = {
    url: origin.url,
    deadline: "2s",
    retry: { attempts: 1 },
    breaker: { tripScore: 1_000, popTripScore: 1_000 },
  };
  const config = await configOf(folder.path, {
    version: 1,
    origins: {
      ...Object.fromEntries(WAYS.map(({ way, origin: own }) => [way, { ...shared, ...own }])),
      hanging: { ...shared, ...LONG, deadline: `${HANGING_MS}ms` },
    },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { priority: "high" } },
    routes: [
      ...WAYS.flatMap(({ way }) => [
        { id: way, match: { path: `/${way}/*` }, origin: way, cache: { staleIfError: "1h" } },
        { id: `${way}-bare`, match: { path: `/bare/${way}` }, origin: way, cache: {} },
      ]),
      { id: "hanging", match: { path: "/hanging" }, origin: "hanging", cache: { staleIfError: "1h" } },
    ],
  });
  gateway = await startTestGateway(config);
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

const get = (path: string): Promise<Outcome> => send(undefined, gateway.urls[0] + path);
const pathOf = (way: string, cacheControl: string): string => `/${way}/page?cc=${encodeURIComponent(cacheControl)}`;

async function admin(method: string, path: string, body?: unknown): Promise<void> {
  const answer = await fetch(`${gateway.urls[0]}/_weir/api/v1${path}`, {
    method,
    headers: ADMIN,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.status).toBe(200);
  await answer.body?.cancel();
}

let asked = 0;
async function inForce(way: string): Promise<void> {
  await waitUntil("it is in force", 5_000, async () => (await get(`/${way}/${asked++}`)).status === 503);
}

async function openByHand(way: string): Promise<() => Promise<unknown>> {
  await admin("POST", `/breakers/${way}/trip`, { reason: "test" });
  await inForce(way);
  return () => admin("POST", `/breakers/${way}/reset`, { reason: "test" });
}

async function maintain(way: string): Promise<() => Promise<unknown>> {
  await admin("PUT", `/maintenance/origins/${way}`, { forMs: 60_000 });
  await inForce(way);
  return () => admin("DELETE", `/maintenance/origins/${way}`);
}

/** One call that does not end holds the only slot. */
async function fillBulkhead(way: string): Promise<() => Promise<unknown>> {
  const before = origin.open;
  const held = get(`/${way}/held`);
  await waitUntil("the slot is taken", 2_000, () => origin.open > before);
  return async () => {
    await origin.kill();
    await origin.start();
    await held;
  };
}

describe.each(WAYS)("an origin that cannot answer: $way", ({ way, mode, begin, reason, error }) => {
  it("is answered for by what is stale where that may be, and never where it was forbidden", async () => {
    origin.mode = "ok";
    const bare = `/bare/${way}?cc=max-age%3D1`;
    for (const [cacheControl] of WORDS) expect((await get(pathOf(way, cacheControl))).served).toBe("origin");
    expect((await get(bare)).served).toBe("origin");
    origin.mode = mode;
    const end = await begin?.(way);
    const answers = await Promise.all(WORDS.map(([cacheControl]) => get(pathOf(way, cacheControl))));
    for (const [index, [cacheControl, mayServe]] of WORDS.entries()) {
      const answer = answers[index];
      const expected = mayServe ? "stale" : way === "status" ? "origin-answer" : "plain";
      expect([cacheControl, answer?.headers["proxy-status"]]).toEqual([
        cacheControl,
        expect.stringMatching(new RegExp(`^weir;error=${error};next-hop="${way}".*;details="${reason}: ${expected}"$`)),
      ]);
      expect([answer?.status, answer?.error]).toEqual([mayServe ? 200 : way === "status" ? 500 : 503, ""]);
      if (mayServe) expect(JSON.parse(answer?.body ?? "")).toMatchObject({ path: pathOf(way, cacheControl) });
    }
    // Neither the origin nor the route has said anything.
    expect((await get(bare)).status).toBe(way === "status" ? 500 : 503);
    await end?.();
  });
});

describe("a stored answer of an origin that hangs", () => {
  it("waits for it once, and never again, also when the origin is tried again behind it", async () => {
    origin.mode = "ok";
    const path = "/hanging?cc=max-age%3D1";
    await get(path);
    origin.mode = "hang";
    const first = await get(path);
    expect([first.served, first.durationMs >= HANGING_MS - 50]).toEqual(["stale", true]);
    const before = origin.arrivals.length;
    const durations: number[] = [];
    await waitUntil("the origin is tried again", 6_000, async () => {
      const next = await get(path);
      expect([next.served, next.headers["cache-status"]]).toEqual([
        "stale",
        expect.stringContaining("detail=refresh-failed"),
      ]);
      durations.push(next.durationMs);
      return origin.arrivals.length > before;
    });
    for (let index = 0; index < 10; index++) durations.push((await get(path)).durationMs);
    expect(quantile(durations, 0.5)).toBeLessThan(HANGING_MS / 4);
    expect(durations.filter((ms) => ms >= HANGING_MS - 50)).toEqual([]);
    expect(origin.arrivals.length - before).toBeLessThanOrEqual(2);
  });
});
