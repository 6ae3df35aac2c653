/**
 * What was asked for within an hour, sample by sample of about SAMPLE_MS: tokens a second of each tenant, requests a
 * second and requests at once of each origin. Requests at once by Little's law: those that ended within a sample together
 * took so many seconds, so that many were under way on average.
 * Isolates tell what they counted about once a second, so a sample's edges are that blurred: a tenth of it.
 * Bounds: `mostTenants` tenants, those who asked most; who falls out begins anew when it comes back.
 */
import { addSample, addSpread, quantile, type Spread } from "./spread.ts";
import { OTHER } from "../kernel/other.ts";
import { type Tally, TENANT_PLACES } from "./tally.ts";

export const SAMPLE_MS = 10_000;

export interface TenantAsked {
  readonly rates: Spread;
  peakTokens: number;
  admitted: number;
  throttled: number;
  durationSecondsSum: number;
}

export interface OriginAsked {
  readonly rates: Spread;
  readonly atOnce: Spread;
  requests: number;
  durationSecondsSum: number;
}

export interface Demand {
  readonly tenants: Map<string, TenantAsked>;
  readonly origins: Map<string, OriginAsked>;
}

export const newDemand = (): Demand => ({ tenants: new Map(), origins: new Map() });

/** What came within `elapsedMs`; longer than SAMPLE_MS (nobody looked for a while): as many samples as it has room for. */
export function addDemand(
  demand: Demand,
  tally: Tally,
  /** Requests of a route's list, and seconds. */
  requestsOf: (counts: readonly number[]) => { readonly requests: number; readonly durationSecondsSum: number },
  peaks: ReadonlyMap<string, number>,
  elapsedMs: number,
): void {
  const seconds = elapsedMs / 1_000;
  const times = Math.max(1, Math.round(elapsedMs / SAMPLE_MS));
  for (const [id, counts] of tally.tenants) {
    if (id === OTHER) continue;
    const asked = tenantOf(demand, id);
    addSample(asked.rates, (counts[TENANT_PLACES.tokens] ?? 0) / seconds, times);
    asked.peakTokens = Math.max(asked.peakTokens, peaks.get(id) ?? 0);
    asked.admitted += counts[TENANT_PLACES.admitted] ?? 0;
    asked.throttled += counts[TENANT_PLACES.throttled] ?? 0;
    asked.durationSecondsSum += counts[TENANT_PLACES.durationSecondsSum] ?? 0;
  }
  const origins = new Map<string, { requests: number; durationSecondsSum: number }>();
  for (const { origin, counts } of tally.routes.values()) {
    if (origin === "") continue;
    const { requests, durationSecondsSum } = requestsOf(counts);
    const known = origins.get(origin) ?? { requests: 0, durationSecondsSum: 0 };
    known.requests += requests;
    known.durationSecondsSum += durationSecondsSum;
    origins.set(origin, known);
  }
  for (const [origin, { requests, durationSecondsSum }] of origins) {
    const asked = originOf(demand, origin);
    addSample(asked.rates, requests / seconds, times);
    addSample(asked.atOnce, durationSecondsSum / seconds, times);
    asked.requests += requests;
    asked.durationSecondsSum += durationSecondsSum;
  }
}

export function mergeDemand(into: Demand, { tenants, origins }: Demand): void {
  for (const [id, from] of tenants) {
    const asked = tenantOf(into, id);
    addSpread(asked.rates, from.rates);
    asked.peakTokens = Math.max(asked.peakTokens, from.peakTokens);
    asked.admitted += from.admitted;
    asked.throttled += from.throttled;
    asked.durationSecondsSum += from.durationSecondsSum;
  }
  for (const [id, from] of origins) {
    const asked = originOf(into, id);
    addSpread(asked.rates, from.rates);
    addSpread(asked.atOnce, from.atOnce);
    asked.requests += from.requests;
    asked.durationSecondsSum += from.durationSecondsSum;
  }
}

/** In place. */
export function boundDemand({ tenants }: Demand, mostTenants: number): void {
  if (tenants.size <= mostTenants) return;
  const least = [...tenants].toSorted(([, a], [, b]) => a.admitted + a.throttled - b.admitted - b.throttled);
  for (const [id] of least.slice(0, tenants.size - mostTenants)) tenants.delete(id);
}

export const quantiles = (spread: ReadonlyMap<number, number>) => ({
  p50: quantile(spread, 0.5),
  p95: quantile(spread, 0.95),
  p99: quantile(spread, 0.99),
});

function tenantOf({ tenants }: Demand, id: string): TenantAsked {
  const known = tenants.get(id);
  if (known !== undefined) return known;
  const made = { rates: new Map(), peakTokens: 0, admitted: 0, throttled: 0, durationSecondsSum: 0 };
  tenants.set(id, made);
  return made;
}

function originOf({ origins }: Demand, id: string): OriginAsked {
  const known = origins.get(id);
  if (known !== undefined) return known;
  const made = { rates: new Map(), atOnce: new Map(), requests: 0, durationSecondsSum: 0 };
  origins.set(id, made);
  return made;
}
