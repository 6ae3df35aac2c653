/** Points as the lines of charts. */
import type { ChartLine } from "./chart.tsx";
import { paletteOf } from "./chart.tsx";
import {
  bucketsAt,
  GROUPS,
  OTHER,
  outcomesAt,
  outcomesOf,
  type Point,
  quantileMs,
  ratesAt,
  secondsOf,
  SERVED_BY,
  sumOf,
  tenantsOf,
} from "../model/traffic.ts";

/** A second, of all routes. */
export function outcomeLines(points: readonly Point[]): readonly ChartLine[] {
  const sums = points.map((point) => ({ outcomes: outcomesAt(point), seconds: secondsOf(point) }));
  return GROUPS.map(({ id, label, outcomes: grouped }) => ({
    label,
    colour: `--${id}`,
    values: sums.map(({ outcomes, seconds }) => sumOf(outcomes, grouped) / seconds),
  }));
}

/** What answered, a second; what never did in this time is left out. */
export function servedLines(points: readonly Point[], wanted: (route: string) => boolean): readonly ChartLine[] {
  const sums = points.map((point) => ({ outcomes: outcomesOf([point], wanted), seconds: secondsOf(point) }));
  return SERVED_BY.filter((outcome) => outcome === "origin" || sums.some(({ outcomes }) => outcomes[outcome] > 0)).map(
    (outcome) => ({
      label: outcome,
      colour: `--${outcome}`,
      values: sums.map(({ outcomes, seconds }) => outcomes[outcome] / seconds),
    }),
  );
}

const QUANTILES = [
  [0.5, "p50"],
  [0.95, "p95"],
  [0.99, "p99"],
] as const;

export function latencyLines(points: readonly Point[]): readonly ChartLine[] {
  const buckets = points.map(bucketsAt);
  return QUANTILES.map(([quantile, label], index) => ({
    label,
    colour: paletteOf(index),
    values: buckets.map((counts) => quantileMs(counts, quantile)),
  }));
}

const MAX_ROUTES = 50;

/** The busiest routes, each a line. */
export function routeLines(points: readonly Point[]): readonly ChartLine[] {
  const rates = points.map(ratesAt);
  const totals = new Map<string, number>();
  for (const of of rates) for (const [route, rate] of of) totals.set(route, (totals.get(route) ?? 0) + rate);
  const busiest = [...totals].sort(([, a], [, b]) => b - a).slice(0, MAX_ROUTES);
  return busiest
    .map(([route]) => route)
    .sort()
    .map((route, index) => ({
      label: route,
      colour: paletteOf(index),
      values: rates.map((of) => of.get(route) ?? 0),
    }));
}

const MAX_TENANTS = 7;

/** Throttled a second, of the most throttled. */
export function throttledLines(points: readonly Point[]): readonly ChartLine[] {
  const worst = tenantsOf(points)
    .filter(({ tenant, throttled }) => throttled > 0 && tenant !== OTHER)
    .slice(0, MAX_TENANTS)
    .map(({ tenant }) => tenant)
    .sort();
  return worst.map((tenant, index) => ({
    label: tenant,
    colour: paletteOf(index),
    values: points.map((point) => (point.tenants[tenant]?.throttled ?? 0) / secondsOf(point)),
  }));
}

const OF_TENANT = [
  ["admitted", "--origin"],
  ["throttled", "--throttled"],
] as const;

/** One tenant's requests a second. Those that shadow limits would have throttled were admitted: a line of its own. */
export const tenantLines = (points: readonly Point[], tenant: string): readonly ChartLine[] =>
  OF_TENANT.map(([label, colour]) => ({
    label,
    colour,
    values: points.map((point) => (point.tenants[tenant]?.[label] ?? 0) / secondsOf(point)),
  }));
