/** Eight isolates and real Metrics objects that are evicted now and then: totals are what the clients saw. */
import { env } from "cloudflare:workers";
import {
  createExecutionContext,
  evictDurableObject,
  reset,
  runDurableObjectAlarm,
  waitOnExecutionContext,
} from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readTotals } from "../../src/admin/metrics-objects.ts";
import type { Config } from "../../src/config/model.ts";
import { loadConfig } from "../../src/config/load.ts";
import { Edge } from "../../src/edge/edge.ts";
import { OriginViews } from "../../src/edge/origin-views.ts";
import { handle } from "../../src/edge/pipeline.ts";
import {
  metricsObjectName,
  metricsShardOf,
  type MetricsTotals,
  type Outcome,
  OUTCOMES,
} from "../../src/protocol/metrics.ts";
import { origin } from "./gateway.ts";

const EDGES = 8;
const WAVES = 5;
/** In each wave; the drill makes 20,000 in all. */
const REQUESTS_PER_EDGE = env.TEST_DRILL === "1" ? 500 : 100;
const REQUESTS = EDGES * WAVES * REQUESTS_PER_EDGE;
const PATHS = ["/nowhere", "/tight", "/shop/1", "/shop/2", "/shop/3"];
const OUTCOME_OF: Readonly<Record<number, Outcome>> = { 200: "origin", 404: "refused", 429: "throttled" };

async function configOf(): Promise<Config> {
  const file = {
    version: 1,
    origins: { app: { url: "https://app.example" } },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { limits: { requests: { rate: "100000/s", burst: 200_000, deadline: "5s" } } } },
    tenants: {},
    routes: [
      { id: "all", match: { path: "/shop/*" }, origin: "app" },
      {
        id: "tight",
        match: { path: "/tight" },
        origin: "app",
        cost: 3,
        limits: { few: { rate: "1/h", burst: 30, deadline: "5s" } },
      },
    ],
  };
  const loaded = await loadConfig(JSON.stringify(file), { configVersion: 1, readPage: async () => undefined });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

class Isolate {
  readonly edge: Edge;
  #context = createExecutionContext();

  constructor(config: Config) {
    this.edge = new Edge(config, "pop");
    this.edge.counters.leastFlushMs = 20;
  }

  get metrics() {
    return env.METRICS.getByName(metricsObjectName(metricsShardOf(this.edge.id)));
  }

  /** Counts in `seen` what the client sees. */
  async ask(count: number, seen: Map<Outcome, number>): Promise<void> {
    for (let index = 0; index < count; index++) {
      const path = PATHS[index % PATHS.length] ?? "";
      const headers = { "cf-connecting-ip": "192.0.2.1" };
      const request = new Request(`https://gateway.example${path}`, { headers });
      const { status } = await handle(this.edge, request, env, this.#context);
      const outcome = OUTCOME_OF[status] ?? "error";
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    }
  }

  /** What goes on behind its answers, the flush, has come to its end. */
  async settled(): Promise<void> {
    await waitOnExecutionContext(this.#context);
    this.#context = createExecutionContext();
  }
}

function byOutcome({ routes }: MetricsTotals): Map<Outcome, number> {
  const counted = new Map<Outcome, number>();
  for (const { outcomes } of routes) {
    for (const [place, outcome] of OUTCOMES.entries()) {
      const count = outcomes[place] ?? 0;
      if (count > 0) counted.set(outcome, (counted.get(outcome) ?? 0) + count);
    }
  }
  return counted;
}

const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0);

describe("totals", () => {
  beforeEach(() => {
    origin(() => new Response("fine"));
    // What is reported of the origin waits for its time, and a wave would wait for it.
    vi.spyOn(OriginViews.prototype, "noteSuccess").mockReturnValue();
  });
  afterEach(async () => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    await reset();
  });

  it(
    "of eight isolates are exact, though objects are evicted and an isolate is replaced",
    { timeout: 60_000 },
    async () => {
      const config = await configOf();
      const seen = new Map<Outcome, number>();
      const isolates = Array.from({ length: EDGES }, () => new Isolate(config));
      for (let wave = 0; wave < WAVES; wave++) {
        await Promise.all(isolates.map((isolate) => isolate.ask(REQUESTS_PER_EDGE, seen)));
        await Promise.all(isolates.map((isolate) => isolate.settled()));
        if (wave === 2) {
          // What it had is received; once that is stored, nobody asks it again.
          const [gone] = isolates.splice(3, 1, new Isolate(config));
          if (gone !== undefined) await runDurableObjectAlarm(gone.metrics);
        }
        // One that runs: which these isolates have is by chance.
        const survivor = isolates[wave];
        if (wave < WAVES - 1 && survivor !== undefined) await evictDurableObject(survivor.metrics);
      }
      const totals = await readTotals(env);
      expect(sum(seen.values())).toBe(REQUESTS);
      expect(seen.get("throttled")).toBeGreaterThan(REQUESTS / 10);
      expect(byOutcome(totals)).toEqual(seen);
      const { buckets, goodBuckets } = totals.routes.find(({ route }) => route === "all") ?? {};
      expect([sum(buckets ?? []), sum(goodBuckets ?? [])]).toEqual([0.6 * REQUESTS, 0.6 * REQUESTS]);
      expect(totals.tenants.find(({ tenant }) => tenant === "anonymous")).toMatchObject({
        admitted: seen.get("origin"),
        throttled: seen.get("throttled"),
        tokens: 0.6 * REQUESTS + 3 * 0.2 * REQUESTS,
      });
    },
  );

  it("lack what an isolate had counted since its last flush when it died, and no more", async () => {
    const isolate = new Isolate(await configOf());
    const seen = new Map<Outcome, number>();
    await isolate.ask(100, seen);
    await isolate.settled();
    isolate.edge.counters.claimFlush(Number.POSITIVE_INFINITY);
    await isolate.ask(50, new Map());
    expect(byOutcome(await readTotals(env))).toEqual(seen);
  });
});
