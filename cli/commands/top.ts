/** `weir top`: who calls how much now, how requests end, and the breakers: counters' differences, turn by turn. */
import { defineCommand } from "citty";
import type { StatusReply } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments, readCounters } from "../client.ts";
import { durationArgument } from "../duration.ts";
import { CliError, colour, EXIT, tableText, timeOf } from "../output.ts";
import { countArgument, turns } from "../watch.ts";

const ORDERS = ["requests", "admitted", "throttled"] as const;
type Order = (typeof ORDERS)[number];
/** Counters come about once a second: a shorter look would see none of them, or twice as many. */
const LEAST_INTERVAL_MS = 1_000;
const CLEAR = "\u001B[2J\u001B[H";

export const topCommand = defineCommand({
  meta: { name: "top", description: "Tenants, routes and breakers, live, until Ctrl-C" },
  args: {
    by: { type: "string", description: `What tenants are sorted by: ${ORDERS.join(", ")}`, default: "requests" },
    interval: { type: "string", description: "Between two looks, 1s at least", default: "2s" },
    rows: { type: "string", description: "Tenants and routes shown", default: "20" },
    count: { type: "string", description: "End after so many tables" },
    once: { type: "boolean", description: "One table, then end", default: false },
    state: gatewayArguments.state,
    json: { type: "boolean", description: "Print one JSON object a line for each table", default: false },
  },
  async run({ args }) {
    const by = ORDERS.find((order) => order === args.by);
    if (by === undefined) throw new CliError(`--by must be one of ${ORDERS.join(", ")}, not "${args.by}"`, EXIT.usage);
    const intervalMs = durationArgument("interval", args.interval);
    if (intervalMs < LEAST_INTERVAL_MS)
      throw new CliError(`--interval must be 1s at least, not "${args.interval}"`, EXIT.usage);
    const rows = countArgument("rows", args.rows) ?? 1;
    const tables = args.once ? 1 : countArgument("count", args.count);
    let before: Look | undefined;
    for await (const _ of turns(intervalMs, tables === undefined ? undefined : tables + 1)) {
      const now = await look(args.state);
      if (before !== undefined) show(tableOf(before, now, by, rows), args.json);
      else if (process.stdout.isTTY && !args.json) console.error(`a first table in ${args.interval}; Ctrl-C ends it`);
      before = now;
    }
  },
});

interface Look {
  readonly atMs: number;
  readonly counters: ReadonlyMap<string, number>;
  readonly status: StatusReply;
}

async function look(state: string | undefined): Promise<Look> {
  const [counters, status] = await Promise.all([
    readCounters(state),
    callAdmin<StatusReply>(state, { method: "GET", path: "/status" }),
  ]);
  return { atMs: Date.now(), counters, status };
}

interface TenantRow {
  readonly tenant: string;
  readonly admitted: number;
  readonly throttled: number;
  readonly perSecond: number;
  /** Of the tightest limit; null: not known, as of tenants beyond the first hundred. */
  readonly remainingTokens: number | null;
  readonly capacityTokens: number | null;
}

interface RouteRow {
  readonly route: string;
  readonly requests: number;
  readonly outcomes: Readonly<Record<string, number>>;
}

interface Table {
  readonly atMs: number;
  readonly intervalMs: number;
  readonly tenants: readonly TenantRow[];
  readonly routes: readonly RouteRow[];
  readonly breakers: readonly Pick<StatusReply["origins"][number], "origin" | "state" | "score">[];
}

const DECISIONS = /^weir_tenant_decisions_total\{tenant="([^"]*)",decision="(admitted|throttled)"\}$/;
const REQUESTS = /^weir_requests_total\{origin="[^"]*",route="([^"]*)",outcome="([^"]*)"\}$/;

function tableOf(before: Look, now: Look, by: Order, most: number): Table {
  const intervalMs = Math.max(1, now.atMs - before.atMs);
  const tenants = new Map<string, { admitted: number; throttled: number }>();
  const routes = new Map<string, Record<string, number>>();
  for (const [series, value] of now.counters) {
    if (value === 0) continue;
    // A counter that went back has begun anew.
    const increase = value - Math.min(value, before.counters.get(series) ?? 0);
    const [, tenant, decision] = DECISIONS.exec(series) ?? [];
    if (tenant !== undefined && (decision === "admitted" || decision === "throttled")) {
      const row = tenants.get(tenant) ?? { admitted: 0, throttled: 0 };
      row[decision] += increase;
      tenants.set(tenant, row);
      continue;
    }
    const [, route, outcome] = REQUESTS.exec(series) ?? [];
    if (route === undefined || outcome === undefined || increase === 0) continue;
    routes.set(route, { ...routes.get(route), [outcome]: increase });
  }
  const tenantRows = [...tenants].map(([tenant, counts]): TenantRow => {
    const perSecond = ((counts.admitted + counts.throttled) * 1_000) / intervalMs;
    return { tenant, ...counts, perSecond, ...tightest(now.status, tenant) };
  });
  const sortedBy = (row: TenantRow): number => (by === "requests" ? row.perSecond : row[by]);
  const routeRows = [...routes].map(([route, outcomes]): RouteRow => {
    return { route, outcomes, requests: Object.values(outcomes).reduce((sum, count) => sum + count, 0) };
  });
  return {
    atMs: now.atMs,
    intervalMs,
    tenants: tenantRows.toSorted((a, b) => sortedBy(b) - sortedBy(a)).slice(0, most),
    routes: routeRows.toSorted((a, b) => b.requests - a.requests).slice(0, most),
    breakers: now.status.origins.map(({ origin, state, score }) => ({ origin, state, score })),
  };
}

/** Of all its limits the one of which the smallest part is left. */
function tightest(
  { tenants }: StatusReply,
  id: string,
): { readonly remainingTokens: number | null; readonly capacityTokens: number | null } {
  const limits = tenants.find(({ tenant }) => tenant === id)?.limits ?? [];
  const [least] = limits.toSorted((a, b) => a.freeTokens / a.capacityTokens - b.freeTokens / b.capacityTokens);
  return { remainingTokens: least?.freeTokens ?? null, capacityTokens: least?.capacityTokens ?? null };
}

function show(table: Table, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(table)}\n`);
    return;
  }
  const text = [
    `${timeOf(table.atMs)}, the last ${(table.intervalMs / 1_000).toFixed(1)} s`,
    tableText([["TENANT", "ADMITTED", "THROTTLED", "PER SECOND", "FREE", "OF"], ...table.tenants.map(tenantCells)]),
    tableText([["ROUTE", "REQUESTS", "ENDED IN"], ...table.routes.map(routeCells)]),
    tableText([
      ["ORIGIN", "BREAKER", "EVIDENCE"],
      ...table.breakers.map(({ origin, state, score }) => [origin, state, score.toFixed(1)]),
    ]),
  ].join("\n");
  process.stdout.write(`${process.stdout.isTTY ? CLEAR : ""}${text}\n`);
}

const tenantCells = (row: TenantRow): string[] => [
  row.tenant,
  String(row.admitted),
  row.throttled === 0 ? "0" : colour.yellow(String(row.throttled)),
  row.perSecond.toFixed(1),
  row.remainingTokens === null ? "" : String(row.remainingTokens),
  row.capacityTokens === null ? "" : String(row.capacityTokens),
];

const routeCells = ({ route, requests, outcomes }: RouteRow): string[] => [
  route,
  String(requests),
  Object.entries(outcomes)
    .toSorted(([, a], [, b]) => b - a)
    .map(([outcome, count]) => `${outcome} ${count}`)
    .join(", "),
];
