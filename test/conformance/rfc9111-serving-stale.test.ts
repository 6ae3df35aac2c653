/**
 * RFC 9111 sections 4.2.4, 5.1 and 5.2, RFC 5861, RFC 9211, through the gateway: what must not be served stale, what may,
 * and what is said of it.
 *
 * | requirement | test |
 * |---|---|
 * | 9111 4.2.4, 5.2.2: nothing stale after must-revalidate, proxy-revalidate, no-cache, s-maxage | `is not served…` |
 * | 9111 5.2.2.2: an error is generated instead, of a status that fits | `is not served…` |
 * | 9111 5.1: of several ages the first counts, an unreadable one is ignored | `Age: …` |
 * | 9111 5.2.1.7: only-if-cached never asks the origin | `only-if-cached…` |
 * | 5861 3: after its window a stale answer is not served | `after its window…` |
 * | 5861 4: within its window a stale answer is served on error | `is served…` |
 * | 9211 2: an answer is a hit or was forwarded, never both | `a hit or forwarded…` |
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin, type OriginMode } from "../support/broken-origin.ts";
import { configOf, startTestGateway, temporaryFolder } from "../support/gateway.ts";
import { type Outcome, send } from "../support/traffic.ts";

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;
/** Path → what the origin says of it. */
const says = new Map<string, Readonly<Record<string, string>>>();
/** Every answer there was. */
const all: Outcome[] = [];

beforeAll(async () => {
  origin.headersOf = (path) => says.get(path) ?? {};
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: {
      app: {
        url: origin.url,
        deadline: "500ms",
        retry: { attempts: 1 },
        breaker: { tripScore: 1_000, popTripScore: 1_000 },
      },
    },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { priority: "high" } },
    routes: [
      { id: "generous", match: { path: "/generous/*" }, origin: "app", cache: { staleIfError: "1h" } },
      { id: "all", match: { path: "/*" }, origin: "app", cache: {} },
    ],
  });
  gateway = await startTestGateway(config);
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

let number = 0;
/** Stored while the origin is well, asked for again while it is in `mode`. */
async function againIn(mode: OriginMode, fields: Readonly<Record<string, string>>, under = "/"): Promise<Outcome> {
  const path = `${under}${number++}`;
  says.set(path, fields);
  origin.mode = "ok";
  const first = await get(path);
  expect([first.status, first.served]).toEqual([200, "origin"]);
  origin.mode = mode;
  return get(path);
}

async function get(path: string, headers: Record<string, string> = {}): Promise<Outcome> {
  const outcome = await send(undefined, gateway.urls[0] + path, { headers });
  all.push(outcome);
  return outcome;
}

const FAILURES: readonly OriginMode[] = ["reset", "cut", "500"];

describe.each(["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=0"])(
  "a stale answer that says %s",
  (directive) => {
    it("is not served when the origin fails, whatever else the origin and the route allow", async () => {
      for (const mode of FAILURES) {
        const fields = { "cache-control": `max-age=0, stale-if-error=600, stale-while-revalidate=600, ${directive}` };
        const answer = await againIn(mode, fields, "/generous/");
        expect([answer.status, answer.headers["age"]]).toEqual([mode === "500" ? 500 : 503, undefined]);
        expect(answer.body).not.toContain('"path"');
      }
    });
  },
);

describe("a stale answer", () => {
  it("is served when the origin fails, within the window of the origin, else of the route", async () => {
    for (const mode of FAILURES) {
      const byOrigin = await againIn(mode, { "cache-control": "max-age=0, stale-if-error=600" });
      const byRoute = await againIn(mode, { "cache-control": "max-age=0" }, "/generous/");
      for (const answer of [byOrigin, byRoute]) {
        expect([answer.status, answer.served]).toEqual([200, "stale"]);
        expect(answer.body).toContain('"path"');
      }
      expect((await againIn(mode, { "cache-control": "max-age=0" })).status).not.toBe(200);
    }
  });

  it("after its window is not served, neither while the origin is well nor when it fails", async () => {
    const fields = { age: "100", "cache-control": "max-age=50, stale-while-revalidate=40, stale-if-error=45" };
    expect((await againIn("ok", fields)).served).toBe("origin");
    expect((await againIn("500", fields)).status).toBe(500);
  });
});

describe("Age", () => {
  it.each([
    ["0, 7200", "cache"],
    ["7200, 0", "origin"],
    ["7200", "origin"],
    ["abc", "cache"],
    ["-7200", "cache"],
  ])("%j of an answer that is good for an hour: it comes from the %s", async (age, served) => {
    expect((await againIn("ok", { age, "cache-control": "max-age=3600" })).served).toBe(served);
  });
});

describe("only-if-cached", () => {
  it("is 504 where nothing is stored, and never asks the origin", async () => {
    origin.arrivals.length = 0;
    const answer = await get(`/never-seen-${number++}`, { "cache-control": "only-if-cached" });
    expect([answer.status, origin.arrivals.length]).toEqual([504, 0]);
  });
});

describe("Cache-Status", () => {
  it("says a hit or forwarded, never both", () => {
    expect(all.length).toBeGreaterThan(40);
    for (const { headers } of all) {
      const status = String(headers["cache-status"]);
      expect([status, /; hit\b/.test(status), /; fwd=/.test(status)]).not.toEqual([status, true, true]);
      expect(status).toMatch(/^weir(; [a-z-]+(=[a-z0-9-]+)?)+$/);
    }
  });
});
