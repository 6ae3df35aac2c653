/** Totals as series by name, for the text format. */
import { LATENCY_BOUNDS_SECONDS } from "../../src/policy/kernel/histogram.ts";
import { type MetricsTotals, OUTCOMES, type RouteCounts, type TenantTotals } from "../../src/protocol/metrics.ts";

export function flatTotals({ series, routes, tenants }: MetricsTotals): Record<string, number> {
  const flat: Record<string, number> = { ...series };
  for (const route of routes) addRoute(flat, route);
  for (const tenant of tenants) addTenant(flat, tenant);
  return flat;
}

function addRoute(
  flat: Record<string, number>,
  { origin, route, outcomes, buckets, durationSecondsSum }: RouteCounts,
): void {
  const labels = `origin="${origin}",route="${route}"`;
  for (const [place, outcome] of OUTCOMES.entries()) {
    const count = outcomes[place] ?? 0;
    if (count > 0) flat[`weir_requests_total{${labels},outcome="${outcome}"}`] = count;
  }
  let sum = 0;
  for (const [place, count] of buckets.entries()) {
    sum += count;
    flat[`weir_request_duration_seconds_bucket{${labels},le="${LATENCY_BOUNDS_SECONDS[place] ?? "+Inf"}"}`] = sum;
  }
  flat[`weir_request_duration_seconds_sum{${labels}}`] = durationSecondsSum;
  flat[`weir_request_duration_seconds_count{${labels}}`] = sum;
}

function addTenant(flat: Record<string, number>, { tenant, admitted, throttled, shadowed }: TenantTotals): void {
  for (const [decision, count] of Object.entries({ admitted, throttled, shadowed })) {
    if (count === 0) continue;
    flat[`weir_tenant_decisions_total{tenant="${tenant}",decision="${decision}"}`] = count;
    const all = `weir_limit_decisions_total{decision="${decision}"}`;
    flat[all] = (flat[all] ?? 0) + count;
  }
}
