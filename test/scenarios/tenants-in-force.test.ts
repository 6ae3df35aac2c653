/** Tenants change under traffic: how soon what was made, changed, suspended, resumed and removed is in force on four edges. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { ADMIN, configOf, keyFor, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { type Outcome, type RequestHeaders, runTraffic, send } from "../support/traffic.ts";

const EDGES = 4;
const WAN_MS = 80;
const IN_FORCE_WITHIN_MS = 5_000;
const BEFORE_MS = 500;

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;

/** What happens to a tenant, and what an answer looks like that does not know of it yet. */
interface Change {
  readonly tenant: string;
  readonly what: string;
  readonly act: () => Promise<Response>;
  readonly isOld: (outcome: Outcome) => boolean;
}

const api = (method: string, path: string, body?: unknown): Promise<Response> =>
  fetch(`${gateway.urls[0]}/_weir/api/v1/tenants/${path}`, {
    method,
    headers: ADMIN,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const burstOf = ({ headers }: Outcome): number => Number(/q=(\d+)/.exec(String(headers["ratelimit-policy"]))?.[1]);
const reason = "the bill is not paid";

const CHANGES: readonly Change[] = [
  {
    tenant: "new",
    what: "made",
    act: () => api("PUT", "new", { plan: "pro" }),
    isOld: ({ status }) => status === 401,
  },
  {
    tenant: "moved",
    what: "put on another plan",
    act: () => api("PUT", "moved", { plan: "large" }),
    isOld: (outcome) => burstOf(outcome) !== 2_000,
  },
  {
    tenant: "own",
    what: "given a limit of its own",
    act: () => api("PUT", "own", { plan: "pro", limits: { requests: { rate: "1000/s", burst: 3_000 } } }),
    isOld: (outcome) => burstOf(outcome) !== 3_000,
  },
  {
    tenant: "late",
    what: "suspended",
    act: () => api("POST", "late/suspend", { reason }),
    isOld: ({ status }) => status === 200,
  },
  {
    tenant: "filed",
    what: "suspended, in the config file",
    act: () => api("POST", "filed/suspend", { reason }),
    isOld: ({ status }) => status === 200,
  },
  {
    tenant: "paid",
    what: "resumed",
    act: () => api("POST", "paid/resume"),
    isOld: ({ status }) => status === 403,
  },
  {
    tenant: "gone",
    what: "removed",
    act: () => api("DELETE", "gone"),
    isOld: ({ status }) => status === 200,
  },
];
/** Of nobody: refused all the time, as the removed one is then. */
const STRANGER = "stranger";
const CALLERS = [...CHANGES.map(({ tenant }) => tenant), STRANGER];

beforeAll(async () => {
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: origin.url, breaker: { earlyAge: "30s" } } },
    identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
    plans: {
      pro: { limits: { requests: { rate: "1000/s", burst: 1_000, deadline: "2s" } } },
      large: { limits: { requests: { rate: "1000/s", burst: 2_000, deadline: "2s" } } },
    },
    tenants: { filed: { plan: "pro" } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  gateway = await startTestGateway(config, { edges: EDGES, wanMs: WAN_MS, stateDir: folder.path });
  for (const tenant of ["moved", "own", "late", "paid", "gone"]) {
    expect((await api("PUT", tenant, { plan: "pro" })).status).toBe(200);
  }
  expect((await api("POST", "paid/suspend", { reason })).status).toBe(200);
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

describe("a tenant that is changed under traffic on four edges", () => {
  it("is what it was made everywhere within five seconds", async () => {
    const headers: readonly RequestHeaders[] = await Promise.all(CALLERS.map((tenant) => keyFor(tenant)));
    await waitUntil("the suspension is known", 5_000, async () => {
      const seen = await Promise.all(
        gateway.urls.map((url) => send(undefined, `${url}/`, { headers: headers[CALLERS.indexOf("paid")] })),
      );
      return seen.every(({ status }) => status === 403);
    });
    /** One traffic for each, so that an outcome is known by its caller. */
    const outcomesFor = async (durationMs: number): Promise<ReadonlyMap<string, readonly Outcome[]>> => {
      const outcomes = await Promise.all(
        headers.map((header) =>
          runTraffic({ urls: gateway.urls, path: () => "/hello", headers: header, ratePerSecond: 20, durationMs }),
        ),
      );
      return new Map(CALLERS.map((tenant, index) => [tenant, outcomes[index] ?? []]));
    };
    const beforeByTenant = await outcomesFor(BEFORE_MS);
    const actedAtMs = new Map<string, number>();
    const [byTenant] = await Promise.all([
      outcomesFor(IN_FORCE_WITHIN_MS + 500),
      ...CHANGES.map(async ({ tenant, act }) => {
        actedAtMs.set(tenant, Date.now());
        const answer = await act();
        expect(`${tenant} ${answer.status} ${answer.ok ? "" : await answer.text()}`).toBe(`${tenant} 200 `);
      }),
    ]);
    for (const { tenant, what, isOld } of CHANGES) {
      const outcomes = byTenant.get(tenant) ?? [];
      const atMs = actedAtMs.get(tenant) ?? Number.NaN;
      const before = beforeByTenant.get(tenant) ?? [];
      // From when it was asked for.
      const old = outcomes.filter(({ sentAtMs }) => sentAtMs >= atMs).filter(isOld);
      const lastMs = Math.max(0, ...old.map(({ sentAtMs }) => sentAtMs - atMs));
      console.log(`${what}: in force on ${EDGES} edges after ${lastMs} ms`);
      expect(before.length).toBeGreaterThan(5);
      expect(before.filter((outcome) => !isOld(outcome))).toEqual([]);
      expect(outcomes.filter(({ sentAtMs }) => sentAtMs > atMs + lastMs).length).toBeGreaterThan(10);
      expect(lastMs).toBeLessThan(IN_FORCE_WITHIN_MS);
    }
    const shape = ({ status, headers: { "content-type": type }, body }: Outcome) => ({
      status,
      type,
      body: body.replaceAll(/[0-9a-f]{24}/g, ""),
    });
    const [removed, stranger] = ["gone", STRANGER].map((tenant) => byTenant.get(tenant)?.at(-1));
    if (removed === undefined || stranger === undefined) throw new Error("no outcome");
    expect(shape(removed)).toEqual(shape(stranger));
    const strange = [...beforeByTenant.values(), ...byTenant.values()]
      .flat()
      .filter(({ status }) => ![200, 401, 403].includes(status));
    expect(strange.map(({ status, error, body }) => `${status} ${error} ${body}`)).toEqual([]);
  });
});
