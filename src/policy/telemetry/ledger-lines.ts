/**
 * A ledger as it is stored: a line of JSON for each thing, with its kind in front (docs/STORAGE.md). A line that cannot
 * be read is passed over and counted.
 */
import { isCount, parseJson } from "../kernel/json.ts";
import type { TenantCounts } from "./counts.ts";
import { addRoute, countSeries, type Ledger } from "./ledger.ts";
import type { Sketch } from "./space-saving.ts";
import { restoreTenant } from "./tenant-ledger.ts";

const UNREADABLE = "weir_metrics_lines_unreadable_total";

export function* linesOf({ series, routes, tenants, edges }: Ledger): Generator<string> {
  for (const [name, total] of series) yield JSON.stringify(["series", name, total]);
  for (const { route, origin, outcomes, buckets, goodBuckets, durationSecondsSum } of routes.values()) {
    yield JSON.stringify(["route", route, origin, outcomes, buckets, goodBuckets, durationSecondsSum]);
  }
  for (const { counts } of [...tenants.records.values(), { counts: tenants.other }]) {
    const { tenant, admitted, throttled, shadowed, tokens, durationSecondsSum } = counts;
    const totals = [admitted, throttled, shadowed, tokens, durationSecondsSum];
    yield JSON.stringify(["tenant", tenant, totals, place(tenants.asking, tenant), place(tenants.throttled, tenant)]);
  }
  for (const [edgeId, { received, seenAtMs }] of edges) yield JSON.stringify(["edge", edgeId, received, seenAtMs]);
}

export function takeLine(ledger: Ledger, line: string): void {
  const read: unknown = parseJson(line);
  if (!Array.isArray(read) || !takeFields(ledger, read)) countSeries(ledger, UNREADABLE, 1);
}

/** False: not understood. */
function takeFields(ledger: Ledger, [kind, name, ...fields]: readonly unknown[]): boolean {
  if (typeof name !== "string") return false;
  switch (kind) {
    case "series": {
      const [total] = fields;
      if (typeof total !== "number") return false;
      countSeries(ledger, name, total);
      return true;
    }
    case "route": {
      const [origin, outcomes, buckets, goodBuckets, durationSecondsSum] = fields;
      if (typeof origin !== "string" || typeof durationSecondsSum !== "number") return false;
      if (!isNumbers(outcomes) || !isNumbers(buckets) || !isNumbers(goodBuckets)) return false;
      addRoute(ledger.routes, { route: name, origin, outcomes, buckets, goodBuckets, durationSecondsSum });
      return true;
    }
    case "tenant": {
      const [totals, asking, throttled] = fields;
      if (!isNumbers(totals) || !isPlace(asking) || !isPlace(throttled)) return false;
      restoreTenant(ledger.tenants, tenantCounts(name, totals), asking, throttled);
      return true;
    }
    case "edge": {
      const [received, seenAtMs] = fields;
      if (!isCount(received) || !isCount(seenAtMs)) return false;
      ledger.edges.set(name, { received, durable: received, seenAtMs });
      return true;
    }
    default:
      return false;
  }
}

function tenantCounts(tenant: string, totals: readonly number[]): TenantCounts {
  const [admitted = 0, throttled = 0, shadowed = 0, tokens = 0, durationSecondsSum = 0] = totals;
  return { tenant, admitted, throttled, shadowed, tokens, durationSecondsSum };
}

type Place = readonly [weight: number, error: number] | null;

function place({ counters }: Sketch, tenant: string): Place {
  const counter = counters.get(tenant);
  return counter === undefined ? null : [counter.weight, counter.error];
}

const isNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((item) => typeof item === "number");

const isPlace = (value: unknown): value is Place => value === null || (isNumbers(value) && value.length === 2);
