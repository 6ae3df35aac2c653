/** The ladder through the whole pipeline: a route's own order, and that each rung says in every place that it was it. */
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { from, Gateway } from "./gateway.ts";

type Answer = () => Response;
const gone: Answer = () => {
  throw new Error("Network connection lost.");
};
const broken: Answer = () => new Response("broken", { status: 500 });
const page: Answer = () => new Response("page", { headers: { "cache-control": "max-age=1", age: "9" } });
let first: Answer;
let second: Answer;

beforeEach(() => {
  first = page;
  second = () => new Response("from the second");
  vi.stubGlobal("fetch", async (url: string) => (url.includes("second") ? second() : first()));
});
afterEach(async () => {
  await Gateway.allSettled();
  vi.unstubAllGlobals();
  await reset();
});

const visitor = from("192.0.2.1");
const CACHE = { staleIfError: "1h", snapshot: "1m" };
const route = (id: string, degraded?: unknown, cache: unknown = CACHE): unknown => ({
  id,
  match: { path: `/${id}` },
  origin: "first",
  ...(degraded === undefined ? {} : { degraded }),
  ...(cache === null ? {} : { cache }),
});
const CONFIG = {
  origins: {
    first: {
      url: "https://first.example",
      retry: { attempts: 1 },
      failover: "second",
      breaker: { tripScore: 1_000, popTripScore: 1_000 },
    },
    second: { url: "https://second.example", retry: { attempts: 1 } },
  },
  plans: { open: { priority: "high" } },
  routes: [
    route("usual", {}),
    route("usual-500", {}),
    route("new", {}),
    route("no-page"),
    route("failover-first", { ladder: ["failover", "stale", "page"] }),
    route("snapshot-first", { ladder: ["snapshot", "stale"] }),
    route("page-first", { ladder: ["page", "stale"] }),
    route("page-only", { ladder: ["page"] }),
    route("nothing", { ladder: [] }),
    route("nothing-500", { ladder: [] }),
    route("uncached", { ladder: ["page"] }, null),
  ],
};

/** Route, how the origin fails → the rung that answers, Weir-Served, Cache-Status. All but "new" are stored, and stale. */
const CASES = [
  ["usual", gone, "stale", "stale", /^weir; fwd=stale; ttl=-\d+; detail=stale$/],
  ["usual-500", broken, "stale", "stale", /^weir; fwd=stale; fwd-status=500; ttl=-\d+; detail=stale$/],
  ["no-page", gone, "stale", "stale", /; detail=stale$/],
  ["new", gone, "failover", "failover", /^weir; fwd=uri-miss; detail=failover$/],
  ["failover-first", gone, "failover", "failover", /^weir; fwd=stale; detail=failover$/],
  ["snapshot-first", gone, "snapshot", "snapshot", /^weir; fwd=stale; ttl=-\d+; detail=snapshot$/],
  ["page-first", gone, "page", "fallback", /^weir; fwd=stale; detail=page$/],
  ["page-only", gone, "page", "fallback", /^weir; fwd=stale; detail=page$/],
  ["nothing", gone, "plain", "fallback", /^weir; fwd=stale; detail=plain$/],
  ["nothing-500", broken, "origin-answer", "origin", /^weir; fwd=stale; detail=origin-answer$/],
  ["uncached", gone, "page", "fallback", /^$/],
] as const;

/** Everything but what is new is stored, with its snapshot, and the gateway has forgotten what it counted. */
async function stored(): Promise<Gateway> {
  const gateway = await Gateway.of(CONFIG);
  for (const [id] of CASES) if (id !== "new") await gateway.send(visitor, `/${id}`);
  await gateway.settled();
  return gateway;
}

const rungOf = (answer: Response): string | undefined =>
  /;details="[^:]*: ([^"]*)"/.exec(answer.headers.get("proxy-status") ?? "")?.[1];

describe("the ladder", () => {
  it("is climbed in the route's order, and its rung is in Weir-Served, Cache-Status, Proxy-Status and the counters", async () => {
    const gateway = await stored();
    for (const [id, failing, rung, served, cacheStatus] of CASES) {
      first = failing;
      const { headers } = await gateway.send(visitor, `/${id}`);
      const error =
        failing === gone
          ? 'error=connection_terminated;next-hop="first";details="network'
          : 'error=destination_unavailable;next-hop="first";received-status=500;details="status';
      const behind = rung === "failover" ? ', weir;next-hop="second"' : "";
      expect([id, headers.get("weir-served"), headers.get("proxy-status"), headers.get("cache-status") ?? ""]).toEqual([
        id,
        served,
        `weir;${error}: ${rung}"${behind}`,
        expect.stringMatching(cacheStatus),
      ]);
    }
    const totals = await gateway.totals();
    for (const [id, , rung, served] of CASES) {
      expect([id, totals[`weir_rungs_total{route="${id}",rung="${rung}",result="answered"}`]]).toEqual([id, 1]);
      const before = served === "origin" ? 1 : 0;
      expect([id, totals[`weir_requests_total{origin="first",route="${id}",outcome="${served}"}`]]).toEqual([
        id,
        before + 1,
      ]);
    }
  });

  it("goes on to the next rung where one has no answer, and counts both", async () => {
    const gateway = await Gateway.of(CONFIG);
    await gateway.send(visitor, "/failover-first");
    first = gone;
    second = broken;
    expect(rungOf(await gateway.send(visitor, "/failover-first"))).toBe("stale");
    expect(rungOf(await gateway.send(visitor, "/usual"))).toBe("page");
    first = () => {
      throw new TypeError("Invalid URL");
    };
    const internal = await gateway.send({ ...visitor, "cache-control": "no-cache" }, "/failover-first");
    expect(internal.headers.get("proxy-status")).toBe(
      'weir;error=proxy_internal_error;next-hop="first";details="internal: stale"',
    );
    expect(await gateway.totals()).toMatchObject({
      'weir_rungs_total{route="failover-first",rung="failover",result="nothing"}': 2,
      'weir_rungs_total{route="failover-first",rung="stale",result="answered"}': 2,
      'weir_rungs_total{route="usual",rung="snapshot",result="nothing"}': 1,
      'weir_rungs_total{route="usual",rung="failover",result="nothing"}': 1,
      'weir_rungs_total{route="usual",rung="page",result="answered"}': 1,
    });
  });
});
