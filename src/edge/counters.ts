/**
 * What this isolate counts, until a Metrics object has stored it. Counting is Map lookups and additions; what is sent is
 * put together when a batch is closed, behind an answer and at most once in `flushAfterMs`. Batches wait for their
 * confirmation in policy/telemetry/unconfirmed.
 *
 * Bounds: MAX_ROUTES and MAX_NAMED_TENANTS told apart (the rest is counted as `other`), MAX_EVENTS, MAX_UNCONFIRMED
 * batches. What is lost with an isolate that is evicted: what it had counted since its last flush that was received.
 */
import { latencyBucket, newLatencyCounts } from "../policy/kernel/histogram.ts";
import { OTHER } from "../policy/kernel/other.ts";
import { OUTCOME_WORTH } from "../policy/objectives/events.ts";
import {
  type MetricsBatch,
  type Outcome,
  OUTCOMES,
  type RouteCounts,
  type TenantCounts,
} from "../policy/telemetry/counts.ts";
import {
  close,
  confirm,
  hasRoom,
  needsReply,
  newUnconfirmed,
  type Unconfirmed,
  unsent,
} from "../policy/telemetry/unconfirmed.ts";
import { MICRO_TOKENS_PER_TOKEN } from "../policy/limits/types.ts";
import { METRICS_PROTOCOL_VERSION, type MetricsFlush, type MetricsReply } from "../protocol/metrics.ts";
import { type Series, series } from "../protocol/series.ts";

const FLUSH_AFTER_MS = 1_000;
const MAX_FLUSH_AFTER_MS = 60_000;
/** A flush that has not ended after so long is not under way any more: its request was ended with it. */
const FLUSH_ENDS_MS = 15_000;
const MAX_ROUTES = 2_000;
const MAX_NAMED_TENANTS = 1_000;
const MAX_EVENTS = 500;

const OUTCOME_PLACES: Readonly<Record<string, number>> = Object.fromEntries(
  OUTCOMES.map((outcome, place) => [outcome, place]),
);
/** By place. */
const IS_GOOD: readonly boolean[] = OUTCOMES.map((outcome) => OUTCOME_WORTH[outcome] === "good");

interface RouteCounter {
  readonly outcomes: number[];
  /** Answered by the origin or a fresh entry, and all others. */
  readonly good: number[];
  readonly others: number[];
  durationMs: number;
}

interface TenantCounter {
  admitted: number;
  throttled: number;
  shadowed: number;
  costMicro: number;
  durationMs: number;
}

export class Counters {
  /** Counts wait so long for company; longer where the object says so. */
  leastFlushMs = FLUSH_AFTER_MS;
  readonly #edgeId: string;
  /** Origin -> route. */
  #routes = new Map<string, Map<string, RouteCounter>>();
  #routeCount = 0;
  #tenants = new Map<string, TenantCounter>();
  #events = new Map<Series, number>();
  /** When the first of what is not in a batch yet was counted. */
  #sinceMs: number | undefined;
  #claimedUntilMs = 0;
  #flushAfterMs = 0;
  readonly #unconfirmed: Unconfirmed = newUnconfirmed();

  constructor(edgeId: string) {
    this.#edgeId = edgeId;
  }

  get flushAfterMs(): number {
    return Math.min(MAX_FLUSH_AFTER_MS, Math.max(this.leastFlushMs, this.#flushAfterMs));
  }

  countRequest(route: string, origin: string, outcome: Outcome, durationMs: number): void {
    const counter = this.#routes.get(origin)?.get(route) ?? this.#newRoute(route, origin);
    const place = OUTCOME_PLACES[outcome] ?? 0;
    counter.outcomes[place] = (counter.outcomes[place] ?? 0) + 1;
    const buckets = IS_GOOD[place] === true ? counter.good : counter.others;
    const bucket = latencyBucket(durationMs);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    counter.durationMs += durationMs;
  }

  countTenant(tenant: string, isAdmitted: boolean, costMicro: number, durationMs: number): void {
    const counter = this.#tenants.get(tenant) ?? this.#newTenant(tenant);
    if (isAdmitted) counter.admitted++;
    else counter.throttled++;
    counter.costMicro += costMicro;
    counter.durationMs += durationMs;
  }

  countShadowed(tenant: string, count: number): void {
    (this.#tenants.get(tenant) ?? this.#newTenant(tenant)).shadowed += count;
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

  /** True for the one caller that now has to flush after `flushAfterMs`, and then to `endFlush`. */
  claimFlush(nowMs: number): boolean {
    if (nowMs < this.#claimedUntilMs) return false;
    this.#sinceMs ??= nowMs;
    this.#claimedUntilMs = nowMs + this.flushAfterMs + FLUSH_ENDS_MS;
    return true;
  }

  endFlush(): void {
    this.#claimedUntilMs = 0;
  }

  /** What was counted since the last batch; undefined: nothing, or so many batches wait that it stays here. */
  closeBatch(nowMs: number): Omit<MetricsBatch, "seq"> | undefined {
    if (!hasRoom(this.#unconfirmed)) return undefined;
    if (this.#routes.size + this.#tenants.size + this.#events.size === 0) return undefined;
    const batch = {
      spanMs: Math.max(0, nowMs - (this.#sinceMs ?? nowMs)),
      routes: [...this.#routeCounts()],
      tenants: [...this.#tenants].map(([tenant, counter]) => tenantCounts(tenant, counter)),
      events: Object.fromEntries(this.#events),
    };
    this.#routes = new Map();
    this.#routeCount = 0;
    this.#tenants = new Map();
    this.#events = new Map();
    this.#sinceMs = undefined;
    close(this.#unconfirmed, batch);
    return batch;
  }

  /** Undefined: all batches are received, and there is room for more. */
  unsent(configVersion: number): MetricsFlush | undefined {
    const queue = this.#unconfirmed;
    if (!needsReply(queue)) return undefined;
    const { durable } = queue;
    return { v: METRICS_PROTOCOL_VERSION, edgeId: this.#edgeId, configVersion, durable, batches: unsent(queue) };
  }

  confirm({ received, durable, flushAfterMs }: MetricsReply): void {
    confirm(this.#unconfirmed, received, durable);
    this.#flushAfterMs = flushAfterMs;
  }

  #newRoute(route: string, origin: string): RouteCounter {
    const known = this.#routes.get(origin)?.get(route);
    if (known !== undefined) return known;
    if (this.#routeCount >= MAX_ROUTES && route !== OTHER) return this.#newRoute(OTHER, OTHER);
    const counter = {
      outcomes: OUTCOMES.map(() => 0),
      good: newLatencyCounts(),
      others: newLatencyCounts(),
      durationMs: 0,
    };
    const routes = this.#routes.get(origin) ?? new Map<string, RouteCounter>();
    this.#routes.set(origin, routes.set(route, counter));
    this.#routeCount++;
    return counter;
  }

  #newTenant(tenant: string): TenantCounter {
    const name = this.#tenants.size < MAX_NAMED_TENANTS ? tenant : OTHER;
    let counter = this.#tenants.get(name);
    if (counter === undefined) {
      counter = { admitted: 0, throttled: 0, shadowed: 0, costMicro: 0, durationMs: 0 };
      this.#tenants.set(name, counter);
    }
    return counter;
  }

  *#routeCounts(): Generator<RouteCounts> {
    for (const [origin, routes] of this.#routes) {
      for (const [route, { outcomes, good, others, durationMs }] of routes) {
        const buckets = good.map((count, index) => count + (others[index] ?? 0));
        yield { route, origin, outcomes, buckets, goodBuckets: good, durationSecondsSum: durationMs / 1_000 };
      }
    }
  }
}

const tenantCounts = (tenant: string, { costMicro, durationMs, ...counts }: TenantCounter): TenantCounts => ({
  tenant,
  ...counts,
  tokens: costMicro / MICRO_TOKENS_PER_TOKEN,
  durationSecondsSum: durationMs / 1_000,
});
