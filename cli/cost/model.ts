/**
 * What a month costs: traffic → calls, rows and reads (by the measurements) → dollars (by the prices). Pure. Everything that
 * is assumed has a name, a value and a reason, and can be replaced.
 */
import { MEASURED } from "./measurements.ts";
import { PLAN_DOLLARS, PRICES, type Price, type PriceId } from "./prices.ts";

export interface Traffic {
  /** Requests per second, mean over the month. */
  readonly rps: number;
  /** Tenants among whom these requests are spread evenly. */
  readonly tenants: number;
  /** Requests answered from the cache on routes with `charge: "miss"`: 0..1. */
  readonly cachedRatio: number;
}

export interface Assumption {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly why: string;
}

export interface CostLine {
  readonly id: PriceId;
  readonly what: string;
  readonly quantity: number;
  readonly unit: string;
  readonly included: number;
  readonly dollars: number;
  readonly because: string;
}

export interface Cost {
  readonly currency: "USD";
  readonly monthlyDollars: number;
  readonly dollarsPerMillionRequests: number;
  readonly lines: readonly CostLine[];
  readonly assumptions: readonly Assumption[];
  readonly prices: Readonly<Record<PriceId, Price>>;
}

/** `known`: names that `--set` may give. Undefined: the names are all known. */
export function unknownName(
  overrides: ReadonlyMap<string, number>,
): { readonly unknown: string; readonly known: string[] } | undefined {
  const known = [...ASSUMED({ rps: 1, tenants: 1, cachedRatio: 0 }).map(({ name }) => name), ...Object.keys(PRICES)];
  const unknown = [...overrides.keys()].find((name) => !known.includes(name));
  return unknown === undefined ? undefined : { unknown, known };
}

const SECONDS = 30 * 86_400;
const FLUSHES_PER_SECOND = 1;
const REPORTS_PER_SECOND = 1;
const RECORD_FRESH_SECONDS = 2;

/** Defaults, with what each comes from. */
const ASSUMED = (traffic: Traffic): Assumption[] => [
  {
    name: "isolates",
    value: Math.max(1, Math.min(20, Math.ceil(traffic.rps))),
    unit: "isolates",
    why: "assumed: isolates that take traffic at once; the platform publishes no figure",
  },
  {
    name: "isolatesPerTenant",
    value: 3,
    unit: "isolates",
    why: "assumed: a tenant's callers are near few of them; each hears the tenant's record (revoked keys) every 2 s",
  },
  {
    name: "leaseCallsPerRequest",
    value: callsPerRequest(traffic.rps / traffic.tenants),
    unit: "calls for each request charged",
    why: `measured for one tenant at ${MEASURED.leaseCalls.map(({ tenantRps, by }) => `${tenantRps}/s (${by})`).join(", ")}; between them by interpolation, below the first by its figure`,
  },
  { name: "limitsPerTenant", value: 1, unit: "limits", why: "assumed: limits that apply to one request" },
  { name: "routes", value: 3, unit: "routes", why: "assumed: routes that an isolate serves within ten seconds" },
  { name: "origins", value: 1, unit: "origins", why: "assumed" },
  {
    name: "cpuMsPerRequest",
    value: MEASURED.cpu.ms,
    unit: "ms",
    why: `measured from above: ${MEASURED.cpu.by}`,
  },
  {
    name: "objectMsPerCall",
    value: 10,
    unit: "ms",
    why: "assumed: the time an object is busy with one call, its write confirmed; billed at 128 MB. Idle objects hibernate and are not billed",
  },
  {
    name: "watchedHours",
    value: 160,
    unit: "hours a month",
    why: "assumed: somebody has the dashboard open; what happens is read seven times as often then",
  },
  { name: "snapshotPages", value: 0, unit: "pages", why: "assumed: pages with cache.snapshot" },
  {
    name: "snapshotWritesPerPage",
    value: 720,
    unit: "writes a month",
    why: "a page that changes is written at most once an hour unless its route says otherwise; the interval holds for the world",
  },
  { name: "snapshotKiB", value: 50, unit: "KiB", why: "assumed: size of one page" },
  {
    name: "outageRatio",
    value: 0.001,
    unit: "share of time",
    why: "assumed: while an origin is down, each miss of a snapshot page reads KV once",
  },
  {
    name: "objectKiB",
    value: 24,
    unit: "KiB",
    why: "assumed: stored by one tenant; an empty database is 12 KiB by the platform's documentation",
  },
];

function callsPerRequest(tenantRps: number): number {
  const points = MEASURED.leaseCalls;
  const above = points.findIndex((point) => point.tenantRps >= tenantRps);
  const [low, high] = [points[above - 1], points[above]];
  if (high === undefined) return points.at(-1)?.callsPerRequest ?? 1;
  if (low === undefined) return high.callsPerRequest;
  const share = Math.log(tenantRps / low.tenantRps) / Math.log(high.tenantRps / low.tenantRps);
  return Number((low.callsPerRequest + share * (high.callsPerRequest - low.callsPerRequest)).toFixed(3));
}

interface Quantity {
  readonly id: PriceId;
  readonly quantity: number;
  readonly because: string;
}

/** `withIncluded`: what the plan includes is taken off (for the account's first Worker, as it were). */
export function costOf(traffic: Traffic, overrides: ReadonlyMap<string, number>, withIncluded: boolean): Cost {
  const assumptions = ASSUMED(traffic).map((assumption) => {
    const value = overrides.get(assumption.name);
    return value === undefined ? assumption : { ...assumption, value, why: "given with --set" };
  });
  const assumed = (name: string): number =>
    assumptions.find((assumption) => assumption.name === name)?.value ?? Number.NaN;
  const priceOf = (id: PriceId): Price => ({ ...PRICES[id], dollars: overrides.get(id) ?? PRICES[id].dollars });
  const lines = quantitiesOf(traffic, assumed).map(({ id, quantity, because }): CostLine => {
    const { name, unit, per, dollars, included } = priceOf(id);
    const free = withIncluded ? included : 0;
    const cost = (Math.max(0, quantity - free) / per) * dollars;
    return {
      id,
      what: name,
      quantity: unit === "GB-month" ? Number(quantity.toFixed(3)) : Math.round(quantity),
      unit,
      included: free,
      dollars: cents(cost),
      because,
    };
  });
  const monthlyDollars = cents(PLAN_DOLLARS + lines.reduce((sum, { dollars }) => sum + dollars, 0));
  return {
    currency: "USD",
    monthlyDollars,
    dollarsPerMillionRequests: Number(((monthlyDollars * 1_000_000) / (traffic.rps * SECONDS)).toFixed(3)),
    lines,
    assumptions,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of PRICES are the ids
    prices: Object.fromEntries((Object.keys(PRICES) as PriceId[]).map((id) => [id, priceOf(id)])) as Record<
      PriceId,
      Price
    >,
  };
}

const cents = (dollars: number): number => Math.round(dollars * 100) / 100;

function quantitiesOf({ rps, tenants, cachedRatio }: Traffic, assumed: (name: string) => number): Quantity[] {
  const requests = rps * SECONDS;
  const missesPerSecond = rps * (1 - cachedRatio);
  const isolates = assumed("isolates");
  const { rowsPerLeaseCall, rowsPerStore, rowsPerReport, cleanup, analytics } = MEASURED;
  const perTenantRps = rps / tenants;
  const charged = missesPerSecond * assumed("leaseCallsPerRequest");
  // A tenant's record (revoked keys) is heard anew by each isolate that serves it, with a lease call or without one.
  const records = tenants * Math.min(perTenantRps, assumed("isolatesPerTenant") / RECORD_FRESH_SECONDS);
  const leases = Math.max(charged, Math.min(records, rps)) * SECONDS;
  const flushes = Math.min(rps, isolates * FLUSHES_PER_SECOND) * SECONDS;
  const reports = Math.min(missesPerSecond, isolates * REPORTS_PER_SECOND * assumed("origins")) * SECONDS;
  const alarms = tenants * (SECONDS / cleanup.everySeconds) * Math.min(1, perTenantRps * cleanup.everySeconds);
  const shards = Math.min(rowsPerStore.shards, isolates);
  const stores = shards * Math.min(1 / rowsPerStore.everySeconds, flushes / SECONDS / shards) * SECONDS;
  const monitor = monitorOf(rps, shards, assumed("watchedHours"));
  const rows =
    monitor.rows +
    leases * (rowsPerLeaseCall.beside + rowsPerLeaseCall.perLimit * assumed("limitsPerTenant")) +
    stores * (rowsPerStore.chunks + rowsPerStore.alarm) +
    reports * rowsPerReport.beside +
    alarms * cleanup.rowsPerAlarm;
  const calls = leases + flushes + stores + reports + alarms + monitor.calls;
  const tenantsPerWrite = Math.min(tenants, (rps / isolates) * analytics.everySeconds);
  const points =
    Math.min(rps, isolates / analytics.everySeconds) *
    Math.min(analytics.most, assumed("routes") + tenantsPerWrite) *
    SECONDS;
  const snapshotPages = assumed("snapshotPages");
  const count = (value: number): string => Math.round(value).toLocaleString("en");
  return [
    { id: "requests", quantity: requests, because: "each request is one, cached or not" },
    { id: "cpu", quantity: requests * assumed("cpuMsPerRequest"), because: "cpuMsPerRequest" },
    {
      id: "objectRequests",
      quantity: calls,
      because: `${count(leases)} lease calls, ${count(flushes)} flushes of counters, ${count(stores)} times that they are stored, ${count(reports)} breaker reports, ${count(alarms)} alarms, ${count(monitor.calls)} of the Monitor object`,
    },
    {
      id: "objectDuration",
      quantity: (calls * assumed("objectMsPerCall") * 0.128) / 1_000,
      because: "objectMsPerCall at 128 MB",
    },
    {
      id: "rowsWritten",
      quantity: rows,
      because: `each lease call ${rowsPerLeaseCall.beside} + limits, storing counters 2, each alarm 1; ${count(monitor.rows)} by the Monitor object`,
    },
    { id: "rowsRead", quantity: rows, because: "assumed as many as are written: objects keep their state in memory" },
    { id: "objectStorage", quantity: (tenants * assumed("objectKiB")) / 2 ** 20, because: "objectKiB for each tenant" },
    {
      id: "kvWrites",
      quantity: snapshotPages * assumed("snapshotWritesPerPage"),
      because: "snapshots, behind answers",
    },
    {
      id: "kvReads",
      quantity: snapshotPages === 0 ? 0 : missesPerSecond * SECONDS * assumed("outageRatio"),
      because: "snapshots, only while an origin is down",
    },
    { id: "kvStorage", quantity: (snapshotPages * assumed("snapshotKiB")) / 2 ** 20, because: "snapshots" },
    {
      id: "analyticsPoints",
      quantity: points,
      because: "each isolate every 10 s: a point for each route and tenant, 25 at most",
    },
    { id: "cacheApi", quantity: requests, because: "costs nothing: the cached copies, views of breakers" },
  ];
}

/** It is one, whatever the traffic is: readings while anybody calls, more of them while somebody watches. */
function monitorOf(
  rps: number,
  shards: number,
  watchedHours: number,
): { readonly calls: number; readonly rows: number } {
  const { everySeconds, watchedEverySeconds, restsAfterSeconds, wokenEverySeconds, rowsPerReading, rowsPerMinute } =
    MEASURED.monitor;
  const awakeSeconds = SECONDS * Math.min(1, rps * restsAfterSeconds);
  const watchedSeconds = Math.min(SECONDS, watchedHours * 3_600);
  const readings = Math.max(0, awakeSeconds - watchedSeconds) / everySeconds + watchedSeconds / watchedEverySeconds;
  return {
    calls: readings * (1 + MEASURED.rowsPerStore.shards) + (shards * awakeSeconds) / wokenEverySeconds,
    rows: readings * rowsPerReading + (awakeSeconds / 60) * (rowsPerMinute + shards),
  };
}
