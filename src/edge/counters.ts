/**
 * What this isolate counted since its last flush. Counting is a Map lookup and an addition; names and labels are put
 * together only when a batch is made. A batch that was not acknowledged is sent again with the same number, so the
 * Metrics object counts it once; what an isolate has not flushed when it is evicted is lost (at most FLUSH_INTERVAL_MS
 * of counts, and one batch under way).
 */
import { LATENCY_BOUNDS_SECONDS, latencyBucket } from "../policy/kernel/histogram.ts";
import { METRICS_PROTOCOL_VERSION, type MetricsBatch, type Outcome } from "../protocol/metrics.ts";
import type { Tail } from "./tail.ts";
import { type Series, series } from "../protocol/series.ts";

const FLUSH_INTERVAL_MS = 1_000;
/** Tenants counted by name; the others are counted as `other`, so that names cannot fill the memory. */
const MAX_NAMED_TENANTS = 1_000;
const MAX_EVENTS = 500;

interface RouteCounts {
  readonly outcomes: Map<Outcome, number>;
  readonly buckets: number[];
  durationSecondsSum: number;
}

interface TenantCounts {
  admitted: number;
  throttled: number;
}

export class Counters {
  /** Counts wait so long for company. */
  flushIntervalMs = FLUSH_INTERVAL_MS;
  readonly #edgeId: string;
  #routes = new Map<string, RouteCounts>();
  #tenants = new Map<string, TenantCounts>();
  #events = new Map<Series, number>();
  #seq = 0;
  #unacknowledged: MetricsBatch | undefined;
  #flushScheduled = false;

  constructor(edgeId: string) {
    this.#edgeId = edgeId;
  }

  countRequest(routeId: string, outcome: Outcome, durationMs: number): void {
    let route = this.#routes.get(routeId);
    if (route === undefined) {
      route = {
        outcomes: new Map(),
        buckets: Array.from({ length: LATENCY_BOUNDS_SECONDS.length + 1 }, () => 0),
        durationSecondsSum: 0,
      };
      this.#routes.set(routeId, route);
    }
    route.outcomes.set(outcome, (route.outcomes.get(outcome) ?? 0) + 1);
    const bucket = latencyBucket(durationMs);
    route.buckets[bucket] = (route.buckets[bucket] ?? 0) + 1;
    route.durationSecondsSum += durationMs / 1000;
  }

  countTenant(tenantId: string, admitted: boolean): void {
    let tenant = this.#tenants.get(tenantId);
    if (tenant === undefined) {
      if (this.#tenants.size >= MAX_NAMED_TENANTS && tenantId !== "other") {
        this.countTenant("other", admitted);
        return;
      }
      tenant = { admitted: 0, throttled: 0 };
      this.#tenants.set(tenantId, tenant);
    }
    if (admitted) tenant.admitted++;
    else tenant.throttled++;
  }

  /** Counts something rare, by its full series name. */
  countEvent(event: Series, by = 1): void {
    const known = this.#events.get(event);
    if (known === undefined && this.#events.size >= MAX_EVENTS) {
      const dropped = series("weir_dropped_series_total");
      this.#events.set(dropped, (this.#events.get(dropped) ?? 0) + by);
      return;
    }
    this.#events.set(event, (known ?? 0) + by);
  }

  /** Counted since the last batch. */
  hasEvent(event: Series): boolean {
    return this.#events.has(event);
  }

  /** True for the one caller that now has to flush after FLUSH_INTERVAL_MS. */
  claimFlush(): boolean {
    if (this.#flushScheduled) return false;
    this.#flushScheduled = true;
    return true;
  }

  /** The batch to send: the unacknowledged one again, or what was counted since, with `tail`. Undefined when nothing was. */
  takeBatch(tail?: Tail): MetricsBatch | undefined {
    this.#flushScheduled = false;
    if (this.#unacknowledged !== undefined) return this.#unacknowledged;
    const counters = this.#series();
    if (Object.keys(counters).length === 0) return undefined;
    this.#routes = new Map();
    this.#tenants = new Map();
    this.#events = new Map();
    this.#seq++;
    const decisions = tail?.take();
    this.#unacknowledged = {
      v: METRICS_PROTOCOL_VERSION,
      edgeId: this.#edgeId,
      seq: this.#seq,
      counters,
      ...(decisions === undefined ? {} : { tail: decisions }),
    };
    return this.#unacknowledged;
  }

  acknowledge(seq: number): void {
    if (this.#unacknowledged?.seq === seq) this.#unacknowledged = undefined;
  }

  #series(): Record<string, number> {
    const series: Record<string, number> = {};
    for (const [routeId, route] of this.#routes) {
      let count = 0;
      for (const [outcome, value] of route.outcomes) {
        series[`weir_requests_total{route="${routeId}",outcome="${outcome}"}`] = value;
      }
      for (const [index, value] of route.buckets.entries()) {
        count += value;
        const bound = LATENCY_BOUNDS_SECONDS[index];
        series[`weir_request_duration_seconds_bucket{route="${routeId}",le="${bound ?? "+Inf"}"}`] = count;
      }
      series[`weir_request_duration_seconds_sum{route="${routeId}"}`] = route.durationSecondsSum;
      series[`weir_request_duration_seconds_count{route="${routeId}"}`] = count;
    }
    for (const [tenantId, tenant] of this.#tenants) {
      if (tenant.admitted > 0) {
        series[`weir_limit_decisions_total{tenant="${tenantId}",decision="admitted"}`] = tenant.admitted;
      }
      if (tenant.throttled > 0) {
        series[`weir_limit_decisions_total{tenant="${tenantId}",decision="throttled"}`] = tenant.throttled;
      }
    }
    for (const [name, value] of this.#events) series[name] = value;
    return series;
  }
}
