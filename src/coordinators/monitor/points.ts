/** Lists of counts, as policy/recording adds them, from what Metrics objects say and to what is said of them. */
import { LATENCY_BOUNDS_SECONDS } from "../../policy/kernel/histogram.ts";
import type { Counted } from "../../policy/recording/reading.ts";
import { addCounts, bounded, type Tally, TENANT_PLACES } from "../../policy/recording/tally.ts";
import { type ShardTotals, OUTCOMES } from "../../protocol/metrics.ts";
import type { RoutePoint, SeriesPoint, TenantPoint } from "../../protocol/monitor.ts";

/** A route's list: seconds, then outcomes, buckets, buckets of the good ones. Stored: another order is another version. */
const BUCKETS = LATENCY_BOUNDS_SECONDS.length + 1;
const FIRST_BUCKET = 1 + OUTCOMES.length;
const FIRST_GOOD_BUCKET = FIRST_BUCKET + BUCKETS;

export function countedOf({ beganAtMs, routes, tenants }: ShardTotals): Counted {
  return {
    beganAtMs,
    routes: routes.map(({ route, origin, outcomes, buckets, goodBuckets, durationSecondsSum }) => ({
      route,
      origin,
      counts: [durationSecondsSum, ...outcomes, ...buckets, ...goodBuckets],
    })),
    tenants: tenants.map(({ tenant, admitted, throttled, shadowed, tokens, durationSecondsSum }) => ({
      tenant,
      counts: [admitted, throttled, shadowed, tokens, durationSecondsSum],
    })),
  };
}

export function requestsOf(counts: readonly number[]): {
  readonly requests: number;
  readonly durationSecondsSum: number;
} {
  let requests = 0;
  for (let place = 1; place < FIRST_BUCKET; place++) requests += counts[place] ?? 0;
  return { requests, durationSecondsSum: counts[0] ?? 0 };
}

export function pointOf(
  tally: Tally,
  fromMs: number,
  toMs: number,
  mostRoutes: number,
  mostTenants: number,
): SeriesPoint {
  const { routes, tenants } = bounded(tally, mostRoutes, mostTenants);
  const byRoute = new Map<string, number[]>();
  for (const { route, counts } of routes.values()) {
    const known = byRoute.get(route);
    if (known === undefined) byRoute.set(route, counts);
    else addCounts(known, counts);
  }
  return {
    fromMs,
    toMs,
    routes: Object.fromEntries([...byRoute].map(([route, counts]) => [route, routePointOf(counts)])),
    tenants: Object.fromEntries([...tenants].map(([id, counts]) => [id, tenantPointOf(counts)])),
  };
}

export function routePointOf(counts: readonly number[]): RoutePoint {
  const outcomes: Partial<Record<(typeof OUTCOMES)[number], number>> = {};
  for (const [index, outcome] of OUTCOMES.entries()) {
    const count = counts[1 + index] ?? 0;
    if (count > 0) outcomes[outcome] = count;
  }
  return {
    outcomes,
    buckets: bucketsFrom(counts, FIRST_BUCKET),
    goodBuckets: bucketsFrom(counts, FIRST_GOOD_BUCKET),
    durationSecondsSum: counts[0] ?? 0,
  };
}

/** Stored lists end at their last count. */
const bucketsFrom = (counts: readonly number[], first: number): readonly number[] =>
  Array.from({ length: BUCKETS }, (_, index) => counts[first + index] ?? 0);

function tenantPointOf(counts: readonly number[]): TenantPoint {
  return {
    admitted: counts[TENANT_PLACES.admitted] ?? 0,
    throttled: counts[TENANT_PLACES.throttled] ?? 0,
    shadowed: counts[TENANT_PLACES.shadowed] ?? 0,
  };
}
