/**
 * What one Metrics object has counted: routes, tenants, rare events, and how far it has heard each edge. Guarantee: each
 * batch of an edge is counted once, in the order of its numbers, however often and in whatever order it comes, while the
 * edge is remembered. A number that is missing is waited for: what comes behind it is not counted, and the reply says from
 * where on to send again. An edge says up to which number it was told that all is stored (`durable`); those never come
 * again, so they are never waited for.
 *
 * Bounds: MAX_ROUTES, MAX_SERIES, MAX_EDGES, those of tenant-ledger.ts, and of each batch MAX_BATCH_ROUTES,
 * MAX_BATCH_TENANTS, MAX_BATCH_EVENTS. What finds no room is counted under DROPPED_SERIES. An edge that was forgotten
 * (the longest unheard, of more than MAX_EDGES, or after FORGET_EDGE_MS) and comes back may have a few batches counted
 * twice, those it had not been told are stored; forgotten edges are counted.
 */
import { newLatencyCounts } from "../kernel/histogram.ts";
import { isCount } from "../kernel/json.ts";
import { type MetricsBatch, OUTCOMES, type RouteCounts, type TenantCounts } from "./counts.ts";
import { countTenant, newTenantLedger, type TenantLedger } from "./tenant-ledger.ts";

export const MAX_ROUTES = 5_000;
export const MAX_SERIES = 20_000;
export const MAX_EDGES = 5_000;
/** An isolate lives for hours at most. */
const FORGET_EDGE_MS = 86_400_000;
const MAX_BATCH_ROUTES = 2_001;
const MAX_BATCH_TENANTS = 1_001;
const MAX_BATCH_EVENTS = 501;
export const MAX_NAME_CHARACTERS = 400;

export const DROPPED_SERIES = "weir_dropped_series_total";
const REPEATED = "weir_metrics_batches_repeated_total";
const MISSING = "weir_metrics_batches_missing_total";
const FORGOTTEN = "weir_metrics_edges_forgotten_total";

export interface RouteTotals {
  readonly route: string;
  readonly origin: string;
  readonly outcomes: number[];
  readonly buckets: number[];
  readonly goodBuckets: number[];
  durationSecondsSum: number;
}

export interface EdgeMark {
  /** All numbers up to here are counted, ... */
  received: number;
  /** ... and up to here stored. */
  durable: number;
  seenAtMs: number;
}

export interface Ledger {
  /** By `routeKey`. */
  readonly routes: Map<string, RouteTotals>;
  readonly tenants: TenantLedger;
  readonly series: Map<string, number>;
  /** In the order in which they were last heard. */
  readonly edges: Map<string, EdgeMark>;
}

export interface Sent {
  readonly edgeId: string;
  readonly durable: number;
  readonly batches: readonly MetricsBatch[];
}

export const newLedger = (nowMs: number): Ledger => ({
  routes: new Map(),
  tenants: newTenantLedger(nowMs),
  series: new Map(),
  edges: new Map(),
});

export const routeKey = ({ route, origin }: Pick<RouteCounts, "route" | "origin">): string => `${origin}\n${route}`;

export function takeBatches(ledger: Ledger, { edgeId, durable, batches }: Sent, nowMs: number): EdgeMark {
  const mark = markOf(ledger, edgeId, durable, nowMs);
  for (const [index, batch] of batches.entries()) {
    if (batch.seq <= mark.received) countSeries(ledger, REPEATED, 1);
    else if (batch.seq > mark.received + 1) break;
    else {
      countBatch(ledger, batch, index === batches.length - 1 ? increase(batch.spanMs) : undefined, nowMs);
      mark.received = batch.seq;
    }
  }
  return mark;
}

/** Adds what is no increase as 0. */
export function addRoute(routes: Map<string, RouteTotals>, counts: RouteCounts): void {
  const key = routeKey(counts);
  let sum = routes.get(key);
  if (sum === undefined) {
    const { route, origin } = counts;
    sum = {
      route,
      origin,
      outcomes: OUTCOMES.map(() => 0),
      buckets: newLatencyCounts(),
      goodBuckets: newLatencyCounts(),
      durationSecondsSum: 0,
    };
    routes.set(key, sum);
  }
  addEach(sum.outcomes, counts.outcomes);
  addEach(sum.buckets, counts.buckets);
  addEach(sum.goodBuckets, counts.goodBuckets);
  sum.durationSecondsSum += increase(counts.durationSecondsSum);
}

export function countSeries({ series }: Ledger, name: string, by: number): void {
  const known = series.get(name);
  const hasRoom = known !== undefined || (series.size < MAX_SERIES && isName(name));
  const counted = hasRoom ? name : DROPPED_SERIES;
  series.set(counted, (series.get(counted) ?? 0) + increase(by));
}

/** Forgets the edges that have been silent for longest. */
export function forgetEdges(ledger: Ledger, nowMs: number): void {
  const { edges } = ledger;
  for (const [edgeId, { seenAtMs }] of edges) {
    if (edges.size <= MAX_EDGES && nowMs - seenAtMs < FORGET_EDGE_MS) return;
    edges.delete(edgeId);
    countSeries(ledger, FORGOTTEN, 1);
  }
}

function markOf(ledger: Ledger, edgeId: string, durable: number, nowMs: number): EdgeMark {
  const known = ledger.edges.get(edgeId);
  const mark = known ?? { received: durable, durable, seenAtMs: nowMs };
  if (durable > mark.received) {
    // It was told more is stored than is: this object's storage went back.
    countSeries(ledger, MISSING, durable - mark.received);
    mark.received = durable;
  }
  mark.seenAtMs = nowMs;
  ledger.edges.delete(edgeId);
  ledger.edges.set(edgeId, mark);
  if (known === undefined) forgetEdges(ledger, nowMs);
  return mark;
}

/** `spanMs`: in which time it was counted, or undefined when that is of no use. */
export function countBatch(
  ledger: Ledger,
  batch: Omit<MetricsBatch, "seq">,
  spanMs: number | undefined,
  nowMs: number,
): void {
  for (const counts of batch.routes.slice(0, MAX_BATCH_ROUTES)) {
    const hasRoom = ledger.routes.size < MAX_ROUTES || ledger.routes.has(routeKey(counts));
    if (hasRoom && isName(counts.route) && isName(counts.origin)) addRoute(ledger.routes, counts);
    else
      countSeries(
        ledger,
        DROPPED_SERIES,
        counts.outcomes.reduce((sum, count) => sum + count, 0),
      );
  }
  for (const counts of batch.tenants.slice(0, MAX_BATCH_TENANTS)) {
    if (isName(counts.tenant)) countTenant(ledger.tenants, increases(counts), spanMs, nowMs);
    else countSeries(ledger, DROPPED_SERIES, counts.admitted + counts.throttled);
  }
  for (const [name, by] of Object.entries(batch.events).slice(0, MAX_BATCH_EVENTS)) countSeries(ledger, name, by);
}

const isName = (name: string): boolean => name.length <= MAX_NAME_CHARACTERS;

/** What is no increase counts as none. */
const increase = (value: number | undefined): number =>
  value !== undefined && Number.isFinite(value) && value > 0 ? value : 0;

const increases = (counts: TenantCounts): TenantCounts => ({
  tenant: counts.tenant,
  admitted: increase(counts.admitted),
  throttled: increase(counts.throttled),
  shadowed: increase(counts.shadowed),
  tokens: increase(counts.tokens),
  durationSecondsSum: increase(counts.durationSecondsSum),
});

function addEach(sums: number[], values: readonly number[]): void {
  for (let index = 0; index < sums.length; index++) sums[index] = (sums[index] ?? 0) + increase(values[index]);
}

/** A flush that may be counted; batches are as the protocol says. */
export const isSent = (sent: Sent): boolean =>
  typeof sent.edgeId === "string" &&
  sent.edgeId.length <= MAX_NAME_CHARACTERS &&
  isCount(sent.durable) &&
  sent.batches.every(({ seq }) => isCount(seq));
