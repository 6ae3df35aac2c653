/**
 * Every metric there is: name, type, labels, what it means. What counts, what is exposed, `ops/` and docs/monitoring.md
 * are made of this table; a name or a label that is not in it does not compile. Names by Prometheus' convention: `weir_`,
 * base units, `_total` for counters. Labels are few and closed: ids of the config, words of Weir. A tenant is a label only
 * where the exposition keeps to the heaviest.
 */
interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  /** In this order. */
  readonly labels: readonly string[];
  readonly help: string;
  /** Counted by isolates under its own name, as something rare. */
  readonly event?: true;
  /** Labels that are kept apart until it is exposed; there it is summed over them. */
  readonly summedOver?: readonly string[];
}

/** Made of what is counted by number, or asked for when it is scraped. */
const counter = <const L extends readonly string[]>(labels: L, help: string) =>
  ({ type: "counter", labels, help }) as const;
const gauge = <const L extends readonly string[]>(labels: L, help: string) =>
  ({ type: "gauge", labels, help }) as const;
const histogram = <const L extends readonly string[]>(labels: L, help: string) =>
  ({ type: "histogram", labels, help }) as const;
const event = <const L extends readonly string[]>(labels: L, help: string) =>
  ({ ...counter(labels, help), event: true }) as const;

/** Units: by the name, else requests; ratios are 0..1. */
export const METRICS = {
  // Requests, and who may make them.
  weir_requests_total: counter(["origin", "route", "outcome"], "Requests by what answered them. Exact."),
  weir_request_duration_seconds: histogram(["origin", "route"], "Time from a request's arrival to its answer."),
  weir_good_requests_total: counter(
    ["origin", "route", "within"],
    "Requests that the origin or a fresh entry answered within so many seconds; `+Inf` is all of them. What latency objectives count.",
  ),
  weir_limit_decisions_total: counter(
    ["decision"],
    "Requests admitted, throttled, and shadowed (a limit in shadow would have throttled them), of all tenants. Exact.",
  ),
  weir_tenant_decisions_total: counter(
    ["tenant", "decision"],
    "The same by tenant, of the heaviest; `other` is everybody else, and goes down when somebody leaves it.",
  ),
  weir_tenant_tokens_total: counter(["tenant"], "Tokens asked for by the heaviest tenants, admitted or not."),
  weir_tenant_peak_tokens: gauge(
    ["tenant"],
    "Most tokens asked for within one second of the last minute, by the heaviest tenants.",
  ),
  weir_limit_failed_total: {
    ...event(["tenant", "mode"], "Requests decided by a limit's fail mode, its coordinator being out of reach."),
    summedOver: ["tenant"],
  },
  weir_limit_shadow_refused_total: event(["limit"], "Requests that a limit in shadow would have refused."),
  weir_late_cost_invalid_total: event(["route"], "Answers whose late cost header was no number of tokens."),
  weir_access_refused_total: event(["list"], "Requests refused by an access list: `deny`, or missing on `allow`."),
  weir_tokens_refused_total: event(["reason"], "Requests whose JWT was refused."),
  weir_jwks_fetches_total: event(
    ["issuer", "result"],
    "Times the keys of a JWT's issuer were asked for: `fetched` or `failed`.",
  ),
  weir_tenant_lookup_failures_total: event(
    [],
    "Callers of a tenant that is not in the config, of whom nothing could be learnt.",
  ),
  weir_unknown_tenant_total: event([], "Callers whom the application that embeds Weir named, and no plan was for."),
  weir_internal_errors_total: event([], "Requests that ended in an error of Weir's own."),
  // Origins, and what is served instead.
  weir_origin_failures_total: event(["origin", "reason"], "Requests that an origin did not answer."),
  weir_origin_calls_total: counter(
    ["origin", "result"],
    "Calls of an origin by their verdict, as its coordinator heard of them since it woke.",
  ),
  weir_rungs_total: event(
    ["route", "rung", "result"],
    "Rungs of the ladder that were tried when an origin could not answer: `answered`, or had `nothing`.",
  ),
  weir_bulkhead_refused_total: event(
    ["origin", "reason"],
    "Origin calls that were not made: the tenant's own slots (`tenant`) or all of them (`slots`) were taken, or it was shed before that (`load`).",
  ),
  weir_origin_slots: gauge(
    ["origin"],
    "Calls that an origin with a `concurrency` may have under way at once, as configured or as its latency allows.",
  ),
  weir_origin_calls_under_way: gauge(["origin"], "Calls under way at an origin with a `concurrency`, as reported."),
  weir_breaker_state: gauge(["origin", "state"], "1 for the state that an origin's breaker is in, 0 for the others."),
  weir_breaker_score: gauge(
    ["origin"],
    "Evidence that an origin fails; its breaker opens at 20, in the ramp at 10, where enough PoPs see it.",
  ),
  weir_breaker_transitions_total: counter(["origin", "from", "to", "reason"], "Transitions of an origin's breaker."),
  weir_breaker_probes: gauge(["origin"], "Probes under way."),
  weir_breaker_pops: gauge(["origin"], "PoPs that reported on an origin lately."),
  weir_breaker_news_waiting: gauge(["origin"], "Transitions that the Monitor object has not heard of yet."),
  weir_breaker_news_failures_total: counter(
    ["origin"],
    "Times the Monitor object could not be told of a transition, since the origin's coordinator woke.",
  ),
  weir_breaker_news_dropped_total: counter(
    ["origin"],
    "Transitions that the Monitor object was never told of: it was away for too long.",
  ),
  // Cache.
  weir_cache_collapsed_total: event([], "Requests that waited for another's origin call."),
  weir_cache_tags_ignored_total: event([], "Cache tags of an origin's answers that were too many or too long."),
  weir_purged_responses_total: event(
    ["mode"],
    "Stored answers that were not served because of a purge, or served as stale (`soft`).",
  ),
  weir_breaker_report_failures_total: event(
    ["origin"],
    "Times an isolate could not tell an origin's coordinator what it saw; it was told later.",
  ),
  weir_purge_calls_failed_total: event(["origin"], "Times an isolate asked for purges in vain."),
  weir_served_without_purges_total: event(
    ["origin"],
    "Stored answers that were served although newer purges could not be asked for.",
  ),
  // Configs and the admin API.
  weir_config_info: gauge(
    ["version", "hash"],
    "1 for the config in force, as the isolate that answers this scrape knows it.",
  ),
  weir_log_lines_suppressed_total: event(
    [],
    "Lines about refusals that were not logged: there were too many within a second.",
  ),
  weir_config_swaps_total: event([], "Times an isolate put a newer config in force."),
  weir_config_refresh_failures_total: event(
    [],
    "Times an isolate could not fetch or compile a newer config; it keeps the one it has.",
  ),
  weir_trial_report_failures_total: event([], "Counts of a config on trial that had to be sent again."),
  weir_admin_refused_total: event(["reason"], "Calls of the admin API that were refused."),
  // Objectives and alerts.
  weir_objective_target_ratio: gauge(["objective"], "Share of events that an objective wants to be good."),
  weir_objective_events: gauge(["objective", "verdict"], "Events of an objective within its window: `good`, `bad`."),
  weir_objective_budget_left_ratio: gauge(
    ["objective"],
    "What is left of the error budget: 1 is untouched, below 0 overspent.",
  ),
  weir_objective_burn_rate: gauge(
    ["objective", "window"],
    "How many times as fast as it may the error budget is spent, over a window.",
  ),
  weir_alerts: gauge(["state"], "Weir's own alerts: `pending`, `firing`."),
  weir_deliveries: gauge(["state"], "Deliveries of alerts that are kept: `waiting`, `delivered`, `dead`."),
  // Telemetry itself.
  weir_edges: gauge([], "Isolates heard of within the last seconds."),
  weir_metrics_flush_failures_total: event([], "Batches of counters that had to be sent again."),
  weir_metrics_batches_repeated_total: event([], "Batches of counters that came again, and were counted once."),
  weir_metrics_batches_missing_total: event(
    [],
    "Batches of counters that a Metrics object had said were stored, and has not: its storage was set back.",
  ),
  weir_metrics_edges_forgotten_total: event([], "Isolates that a Metrics object has forgotten: gone, or too many."),
  weir_metrics_store_failures_total: event([], "Times a Metrics object could not store what it had counted."),
  weir_metrics_lines_unreadable_total: event(
    [],
    "Stored lines of a Metrics object that could not be read, and count no more.",
  ),
  weir_metrics_wake_failures_total: event([], "Times a Metrics object called the Monitor object in vain."),
  weir_monitor_settings_failures_total: event([], "Times an isolate could not tell the Monitor object of its config."),
  weir_analytics_failures_total: event([], "Times an isolate could not write its data points."),
  weir_dropped_series_total: event([], "Counts that were dropped because there were too many series."),
  weir_scrape_source_up: gauge(
    ["source"],
    "1 if this source of the scrape answered in time; where it is 0, its metrics are missing: `metrics`, `monitor`, `origin:ID`.",
  ),
  weir_scrape_errors: gauge(
    [],
    "Sources that did not answer this scrape in time, and series that this release does not know.",
  ),
  weir_build_info: gauge(["version"], "1 for the release that answers this scrape."),
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof METRICS;
type LabelOf<N extends MetricName> = (typeof METRICS)[N]["labels"][number];
export type LabelsOf<N extends MetricName> = Readonly<Record<LabelOf<N>, string>>;
/** One argument; none where there are no labels. */
type LabelArguments<N extends MetricName> = [LabelOf<N>] extends [never] ? [] : [labels: LabelsOf<N>];

/** What `Counters.countEvent` takes. */
export type EventName = {
  [N in MetricName]: (typeof METRICS)[N] extends { readonly event: true } ? N : never;
}[MetricName];

/** Those without labels. */
export type PlainEventName = { [N in EventName]: [LabelOf<N>] extends [never] ? N : never }[EventName];
export const PLAIN_EVENTS = namesOf(METRICS).filter(
  (name): name is PlainEventName => "event" in METRICS[name] && METRICS[name].labels.length === 0,
);

declare const MADE_OF_THE_TABLE: unique symbol;
/** `name{label="value",...}`: only `series` makes one. */
export type Series = string & { readonly [MADE_OF_THE_TABLE]: true };

/** The name of what is counted: `series("weir_admin_refused_total", { reason })`. */
export function series<N extends EventName>(name: N, ...labels: LabelArguments<N>): Series {
  return seriesText(name, METRICS[name].labels, labels[0]);
}

/** `labels`: values, by the names in `order`. */
export function seriesText(
  name: string,
  order: readonly string[],
  labels: Readonly<Record<string, string>> = {},
): Series {
  let text = "";
  for (const label of order) text += `${text === "" ? "{" : ","}${label}="${escaped(labels[label] ?? "")}"`;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place where a series is made
  return (text === "" ? name : `${name}${text}}`) as Series;
}

export function namesOf<Table extends object>(table: Table): (keyof Table)[] {
  const names: (keyof Table)[] = [];
  for (const name in table) names.push(name);
  return names;
}

export const isMetricName = (name: string): name is MetricName => Object.hasOwn(METRICS, name);

/** Those it has in the exposition, but for a histogram's `le`. */
export function exposedLabels(name: MetricName): readonly string[] {
  const metric = METRICS[name];
  const { labels } = metric;
  const summed: readonly string[] = "summedOver" in metric ? metric.summedOver : [];
  return labels.filter((label) => !summed.includes(label));
}

const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"[,}]/gy;

/** Undefined: it is no series of the table, with all of its labels. */
export function parseSeries(
  text: string,
): { readonly name: MetricName; readonly labels: Readonly<Record<string, string>> } | undefined {
  const brace = text.indexOf("{");
  const name = brace === -1 ? text : text.slice(0, brace);
  if (!isMetricName(name)) return undefined;
  const labels: Record<string, string> = {};
  LABEL.lastIndex = brace + 1;
  let end = brace + 1;
  for (let match = brace === -1 ? null : LABEL.exec(text); match !== null; match = LABEL.exec(text)) {
    const [all, label = "", value = ""] = match;
    labels[label] = value.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
    end += all.length;
  }
  const known = METRICS[name].labels;
  const whole = brace === -1 || end === text.length;
  const complete = known.length === Object.keys(labels).length && known.every((label) => Object.hasOwn(labels, label));
  return whole && complete ? { name, labels } : undefined;
}

const SPECIAL = /[\\"\n]/g;

function escaped(value: string): string {
  // Hardly ever anything to escape, and looking is cheaper than replacing.
  if (!value.includes('"') && !value.includes("\\") && !value.includes("\n")) return value;
  return value.replace(SPECIAL, (char) => (char === "\n" ? "\\n" : `\\${char}`));
}
