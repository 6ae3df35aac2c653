/** Totals of several Metrics objects as one. Sums only: of no use where one of them is missing, as counters would go back. */
import { addRoute, type RouteTotals } from "../policy/telemetry/ledger.ts";
import type { MetricsTotals, TenantTotals } from "./metrics.ts";

export function addTotals(parts: readonly MetricsTotals[]): MetricsTotals {
  const series: Record<string, number> = {};
  const routes = new Map<string, RouteTotals>();
  const tenants = new Map<string, TenantTotals>();
  let edges = 0;
  for (const part of parts) {
    for (const [name, total] of Object.entries(part.series)) series[name] = (series[name] ?? 0) + total;
    for (const counts of part.routes) addRoute(routes, counts);
    for (const tenant of part.tenants) tenants.set(tenant.tenant, addTenants(tenants.get(tenant.tenant), tenant));
    edges += part.edges;
  }
  return { series, routes: [...routes.values()], tenants: [...tenants.values()], edges };
}

const addTenants = (sum: TenantTotals | undefined, more: TenantTotals): TenantTotals =>
  sum === undefined
    ? more
    : {
        tenant: sum.tenant,
        admitted: sum.admitted + more.admitted,
        throttled: sum.throttled + more.throttled,
        shadowed: sum.shadowed + more.shadowed,
        tokens: sum.tokens + more.tokens,
        durationSecondsSum: sum.durationSecondsSum + more.durationSecondsSum,
        peakTokens: sum.peakTokens + more.peakTokens,
      };
