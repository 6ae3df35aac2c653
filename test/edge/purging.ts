/** What tests of purges share: one origin, one cached route, a clock that can be put forward. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, expect, vi } from "vitest";
import type { PurgeMode, PurgeTarget } from "../../src/policy/cache/purge.ts";
import { from, Gateway, origin } from "./gateway.ts";

export const configWith = (cache: Record<string, unknown> = {}): Record<string, unknown> => ({
  origins: { app: { url: "https://app.example", retry: { attempts: 1 } } },
  plans: { open: { limits: { requests: { rate: "1000/s", burst: 1_000 } } } },
  tenants: { acme: { plan: "open" }, other: { plan: "open" } },
  routes: [{ id: "all", match: { path: "/*" }, origin: "app", cache: { ttl: "1h", ...cache } }],
});
export const caller = from("192.0.2.1");
export const coordinator = () => env.ORIGIN.getByName("origin:app");
export const purge = (target: PurgeTarget, mode: PurgeMode = "soft") =>
  coordinator().purge({ v: 1, target, mode, reason: "test", by: "test" });
export const page: PurgeTarget = { kind: "url", value: "/page" };
export const answers = (body: string, headers: Record<string, string> = {}): void => {
  origin(() => new Response(body, { headers }));
};
export const told = async (answer: Response): Promise<[string | null, string]> => [
  answer.headers.get("weir-served"),
  await answer.text(),
];

const realNow = Date.now;
let passedMs = 0;

/** Time passes, for the edges and for the coordinator. */
export const later = (ms: number): void => {
  passedMs += ms;
};

/** For each test of a file. */
export function useClockAndReset(): void {
  beforeEach(() => {
    passedMs = 0;
    // Before an edge is made: it keeps its clock.
    vi.spyOn(Date, "now").mockImplementation(() => realNow() + passedMs);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await Gateway.allSettled();
    vi.unstubAllGlobals();
    await reset();
  });
}

/** Its counters are never flushed, so no test waits for that. */
export async function gatewayOf(file: Record<string, unknown>, pop?: string): Promise<Gateway> {
  const gateway = await Gateway.of(file, pop);
  gateway.edge.counters.claimFlush(Number.POSITIVE_INFINITY);
  return gateway;
}

/** Has stored the page `old`, and knows that there is no purge. */
export async function warm(file = configWith(), headers: Record<string, string> = {}, pop?: string): Promise<Gateway> {
  const gateway = await gatewayOf(file, pop);
  answers("old", headers);
  await gateway.send(caller, "/page");
  expect(await told(await gateway.send(caller, "/page"))).toEqual(["cache", "old"]);
  return gateway;
}

/** The edge has been idle, so it asks before it serves. */
export async function afterIdling(
  gateway: Gateway,
  path = "/page",
  headers = caller,
): Promise<[string | null, string]> {
  later(6_000);
  return told(await gateway.send(headers, path));
}
