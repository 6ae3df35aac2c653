/**
 * What is new since the last reading of one counter's totals.
 *
 * Guarantee: the same totals again are an increase of nothing, so whoever stores the reading together with what he made of
 * it loses and doubles nothing, whatever becomes of him in between. The increases of all readings add up to the highest
 * totals read: for routes place by place; for tenants over all of them with OTHER, because one who is not told apart any
 * more goes on being counted there, and begins at 0 when it is again.
 * A counter that is lower than it was, with the same `beganAtMs`, went back to what it had stored, and isolates tell it the
 * rest again: nothing is new until it is above what it was. With another one it began anew: all of it is new.
 * Cost: O(routes + tenants), times their places.
 */
import { OTHER } from "../kernel/other.ts";
import { addCounts, addRoute, addTenant, newTally, routeKey, type Tally } from "./tally.ts";

export interface Counted {
  /** When this counter began to count: names it. */
  readonly beganAtMs: number;
  readonly routes: readonly { readonly route: string; readonly origin: string; readonly counts: readonly number[] }[];
  readonly tenants: readonly { readonly tenant: string; readonly counts: readonly number[] }[];
}

/** The highest totals read. */
export interface Reading {
  readonly beganAtMs: number;
  /** By `routeKey`. */
  readonly routes: ReadonlyMap<string, readonly number[]>;
  readonly tenants: ReadonlyMap<string, readonly number[]>;
  /** What all increases of tenants add up to. */
  readonly everybody: readonly number[];
}

export function takeReading(
  last: Reading | undefined,
  now: Counted,
): { readonly grown: Tally; readonly reading: Reading } {
  const before = last?.beganAtMs === now.beganAtMs ? last : undefined;
  const grown = newTally();
  const routes = new Map(before?.routes);
  for (const { route, origin, counts } of now.routes) {
    const key = routeKey(route, origin);
    const known = before?.routes.get(key);
    const increase = above(counts, known);
    if (increase === undefined) continue;
    addRoute(grown, route, origin, increase);
    routes.set(key, highest(counts, known));
  }
  const { tenants, everybody } = takeTenants(before, now.tenants, grown);
  return { grown, reading: { beganAtMs: now.beganAtMs, routes, tenants, everybody } };
}

function takeTenants(
  before: Reading | undefined,
  now: Counted["tenants"],
  grown: Tally,
): Pick<Reading, "tenants" | "everybody"> {
  const tenants = new Map<string, readonly number[]>();
  const left: number[] = [];
  for (const { counts } of now) addCounts(left, counts);
  for (const [place, count] of before?.everybody.entries() ?? []) left[place] = (left[place] ?? 0) - count;
  const tell = (tenant: string, increase: readonly number[]): void => {
    if (!increase.some(isAboveZero)) return;
    addTenant(grown, tenant, increase);
    for (const [place, count] of increase.entries()) left[place] = (left[place] ?? 0) - count;
  };
  const newcomers: (typeof now)[number][] = [];
  for (const one of now) {
    if (one.tenant === OTHER) continue;
    const known = before?.tenants.get(one.tenant);
    tenants.set(one.tenant, highest(one.counts, known));
    if (known === undefined) newcomers.push(one);
    else tell(one.tenant, above(one.counts, known) ?? []);
  }
  // It went back, and somebody is not told apart again yet: who is missing will come. Else it is counted under OTHER now.
  if (left.some(isBelowZero)) {
    for (const [tenant, counts] of before?.tenants ?? []) if (!tenants.has(tenant)) tenants.set(tenant, counts);
  }
  // Who is told apart anew may have been counted before, under OTHER: then there is not so much left.
  for (const { tenant, counts } of newcomers)
    tell(
      tenant,
      counts.map((count, place) => atMost(count, left[place])),
    );
  tell(
    OTHER,
    left.map((count) => Math.max(0, count)),
  );
  const everybody = [...(before?.everybody ?? [])];
  for (const counts of grown.tenants.values()) addCounts(everybody, counts);
  return { tenants, everybody };
}

/** Undefined: nothing is. */
function above(counts: readonly number[], known: readonly number[] = []): number[] | undefined {
  if (!counts.some((count, place) => count > (known[place] ?? 0))) return undefined;
  return counts.map((count, place) => Math.max(0, count - (known[place] ?? 0)));
}

const highest = (counts: readonly number[], known: readonly number[] = []): readonly number[] =>
  counts.map((count, place) => Math.max(count, known[place] ?? 0));

const atMost = (count: number, left = 0): number => Math.min(count, Math.max(0, left));
const isBelowZero = (count: number): boolean => count < -1e-6;
const isAboveZero = (count: number): boolean => count > 0;
