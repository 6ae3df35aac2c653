/** The Monitor object among real Metrics objects and isolates that count, in time that a test moves. */
import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { vi } from "vitest";
import { LATENCY_BOUNDS_SECONDS } from "../../src/policy/kernel/histogram.ts";
import { close, confirm, newUnconfirmed, unsent, type Unconfirmed } from "../../src/policy/telemetry/unconfirmed.ts";
import {
  metricsObjectName,
  OUTCOMES,
  type Outcome,
  type RouteCounts,
  type TenantCounts,
} from "../../src/protocol/metrics.ts";
import { MONITOR_OBJECT, type MonitorSettings, type SeriesPoint } from "../../src/protocol/monitor.ts";

export interface Seen {
  readonly route: string;
  readonly origin?: string;
  readonly outcome: Outcome;
  readonly tenant: string;
  readonly count: number;
  readonly tokens?: number;
  readonly seconds?: number;
}

export const HOUR_MS = 3_600_000;
export const MINUTE_MS = 60_000;
const BUCKETS = LATENCY_BOUNDS_SECONDS.length + 1;
const GOOD: readonly Outcome[] = ["origin", "cache"];

export class MonitorWorld {
  /** An hour begins, ahead of the true time: no alarm rings by itself. */
  nowMs = (Math.floor(Date.now() / HOUR_MS) + 1_000) * HOUR_MS;
  readonly #edges = new Map<string, Unconfirmed & { shard: number }>();

  constructor() {
    vi.spyOn(Date, "now").mockImplementation(() => this.nowMs);
  }

  get monitor() {
    return env.MONITOR.getByName(MONITOR_OBJECT);
  }

  metrics(shard: number) {
    return env.METRICS.getByName(metricsObjectName(shard));
  }

  /** One isolate counted this, and flushes. */
  async count(edgeId: string, shard: number, seen: readonly Seen[]): Promise<void> {
    const edge = this.#edges.get(edgeId) ?? { ...newUnconfirmed(), shard };
    this.#edges.set(edgeId, edge);
    close(edge, {
      spanMs: 1_000,
      events: {},
      routes: [...Map.groupBy(seen, ({ route, origin = "shop" }) => `${origin}/${route}`).values()].map(routeOf),
      tenants: [...Map.groupBy(seen, ({ tenant }) => tenant).values()].map(tenantOf),
    });
    await this.flush(edgeId);
  }

  /** What is not known to be counted, also after the object went back. */
  async flush(edgeId: string): Promise<void> {
    const edge = this.#edges.get(edgeId);
    if (edge === undefined) return;
    for (let round = 0; round < 3; round++) {
      const { durable } = edge;
      const flush = { v: 2 as const, edgeId, configVersion: 1, durable, batches: unsent(edge) };
      const reply = await this.metrics(edge.shard).flush(flush);
      confirm(edge, reply.received, reply.durable);
    }
  }

  async flushAll(): Promise<void> {
    for (const edgeId of this.#edges.keys()) await this.flush(edgeId);
  }

  /** The Monitor's alarm rings now; false: none was set. */
  ring(): Promise<boolean> {
    return runDurableObjectAlarm(this.monitor);
  }

  /** One reading after so long. */
  async readAfter(ms: number): Promise<void> {
    this.nowMs += ms;
    await this.monitor.wake({ v: 1, shard: 0 });
    await this.ring();
  }

  async evictMonitor(): Promise<void> {
    await this.monitor.alerts();
    await evictDurableObject(this.monitor);
  }

  points(stepMs = MINUTE_MS, hours = 24): Promise<readonly SeriesPoint[]> {
    const toMs = this.nowMs + 2 * HOUR_MS;
    const request = { v: 1 as const, fromMs: toMs - hours * HOUR_MS, toMs, stepMs };
    return this.monitor.series(request).then(({ points }) => points);
  }

  alarmAtMs(): Promise<number | null> {
    return runInDurableObject(this.monitor, (_object, { storage }) => storage.getAlarm());
  }

  rows(sql: string): Promise<Record<string, SqlStorageValue>[]> {
    return runInDurableObject(this.monitor, (_object, { storage }) => storage.sql.exec(sql).toArray());
  }
}

function routeOf(seen: readonly Seen[]): RouteCounts {
  const [{ route, origin = "shop" } = { route: "" }] = seen;
  const bucketsOf = (which: readonly Seen[]): number[] =>
    Array.from({ length: BUCKETS }, (_, at) => (at === 6 ? sum(which, ({ count }) => count) : 0));
  return {
    route,
    origin,
    outcomes: OUTCOMES.map((outcome) => sum(seen, (one) => (one.outcome === outcome ? one.count : 0))),
    buckets: bucketsOf(seen),
    goodBuckets: bucketsOf(seen.filter(({ outcome }) => GOOD.includes(outcome))),
    durationSecondsSum: sum(seen, ({ seconds = 0.1, count }) => seconds * count),
  };
}

function tenantOf(seen: readonly Seen[]): TenantCounts {
  const isThrottled = ({ outcome }: Seen): boolean => outcome === "throttled";
  return {
    tenant: seen[0]?.tenant ?? "",
    admitted: sum(seen, (one) => (isThrottled(one) ? 0 : one.count)),
    throttled: sum(seen, (one) => (isThrottled(one) ? one.count : 0)),
    shadowed: 0,
    tokens: sum(seen, ({ tokens, count }) => tokens ?? count),
    durationSecondsSum: sum(seen, ({ seconds = 0.1, count }) => seconds * count),
  };
}

const sum = <One>(all: readonly One[], value: (one: One) => number): number =>
  all.reduce((sums, one) => sums + value(one), 0);

/** `route outcome` -> count, and `tenant decision` -> count. */
export function sumsOf(points: readonly SeriesPoint[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  const add = (name: string, count: number): void => {
    if (count > 0) sums[name] = (sums[name] ?? 0) + count;
  };
  for (const { routes, tenants } of points) {
    for (const [route, { outcomes, buckets, goodBuckets }] of Object.entries(routes)) {
      for (const [outcome, count] of Object.entries(outcomes)) add(`${route} ${outcome}`, count);
      add(`${route} requests`, sum(buckets, Number));
      add(`${route} good`, sum(goodBuckets, Number));
    }
    for (const [tenant, { admitted, throttled }] of Object.entries(tenants)) {
      add(`${tenant} admitted`, admitted);
      add(`${tenant} throttled`, throttled);
    }
  }
  return sums;
}

export function sumsOfSeen(all: readonly Seen[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  const add = (name: string, count: number): void => {
    if (count > 0) sums[name] = (sums[name] ?? 0) + count;
  };
  for (const { route, outcome, tenant, count } of all) {
    add(`${route} ${outcome}`, count);
    add(`${route} requests`, count);
    if (GOOD.includes(outcome)) add(`${route} good`, count);
    add(`${tenant} ${outcome === "throttled" ? "throttled" : "admitted"}`, count);
  }
  return sums;
}

export const settingsOf = (more: Partial<MonitorSettings> = {}): MonitorSettings => ({
  configVersion: 1,
  origins: ["shop"],
  routes: [{ id: "all", origin: "shop" }],
  objectives: [],
  alerts: {
    receivers: [],
    repeatMs: 4 * HOUR_MS,
    groupWaitMs: 1_000,
    spikeRatio: 0.5,
    spikeForMs: 2 * MINUTE_MS,
    spikeLeast: 100,
    watchdogMs: 5 * MINUTE_MS,
  },
  ...more,
});
