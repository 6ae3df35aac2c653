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

const everyRoute = (): boolean => true;

/** Of all routes that `wanted` takes. */
export function outcomesOf(points: readonly Point[], wanted: (route: string) => boolean = everyRoute): Outcomes {
  const sum = none();
  for (const { routes } of points) {
    for (const [route, { outcomes }] of Object.entries(routes)) {
      if (!wanted(route)) continue;
      for (const outcome of OUTCOMES) sum[outcome] += outcomes[outcome] ?? 0;
    }
  }
  return sum;
}

/** A point never changes: what was added up of it is kept for as long as it is, so that a tick costs what it brings. */
function oncePerPoint<Value>(make: (point: Point) => Value): (point: Point) => Value {
  const made = new WeakMap<Point, { readonly value: Value }>();
  return (point) => {
    let kept = made.get(point);
    if (kept === undefined) {
      kept = { value: make(point) };
      made.set(point, kept);
    }
    return kept.value;
  };
}

export const outcomesAt = oncePerPoint((point) => outcomesOf([point]));

/** By LATENCY_BOUNDS_SECONDS, of all routes. */
export const bucketsAt = oncePerPoint(({ routes }) => summed(Object.values(routes).map(({ buckets }) => buckets)));

/** Requests a second of each route. */
export const ratesAt = oncePerPoint((point): ReadonlyMap<string, number> => {
  const seconds = secondsOf(point);
  const rates = new Map<string, number>();
  for (const [route, { outcomes }] of Object.entries(point.routes)) {
    let sum = 0;
    for (const outcome of OUTCOMES) sum += outcomes[outcome] ?? 0;
    rates.set(route, sum / seconds);
  }
  return rates;
});

export function addedUp(all: readonly Outcomes[]): Outcomes {
  const sum = none();
  for (const one of all) for (const outcome of OUTCOMES) sum[outcome] += one[outcome];
  return sum;
}

/** By LATENCY_BOUNDS_SECONDS, and above them all. */
export function summed(all: readonly (readonly number[])[]): readonly number[] {
  const sum = Array.from({ length: LATENCY_BOUNDS_SECONDS.length + 1 }, () => 0);
  for (const counts of all) addTo(sum, counts);
  return sum;
}

interface MergedRoute {
  readonly outcomes: Partial<Record<Outcome, number>>;
  readonly buckets: number[];
  readonly goodBuckets: number[];
  durationSecondsSum: number;
}

function addTo(sum: number[], counts: readonly number[]): void {
  for (let index = 0; index < counts.length; index++) sum[index] = (sum[index] ?? 0) + (counts[index] ?? 0);
}

/** One point of several that follow each other: what was counted, over all their time. */
export function merged(points: readonly Point[]): Point {
  const routes: Record<string, MergedRoute> = {};
  for (const point of points) {
    for (const [route, { outcomes, buckets, goodBuckets, durationSecondsSum }] of Object.entries(point.routes)) {
      const sum = (routes[route] ??= { outcomes: {}, buckets: [], goodBuckets: [], durationSecondsSum: 0 });
      for (const outcome of OUTCOMES) {
        const value = outcomes[outcome];
        if (value !== undefined) sum.outcomes[outcome] = (sum.outcomes[outcome] ?? 0) + value;
      }
      addTo(sum.buckets, buckets);
      addTo(sum.goodBuckets, goodBuckets);
      sum.durationSecondsSum += durationSecondsSum;
    }
  }
  const tenants = Object.fromEntries(
    tenantsOf(points).map(({ tenant, admitted, throttled, shadowed }) => [tenant, { admitted, throttled, shadowed }]),
  );
  return { fromMs: points[0]?.fromMs ?? 0, toMs: points.at(-1)?.toMs ?? 0, routes, tenants };
}

/** Times of which nothing is recorded are times in which nobody asked: a line falls to nothing, and rises again. */
export function withGaps(points: readonly Point[], stepMs: number): readonly Point[] {
  return points.flatMap((point, index) => {
    const gapMs = point.fromMs - (points[index - 1]?.toMs ?? point.fromMs);
    if (gapMs < stepMs) return [point];
    const empty = (fromMs: number): Point => ({ fromMs, toMs: fromMs + stepMs, routes: {}, tenants: {} });
    return [empty(point.fromMs - gapMs), empty(point.fromMs - stepMs), point];
  });
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
