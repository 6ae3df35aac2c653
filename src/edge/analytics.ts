/**
 * Data points for Workers Analytics Engine (docs/STORAGE.md): what routes and tenants had in this isolate in about ten
 * seconds, written with a flush. For looking into one tenant among a million, by SQL; totals that are exact come from
 * the Metrics objects.
 *
 * Bounds: MAX_POINTS, as the platform takes from one invocation: the busiest routes, the most throttled and then the
 * busiest tenants, and one point for all the others. Lost with an isolate that is evicted: WRITE_EVERY_MS.
 */
import { OTHER } from "../policy/kernel/other.ts";
import type { MetricsBatch, RouteCounts, TenantCounts } from "../policy/telemetry/counts.ts";
import { countBatch, type Ledger, newLedger } from "../policy/telemetry/ledger.ts";
import { addTenantCounts, newTenantCounts, tenantTotals } from "../policy/telemetry/tenant-ledger.ts";
import { type Series, series } from "../protocol/series.ts";

const WRITE_EVERY_MS = 10_000;
const MAX_POINTS = 25;
const MAX_ROUTE_POINTS = 10;

export class Analytics {
  readonly #pop: string;
  readonly #countEvent: (event: Series) => void;
  #ledger: Ledger = newLedger(0);
  #sinceMs: number;

  constructor(pop: string, nowMs: number, countEvent: (event: Series) => void) {
    this.#pop = pop;
    this.#sinceMs = nowMs;
    this.#countEvent = countEvent;
  }

  /** With each batch; without a data set it is passed over. */
  note(dataset: AnalyticsEngineDataset | undefined, batch: Omit<MetricsBatch, "seq">, nowMs: number): void {
    if (dataset === undefined) return;
    countBatch(this.#ledger, batch, undefined, nowMs);
    if (nowMs - this.#sinceMs < WRITE_EVERY_MS) return;
    const points = pointsOf(this.#ledger, this.#pop, nowMs);
    this.#ledger = newLedger(nowMs);
    this.#sinceMs = nowMs;
    try {
      for (const point of points) dataset.writeDataPoint(point);
    } catch {
      this.#countEvent(series("weir_analytics_failures_total"));
    }
  }
}

function pointsOf(ledger: Ledger, pop: string, nowMs: number): AnalyticsEngineDataPoint[] {
  const routes = [...ledger.routes.values()].toSorted((a, b) => sum(b.outcomes) - sum(a.outcomes));
  const shownRoutes = routes.slice(0, MAX_ROUTE_POINTS);
  const tenants = tenantTotals(ledger.tenants, nowMs).filter(({ tenant }) => tenant !== OTHER);
  tenants.sort((a, b) => b.throttled - a.throttled || b.admitted - a.admitted);
  const room = MAX_POINTS - shownRoutes.length - 1;
  const others = newTenantCounts(OTHER);
  for (const counts of [...tenants.slice(room), ledger.tenants.other]) addTenantCounts(others, counts);
  const shownTenants = [...tenants.slice(0, room), ...(others.admitted + others.throttled > 0 ? [others] : [])];
  return [
    ...shownRoutes.map((counts) => routePoint(counts, pop)),
    ...shownTenants.map((counts) => tenantPoint(counts, pop)),
  ];
}

const routePoint = (counts: RouteCounts, pop: string): AnalyticsEngineDataPoint => ({
  indexes: [counts.route],
  blobs: ["route", counts.route, counts.origin, pop],
  doubles: [...counts.outcomes, sum(counts.outcomes), sum(counts.goodBuckets), counts.durationSecondsSum],
});

const tenantPoint = (counts: TenantCounts, pop: string): AnalyticsEngineDataPoint => ({
  indexes: [counts.tenant],
  blobs: ["tenant", counts.tenant, "", pop],
  doubles: [counts.admitted, counts.throttled, counts.shadowed, counts.tokens, counts.durationSecondsSum],
});

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
