/**
 * Prometheus' recording and alert rules for one config: the objectives' burn rates from the windows that Weir itself
 * judges by, and what Weir's own alerts are about, for who has Prometheus anyway. Each alert has its chapter in
 * docs/monitoring.md.
 */
import type { AlertSettings } from "../../src/policy/alerting/types.ts";
import { burnWindows, LEAST_BAD_EVENTS } from "../../src/policy/objectives/burn.ts";
import type { BurnWindow, Objective } from "../../src/policy/objectives/types.ts";
import { durationText } from "../../src/config/units.ts";
import { burnOf, eventsOf } from "./promql.ts";

/** What a config says of it. */
export interface Watching {
  readonly routes: readonly { readonly id: string; readonly origin: string }[];
  readonly objectives: readonly Objective[];
  readonly alerts: AlertSettings;
}

interface Recording {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly (Recording | AlertRule)[];
}

/** The scrape's name in prometheus.yml. */
export const JOB = "weir";

export function ruleGroups({ objectives, alerts }: Watching): readonly RuleGroup[] {
  const windows = [...new Set(objectives.map(({ windowMs }) => windowMs))];
  return [
    { name: "weir-objectives", rules: [...objectives.flatMap(recordings), ...windows.flatMap(burnAlerts)] },
    { name: "weir-breakers", rules: breakerAlerts },
    { name: "weir-limits", rules: limitAlerts(alerts) },
    { name: "weir-itself", rules: ownAlerts },
  ].filter(({ rules }) => rules.length > 0);
}

export const burnName = (windowMs: number): string => `weir:objective_burn:rate${durationText(windowMs)}`;
export const badName = (windowMs: number): string => `weir:objective_bad:increase${durationText(windowMs)}`;

function recordings(objective: Objective): readonly Recording[] {
  const pairs = burnWindows(objective.windowMs);
  const labels = { objective: objective.id, period: durationText(objective.windowMs) };
  const windows = [...new Set(pairs.flatMap(({ longMs, shortMs }) => [shortMs, longMs]))].toSorted((a, b) => a - b);
  return [
    ...windows.map((ms) => ({ record: burnName(ms), expr: burnOf(objective, durationText(ms)), labels })),
    ...pairs.map(({ longMs }) => ({
      record: badName(longMs),
      expr: eventsOf(objective, "bad", "increase", durationText(longMs)),
      labels,
    })),
  ];
}

/** One for each pair of windows; all objectives of this period share them. */
function burnAlerts(windowMs: number): readonly AlertRule[] {
  const period = `{period="${durationText(windowMs)}"}`;
  return burnWindows(windowMs).map(({ longMs, shortMs, factor, severity }: BurnWindow) => {
    const [long, short] = [durationText(longMs), durationText(shortMs)];
    const over = Number(factor.toPrecision(6));
    return {
      alert: "WeirErrorBudgetBurn",
      expr: [
        `${burnName(longMs)}${period} > ${over}`,
        `and ${burnName(shortMs)}${period} > ${over}`,
        `and ${badName(longMs)}${period} >= ${LEAST_BAD_EVENTS}`,
      ].join("\n"),
      labels: { severity, long, short },
      annotations: says(
        "WeirErrorBudgetBurn",
        `Objective {{ $labels.objective }} spends its error budget {{ $value | humanize }} times as fast as it may, over ${long} and ${short}`,
      ),
    };
  });
}

const says = (alert: string, summary: string): AlertRule["annotations"] => ({
  summary,
  runbook: `docs/monitoring.md#${alert.toLowerCase()}`,
});

function rule(
  alert: string,
  severity: "page" | "ticket" | "none",
  expr: string,
  summary: string,
  forText?: string,
): AlertRule {
  const waits = forText === undefined ? {} : { for: forText };
  return { alert, expr, ...waits, labels: { severity }, annotations: says(alert, summary) };
}

const breakerAlerts: readonly AlertRule[] = [
  rule(
    "WeirBreakerOpen",
    "page",
    'sum by (job, origin) (weir_breaker_state{state=~"open|half-open|ramp"}) > 0',
    "The breaker of origin {{ $labels.origin }} is not closed: its ladder answers",
  ),
  rule(
    "WeirBreakerFlapping",
    "ticket",
    'sum by (job, origin) (increase(weir_breaker_transitions_total{from=~"closed|ramp",to="open"}[30m])) > 2',
    "The breaker of origin {{ $labels.origin }} opened again and again within half an hour",
  ),
  rule(
    "WeirBreakerForced",
    "ticket",
    'sum by (job, origin, state) (weir_breaker_state{state=~"forced-.+"}) > 0',
    "The breaker of origin {{ $labels.origin }} has been {{ $labels.state }} by hand for an hour",
    "1h",
  ),
];

function limitAlerts({ spikeRatio, spikeLeast, spikeForMs }: AlertSettings): readonly AlertRule[] {
  const window = durationText(spikeForMs);
  const decided = (decisions: string): string =>
    `sum by (job, tenant) (increase(weir_tenant_decisions_total{tenant!="other",decision=~"${decisions}"}[${window}]))`;
  return [
    rule(
      "WeirThrottleSpike",
      "ticket",
      `${decided("throttled")} / ${decided("admitted|throttled")} >= ${spikeRatio}\nand ${decided("admitted|throttled")} >= ${spikeLeast}`,
      "Tenant {{ $labels.tenant }} is throttled: {{ $value | humanizePercentage }} of its requests",
    ),
    rule(
      "WeirLimitsFailing",
      "page",
      "sum by (job, mode) (increase(weir_limit_failed_total[5m])) > 0",
      "Limits are decided by their fail mode ({{ $labels.mode }}): coordinators of tenants are out of reach",
      "1m",
    ),
  ];
}

const ownAlerts: readonly AlertRule[] = [
  rule(
    "WeirScrapeDown",
    "page",
    `up{job="${JOB}"} == 0 or absent(up{job="${JOB}"})`,
    "Weir's metrics cannot be scraped: nothing else here can fire",
    "2m",
  ),
  rule(
    "WeirCoordinatorAway",
    "ticket",
    "min by (job, source) (weir_scrape_source_up) < 1",
    "{{ $labels.source }} has not answered scrapes for two minutes: its metrics are missing",
    "2m",
  ),
  rule(
    "WeirTelemetryDrops",
    "ticket",
    "sum by (job) (increase(weir_dropped_series_total[10m])) > 0\nor sum by (job) (increase(weir_metrics_batches_missing_total[10m])) > 0",
    "Counts were dropped or lost: totals are too small by about {{ $value | humanize }} (docs/monitoring.md says of what)",
  ),
  rule(
    "WeirInternalErrors",
    "page",
    "sum by (job) (increase(weir_internal_errors_total[5m])) > 0",
    "Requests ended in an error of Weir's own; they got the last rung",
  ),
  rule(
    "WeirConfigRefreshFailing",
    "ticket",
    "sum by (job) (increase(weir_config_refresh_failures_total[10m])) > 0",
    "Isolates cannot take over a newer config; they keep the one they have",
    "10m",
  ),
  rule(
    "WeirDeliveriesDead",
    "ticket",
    'max by (job) (weir_deliveries{state="dead"}) > 0',
    "Alerts of Weir's own could not be delivered to a receiver",
  ),
  rule(
    "WeirWatchdog",
    "none",
    "vector(1)",
    "Always fires: route it to a dead man's switch, which tells when Prometheus or Alertmanager is gone",
  ),
];
