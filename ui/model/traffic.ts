/** What the gateway counted, added up in the ways that are shown. Pure. */
import {
  LATENCY_BOUNDS_SECONDS,
  type LiveTick,
  type Outcome,
  OUTCOMES,
  type SeriesPointView,
} from "../../src/admin/contract.ts";

export type Point = SeriesPointView | LiveTick["point"];

/** How requests end, by what it means for users; in the order they are stacked. */
export const GROUPS = [
  { id: "origin", label: "origin", outcomes: ["origin"] },
  { id: "cache", label: "cache, fresh", outcomes: ["cache"] },
  { id: "stale", label: "degraded", outcomes: ["stale", "snapshot", "failover", "deferred"] },
  { id: "fallback", label: "page only", outcomes: ["fallback", "maintenance"] },
  { id: "throttled", label: "throttled", outcomes: ["throttled"] },
  { id: "refused", label: "refused", outcomes: ["refused"] },
  { id: "error", label: "shed or error", outcomes: ["shed", "error"] },
] as const satisfies readonly { id: string; label: string; outcomes: readonly Outcome[] }[];

/** What stands in for the origin, and what is said when nothing does. */
export const SERVED_BY = [
  "origin",
  "cache",
  "stale",
  "snapshot",
  "failover",
  "deferred",
  "fallback",
  "maintenance",
  "shed",
  "error",
] as const satisfies readonly Outcome[];

export type Outcomes = Readonly<Record<Outcome, number>>;

const none = (): Record<Outcome, number> =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one entry for each of OUTCOMES
  Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;

/** Of all routes that `wanted` takes. */
export function outcomesOf(points: readonly Point[], wanted: (route: string) => boolean = () => true): Outcomes {
  const sum = none();
  for (const { routes } of points) {
    for (const [route, { outcomes }] of Object.entries(routes)) {
      if (!wanted(route)) continue;
      for (const outcome of OUTCOMES) sum[outcome] += outcomes[outcome] ?? 0;
    }
  }
  return sum;
}

export const sumOf = (outcomes: Outcomes, wanted: readonly Outcome[] = OUTCOMES): number =>
  wanted.reduce((sum, outcome) => sum + outcomes[outcome], 0);

export const secondsOf = ({ fromMs, toMs }: Point): number => Math.max(0.001, (toMs - fromMs) / 1_000);

/** What was asked of the gateway and was not the caller's doing: of these, how many got what was meant. */
export function servedWell(outcomes: Outcomes): number {
  const asked = sumOf(outcomes) - outcomes.throttled - outcomes.refused;
  return asked === 0 ? Number.NaN : (outcomes.origin + outcomes.cache) / asked;
}

export interface TenantTraffic {
  readonly tenant: string;
  readonly admitted: number;
  readonly throttled: number;
  readonly shadowed: number;
}

/** The most throttled first; then those who asked most. `other` comes last: it is nobody. */
export function tenantsOf(points: readonly Point[]): readonly TenantTraffic[] {
  const sums = new Map<string, { admitted: number; throttled: number; shadowed: number }>();
  for (const { tenants } of points) {
    for (const [tenant, { admitted, throttled, shadowed }] of Object.entries(tenants)) {
      const sum = sums.get(tenant) ?? { admitted: 0, throttled: 0, shadowed: 0 };
      sum.admitted += admitted;
      sum.throttled += throttled;
      sum.shadowed += shadowed;
      sums.set(tenant, sum);
    }
  }
  const rank = ({ tenant, throttled, shadowed, admitted }: TenantTraffic): readonly number[] => [
    tenant === OTHER ? 1 : 0,
    -throttled,
    -shadowed,
    -admitted,
  ];
  return [...sums]
    .map(([tenant, sum]) => ({ tenant, ...sum }))
    .sort((a, b) => {
      const [left, right] = [rank(a), rank(b)];
      const differs = left.findIndex((value, index) => value !== right[index]);
      return differs === -1 ? a.tenant.localeCompare(b.tenant) : (left[differs] ?? 0) - (right[differs] ?? 0);
    });
}

export const OTHER = "other";

export function bucketsOf(points: readonly Point[]): readonly number[] {
  const sum = LATENCY_BOUNDS_SECONDS.map(() => 0);
  sum.push(0);
  for (const { routes } of points) {
    for (const { buckets } of Object.values(routes)) {
      for (const [index, value] of buckets.entries()) sum[index] = (sum[index] ?? 0) + value;
    }
  }
  return sum;
}

/** In milliseconds, within its bucket by straight lines, as Prometheus does; null: nothing was asked. */
export function quantileMs(buckets: readonly number[], quantile: number): number | null {
  const total = buckets.reduce((sum, value) => sum + value, 0);
  if (total === 0) return null;
  let left = quantile * total;
  for (const [index, inBucket] of buckets.entries()) {
    const below = index === 0 ? 0 : (LATENCY_BOUNDS_SECONDS[index - 1] ?? 0);
    const bound = LATENCY_BOUNDS_SECONDS[index];
    if (bound === undefined) return below * 1_000;
    if (left <= inBucket) return (below + ((bound - below) * left) / Math.max(inBucket, 1)) * 1_000;
    left -= inBucket;
  }
  return null;
}

/** Those of the last `ms` before the newest. */
export function within(ticks: readonly LiveTick[], ms: number): readonly LiveTick["point"][] {
  const newest = ticks.at(-1)?.atMs ?? 0;
  return ticks.filter(({ atMs }) => atMs > newest - ms).map(({ point }) => point);
}
