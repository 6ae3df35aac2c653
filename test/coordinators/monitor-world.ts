/** The Monitor object among real Metrics objects and isolates that count, in time that a test moves. */
import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { vi } from "vitest";
import { LATENCY_BOUNDS_SECONDS } from "../../src/policy/kernel/histogram.ts";
import { close, confirm, newUnconfirmed, unsent, type Unconfirmed } from "../../src/policy/telemetry/unconfirmed.ts";
import { metricsObjectName, OUTCOMES, type Outcome } from "../../src/protocol/metrics.ts";
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
      routes: seen.map(({ route, origin = "shop", outcome, count, seconds = 0.1 }) => ({
        route,
        origin,
        outcomes: OUTCOMES.map((one) => (one === outcome ? count : 0)),
        buckets: inBucket(6, count),
        goodBuckets: inBucket(6, GOOD.includes(outcome) ? count : 0),
        durationSecondsSum: seconds * count,
      })),
      tenants: seen.map(({ tenant, outcome, count, tokens = count, seconds = 0.1 }) => ({
        tenant,
        admitted: outcome === "throttled" ? 0 : count,
        throttled: outcome === "throttled" ? count : 0,
        shadowed: 0,
        tokens,
        durationSecondsSum: seconds * count,
      })),
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

const inBucket = (index: number, count: number): number[] =>
  Array.from({ length: BUCKETS }, (_, at) => (at === index ? count : 0));

/** `route outcome` -> count, and `tenant decision` -> count. */
export function sumsOf(points: readonly SeriesPoint[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  const add = (name: string, count: number): void => {
    if (count > 0) sums[name] = (sums[name] ?? 0) + count;
  };
  for (const { routes, tenants } of points) {
    for (const [route, { outcomes, buckets, goodBuckets }] of Object.entries(routes)) {
      for (const [outcome, count] of Object.entries(outcomes)) add(`${route} ${outcome}`, count);
      add(`${route} requests`, total(buckets));
      add(`${route} good`, total(goodBuckets));
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

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

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
