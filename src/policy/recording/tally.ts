/**
 * What was counted within some time, of each route and tenant. Every number has its place in a list, so that to add, to
 * subtract and to store are one loop. Bounds are set by `bounded`, which loses nothing. Cost: O(routes × places).
 */
import { OTHER } from "../kernel/other.ts";

export interface RouteTally {
  readonly route: string;
  readonly origin: string;
  readonly counts: number[];
}

export interface Tally {
  /** By `routeKey`. */
  readonly routes: Map<string, RouteTally>;
  readonly tenants: Map<string, number[]>;
}

/** Places of a tenant's list. */
export const TENANT_PLACES = { admitted: 0, throttled: 1, shadowed: 2, tokens: 3, durationSecondsSum: 4 } as const;

export const newTally = (): Tally => ({ routes: new Map(), tenants: new Map() });
export const isEmpty = ({ routes, tenants }: Tally): boolean => routes.size === 0 && tenants.size === 0;
/** A route may have had another origin before. */
export const routeKey = (route: string, origin: string): string => `${route}\n${origin}`;

export function addTally(into: Tally, { routes, tenants }: Tally): void {
  for (const { route, origin, counts } of routes.values()) addRoute(into, route, origin, counts);
  for (const [id, counts] of tenants) addTenant(into, id, counts);
}

export function addRoute(into: Tally, route: string, origin: string, counts: readonly number[]): void {
  const key = routeKey(route, origin);
  const known = into.routes.get(key);
  if (known === undefined) into.routes.set(key, { route, origin, counts: [...counts] });
  else addCounts(known.counts, counts);
}

export function addTenant(into: Tally, id: string, counts: readonly number[]): void {
  const known = into.tenants.get(id);
  if (known === undefined) into.tenants.set(id, [...counts]);
  else addCounts(known, counts);
}

export function addCounts(into: number[], counts: readonly number[]): void {
  for (let place = 0; place < counts.length; place++) into[place] = (into[place] ?? 0) + (counts[place] ?? 0);
}

/**
 * The same, with so many at most told apart: the busiest routes, the most throttled tenants and then those who asked most.
 * What is beyond is under OTHER.
 */
export function bounded(tally: Tally, mostRoutes: number, mostTenants: number): Tally {
  const kept = newTally();
  const routes = [...tally.routes.values()].map((one) => ({ ...one, weight: sum(one.counts) }));
  if (routes.length > mostRoutes) routes.sort((a, b) => b.weight - a.weight);
  for (const [index, { route, origin, counts }] of routes.entries()) {
    if (index < mostRoutes) addRoute(kept, route, origin, counts);
    else addRoute(kept, OTHER, "", counts);
  }
  const tenants = [...tally.tenants].filter(([id]) => id !== OTHER);
  if (tenants.length > mostTenants) tenants.sort(([, a], [, b]) => throttled(b) - throttled(a) || asked(b) - asked(a));
  for (const [index, [id, counts]] of tenants.entries()) addTenant(kept, index < mostTenants ? id : OTHER, counts);
  const others = tally.tenants.get(OTHER);
  if (others !== undefined) addTenant(kept, OTHER, others);
  return kept;
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
const throttled = (counts: readonly number[]): number => counts[TENANT_PLACES.throttled] ?? 0;
const asked = (counts: readonly number[]): number => throttled(counts) + (counts[TENANT_PLACES.admitted] ?? 0);
