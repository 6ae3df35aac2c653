/**
 * `/_weir/metrics`: what all coordinators count, in Prometheus' text format. Every source is asked at once under one
 * deadline; one that does not answer leaves its metrics out, and is named by `weir_scrape_source_up`, so that an outage of
 * one never hides the others. A scrape costs METRICS_SHARDS + 2 + one call
 * for each origin of the config.
 *
 * Tenants: those with most tokens asked for, 20 unless the query says otherwise; everybody else is `other`. A tenant that leaves them is gone, and
 * `other` then has what it had; sums over tenants are exact only in `weir_limit_decisions_total`, which is counted apart.
 * What counts requests or losses is there with 0 before the first, so that a rate sees it.
 */
import * as z from "zod";
import type { CompiledOrigin, Tables } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { LATENCY_BOUNDS_SECONDS } from "../policy/kernel/histogram.ts";
import { OTHER } from "../policy/kernel/other.ts";
import { type MetricsTotals, OUTCOMES, type RouteCounts, type TenantTotals } from "../protocol/metrics.ts";
import type { AlertView, DeliveryView, ObjectiveStatus } from "../protocol/monitor.ts";
import { originObjectName, type OriginStatus } from "../protocol/origin.ts";
import { PLAIN_EVENTS } from "../protocol/series.ts";
import { askMonitor } from "./ask-monitor.ts";
import { metricsQuery } from "./contract/status.ts";
import { Exposition } from "./exposition.ts";
import { readTotals } from "./metrics-objects.ts";
import { operation } from "./operation.ts";
import { durationText } from "../config/units.ts";
import { COORDINATOR_DEADLINE_MS } from "./reply.ts";
import { VERSION } from "./version.ts";

const BREAKER_STATES = ["closed", "open", "half-open", "ramp", "forced-open", "forced-closed"] as const;
const ALERT_STATES = ["pending", "firing"] as const;
const DELIVERY_STATES = ["waiting", "delivered", "dead"] as const;

const readMetrics = operation(
  {
    id: "readMetrics",
    method: "GET",
    path: "/_weir/metrics",
    tag: "Status",
    summary: "Read the counters, in Prometheus' text format",
    query: metricsQuery,
    result: z.string(),
    contentType: "text/plain; version=0.0.4; charset=utf-8",
  },
  ({ env, tables, query }) => scrape(env, tables, query.tenants),
);

export const metricsOperations = [readMetrics];

async function scrape(env: Env, tables: Tables, mostTenants: number): Promise<string> {
  const out = new Exposition();
  let missing = 0;
  /** Whether `read` came to its end in time; what it has put in until then stays. */
  const source = async (name: string, read: () => Promise<void>): Promise<void> => {
    let up = 1;
    try {
      await read();
    } catch {
      up = 0;
      missing++;
    }
    out.add("weir_scrape_source_up", { source: name }, up);
  };
  await Promise.all([
    source("metrics", async () => addTotals(out, await readTotals(env), tables, mostTenants)),
    source("monitor", () => addMonitor(out, env)),
    ...tables.origins.map((origin) =>
      source(`origin:${origin.id}`, async () => {
        const asked = callCoordinator(env, "ORIGIN", originObjectName(origin.id), "status", { v: 1 });
        addOrigin(out, origin, await withDeadline(asked, COORDINATOR_DEADLINE_MS));
      }),
    ),
  ]);
  out.add("weir_config_info", { version: String(tables.configVersion), hash: tables.config.hash }, 1);
  out.add("weir_build_info", { version: VERSION }, 1);
  out.add("weir_scrape_errors", {}, missing + out.unknown);
  return out.text();
}

function addTotals(out: Exposition, totals: MetricsTotals, tables: Tables, mostTenants: number): void {
  for (const name of PLAIN_EVENTS) out.add(name, {}, 0);
  for (const [text, value] of Object.entries(totals.series)) out.addEvent(text, value);
  const counted = new Set(totals.routes.map(({ route }) => route));
  for (const { id, origin } of tables.routes) {
    if (!counted.has(id)) addOutcomes(out, { route: id, origin: origin.id, outcomes: [] });
  }
  for (const counts of totals.routes) {
    const { route, origin, buckets, goodBuckets, durationSecondsSum } = counts;
    addOutcomes(out, counts);
    out.addHistogram("weir_request_duration_seconds", { origin, route }, buckets, durationSecondsSum);
    let good = 0;
    for (const [index, count] of goodBuckets.entries()) {
      good += count;
      const within = String(LATENCY_BOUNDS_SECONDS[index] ?? "+Inf");
      out.add("weir_good_requests_total", { origin, route, within }, good);
    }
  }
  addTenants(out, totals.tenants, mostTenants);
  out.add("weir_edges", {}, totals.edges);
}

function addOutcomes(
  out: Exposition,
  { route, origin, outcomes }: Pick<RouteCounts, "route" | "origin" | "outcomes">,
): void {
  for (const [index, outcome] of OUTCOMES.entries()) {
    out.add("weir_requests_total", { origin, route, outcome }, outcomes[index] ?? 0);
  }
}

/** The heaviest first; `other` is never one of them. */

function addTenants(out: Exposition, tenants: readonly TenantTotals[], most: number): void {
  const heaviest = tenants
    .filter(({ tenant }) => tenant !== OTHER)
    .toSorted((a, b) => b.tokens - a.tokens)
    .slice(0, most);
  const named = new Set(heaviest);
  for (const counts of tenants) {
    const { admitted, throttled, shadowed } = counts;
    const tenant = named.has(counts) ? counts.tenant : OTHER;
    for (const [decision, count] of Object.entries({ admitted, throttled, shadowed })) {
      out.add("weir_limit_decisions_total", { decision }, count);
      out.add("weir_tenant_decisions_total", { tenant, decision }, count);
    }
    out.add("weir_tenant_tokens_total", { tenant }, counts.tokens);
    if (tenant !== OTHER) out.add("weir_tenant_peak_tokens", { tenant }, counts.peakTokens);
  }
}

function addOrigin(out: Exposition, { id, config }: CompiledOrigin, status: OriginStatus): void {
  const origin = id;
  const { view, score, outstandingProbes, pops, counts, transitions, news } = status;
  const state = view?.state ?? "closed";
  for (const one of BREAKER_STATES) out.add("weir_breaker_state", { origin, state: one }, one === state ? 1 : 0);
  out.add("weir_breaker_score", { origin }, score);
  out.add("weir_breaker_probes", { origin }, outstandingProbes);
  out.add("weir_breaker_pops", { origin }, pops);
  for (const { from, to, reason, count } of transitions) {
    out.add("weir_breaker_transitions_total", { origin, from, to, reason }, count);
  }
  out.add("weir_breaker_news_waiting", { origin }, news.waiting);
  out.add("weir_breaker_news_dropped_total", { origin }, news.dropped);
  out.add("weir_breaker_news_failures_total", { origin }, news.failures);
  for (const [result, count] of Object.entries(counts)) out.add("weir_origin_calls_total", { origin, result }, count);
  if (config.concurrency === undefined) return;
  out.add("weir_origin_slots", { origin }, view?.slots?.slots ?? config.concurrency.max);
  out.add("weir_origin_calls_under_way", { origin }, view?.underWay ?? 0);
}

async function addMonitor(out: Exposition, env: Env): Promise<void> {
  const [{ objectives }, { alerts, deliveries }] = await Promise.all([
    askMonitor(env, "objectives", { v: 1 }),
    askMonitor(env, "alerts", { v: 1 }),
  ]);
  for (const status of objectives) addObjective(out, status);
  addByState(alerts, ALERT_STATES, (state, count) => {
    out.add("weir_alerts", { state }, count);
  });
  addByState(deliveries, DELIVERY_STATES, (state, count) => {
    out.add("weir_deliveries", { state }, count);
  });
}

function addByState(
  all: readonly Pick<AlertView | DeliveryView, "state">[],
  states: readonly string[],
  add: (state: string, count: number) => void,
): void {
  for (const state of states) add(state, all.filter((one) => one.state === state).length);
}

function addObjective(out: Exposition, status: ObjectiveStatus): void {
  const { total, bad, budgetLeftRatio, burn } = status;
  const objective = status.objective.id;
  out.add("weir_objective_target_ratio", { objective }, status.objective.targetRatio);
  out.add("weir_objective_events", { objective, verdict: "good" }, total - bad);
  out.add("weir_objective_events", { objective, verdict: "bad" }, bad);
  out.add("weir_objective_budget_left_ratio", { objective }, budgetLeftRatio);
  const rates = new Map(
    burn.flatMap(({ longMs, shortMs, longBurnRate, shortBurnRate }) => [
      [durationText(longMs), longBurnRate] as const,
      [durationText(shortMs), shortBurnRate] as const,
    ]),
  );
  for (const [window, rate] of rates) out.add("weir_objective_burn_rate", { objective, window }, rate);
}
