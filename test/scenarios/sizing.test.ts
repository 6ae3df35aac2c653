/**
 * `weir size` on a recorded run with two tenants that take what others need: one floods its plan's limit, one of another
 * plan takes an origin's slots. What it proposes is applied, and the same traffic sent again.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import type { DemandReply, LimitList } from "../../src/admin/contract.ts";
import type { Finding } from "../../src/policy/sizing/types.ts";
import { commandLine, json, noteGateway } from "../support/command-line.ts";
import { ADMIN, configOf, keyFor, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { runTraffic, send } from "../support/traffic.ts";

const SLOW_MS = 300;
const QUIET = ["ann", "bob", "cid"] as const;
const PATIENT = ["pia", "quo", "rex"] as const;
/** Requests a second. */
const RATES: Readonly<Record<string, { readonly path: string; readonly rate: number }>> = {
  ...Object.fromEntries(QUIET.map((tenant) => [tenant, { path: "/fast", rate: 8 }])),
  loud: { path: "/fast", rate: 40 },
  ...Object.fromEntries(PATIENT.map((tenant) => [tenant, { path: "/slow", rate: 2 }])),
  greedy: { path: "/slow", rate: 60 },
};

const folder = temporaryFolder();
let origin: Server;
let gateway: Gateway;
let keys: Readonly<Record<string, Record<string, string>>>;

beforeAll(async () => {
  origin = createServer((request, response) => {
    setTimeout(() => response.end("fine"), request.url === "/slow" ? SLOW_MS : 0);
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
  const file = {
    version: 1,
    origins: { fast: { url }, slow: { url, concurrency: 10, retry: { attempts: 1 } } },
    identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
    plans: {
      free: { limits: { requests: { rate: "5/s", burst: 10 } } },
      pro: { limits: { requests: { rate: "50/s", burst: 100 } } },
      gold: { limits: { requests: { rate: "500/s", burst: 500 } }, priority: "high" },
    },
    tenants: Object.fromEntries([
      ...[...QUIET, "loud"].map((tenant) => [tenant, { plan: "free" }]),
      ...PATIENT.map((tenant) => [tenant, { plan: "pro" }]),
      ["greedy", { plan: "gold" }],
    ]),
    routes: [
      { id: "slow", match: { path: "/slow" }, origin: "slow" },
      { id: "fast", match: { path: "/*" }, origin: "fast" },
    ],
  };
  gateway = await startTestGateway(await configOf(folder.path, file), { text: `// Ours.\n${JSON.stringify(file)}` });
  noteGateway(folder.path, gateway.urls[0]);
  keys = Object.fromEntries(
    await Promise.all(Object.keys(RATES).map(async (tenant) => [tenant, await keyFor(tenant)] as const)),
  );
});
afterAll(async () => {
  await gateway.stop();
  origin.closeAllConnections();
  origin.close();
  folder.remove();
});

const weir = commandLine(folder.path);

/** What is read of `weir size --json`. */
interface Sized {
  readonly findings: readonly Finding[];
  readonly patch: {
    readonly plans: {
      readonly free: { readonly limits: { readonly requests: { readonly rate: string; readonly burst: number } } };
    };
  };
}

interface Counted {
  readonly requests: number;
  readonly throttled: number;
  readonly shed: number;
}

async function traffic(durationMs: number, signal?: AbortSignal): Promise<Readonly<Record<string, Counted>>> {
  const counted = Object.entries(RATES).map(async ([tenant, { path, rate }], index) => {
    // Tenants know nothing of each other: their rhythms do not fall together.
    await new Promise((resolve) => setTimeout(resolve, index * 60));
    const outcomes = await runTraffic({
      urls: gateway.urls,
      path: () => path,
      headers: keys[tenant] ?? {},
      ratePerSecond: rate,
      durationMs,
      ...(signal === undefined ? {} : { signal }),
    });
    const of = (status: number): number => outcomes.filter((outcome) => outcome.status === status).length;
    return [tenant, { requests: outcomes.length, throttled: of(429), shed: of(503) }] as const;
  });
  return Object.fromEntries(await Promise.all(counted));
}

const refusedOf = (counted: Readonly<Record<string, Counted>>, tenants: readonly string[]): number =>
  tenants.reduce((sum, tenant) => sum + (counted[tenant]?.throttled ?? 0) + (counted[tenant]?.shed ?? 0), 0);

async function isRecorded(): Promise<boolean> {
  const { body } = await send(undefined, `${gateway.urls[0]}/_weir/api/v1/demand?hours=1`, { headers: ADMIN });
  const { tenants, origins } = JSON.parse(body) as DemandReply;
  return tenants.length === Object.keys(RATES).length && origins.length === 2;
}

async function policyOf(tenant: string): Promise<string> {
  const { headers } = await send(undefined, `${gateway.urls[0]}/fast`, { headers: keys[tenant] ?? {} });
  return String(headers["ratelimit-policy"]);
}

/** By its coordinator; asking spends none. */
async function freeTokens(tenant: string): Promise<number> {
  // The admin API is not to be asked forty times a second.
  await new Promise((resolve) => setTimeout(resolve, 400));
  const url = `${gateway.urls[0]}/_weir/api/v1/tenants/${tenant}/limits`;
  const { status, body } = await send(undefined, url, { headers: ADMIN });
  return status === 200 ? ((JSON.parse(body) as LimitList).limits[0]?.leastFreeTokens ?? 0) : 0;
}

describe("weir size", () => {
  it("names who takes what others need, and its patch, applied, ends what the others suffered", async () => {
    const enough = new AbortController();
    const running = traffic(40_000, enough.signal);
    await waitUntil("the demand is recorded", 35_000, isRecorded);
    enough.abort();
    const before = await running;
    expect(refusedOf(before, QUIET)).toBeGreaterThan(20);
    expect(refusedOf(before, PATIENT)).toBeGreaterThan(5);

    const patch = join(folder.path, "sizes.json");
    const sized = await weir("size", "--hours", "1", "--patch", patch, "--json");
    expect([sized.code, sized.stderr]).toEqual([0, ""]);
    const { findings, patch: proposed } = json(sized) as unknown as Sized;
    const { rate, burst } = proposed.plans.free.limits.requests;
    const inForce = `q=${burst};w=${Math.max(1, Math.round(burst / Number.parseInt(rate, 10)))}`;
    expect(findings.find(({ kind }) => kind === "noisy")?.tenants).toEqual(["loud"]);
    const throttling = findings.filter(({ kind }) => kind === "throttles-well-behaved");
    expect(throttling.map(({ place = [] }) => place.join("."))).toEqual([
      "plans.free.limits.requests",
      "origins.slow.concurrency",
    ]);
    expect(throttling[0]?.tenants.toSorted()).toEqual([...QUIET]);
    expect(throttling[1]?.why).toContain("greedy can take all of 10 slots");
    expect(proposed).toMatchObject({ tenants: { loud: { limits: { requests: { rate: "5/s", burst: 10 } } } } });

    const applied = await weir("apply", "--patch", patch, "--yes", "--message", "as weir size proposes", "--json");
    expect(applied.code).toBe(0);
    expect(json(applied)).toMatchObject({ kind: "done", inForce: { number: 2 } });
    // What was spent comes back at the new rate, not at once.
    await waitUntil("the patch is in force", 5_000, async () =>
      (await Promise.all(QUIET.map(policyOf))).every((policy) => policy.includes(inForce)),
    );
    await waitUntil("buckets have half refilled", 10_000, async () =>
      (await Promise.all(QUIET.map(freeTokens))).every((tokens) => tokens >= burst / 2),
    );
    // What the isolate last heard of the origin's load is of the crowd before: it hears anew with its first calls.
    await traffic(2_000);
    const after = await traffic(4_000);
    console.log(`refused of those who behave: ${JSON.stringify({ before, after, proposed })}`);
    expect(refusedOf(after, [...QUIET, ...PATIENT])).toBe(0);
    expect(after["loud"]?.throttled).toBeGreaterThan(50);
    expect(after["greedy"]?.throttled).toBeGreaterThan(20);
    expect(after["greedy"]?.requests).toBeGreaterThan(after["greedy"]?.throttled ?? 0);

    const back = await weir("rollback", "--yes", "--json");
    const undone = (json(back)["changes"] as { path: string }[]).map(({ path }) => path);
    expect(undone).toContain("tenants.greedy.concurrency");
    expect(undone).toContain("plans.free.limits.requests.rate");
  });
});
