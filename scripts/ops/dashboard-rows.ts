/** What the dashboard shows: what fails, who is throttled, what users get instead, what burns. */
interface Target {
  readonly expr: string;
  readonly legend?: string;
  readonly format?: "heatmap";
  readonly instant?: true;
}

export interface Panel {
  readonly title: string;
  readonly type: "timeseries" | "stat" | "heatmap" | "state-timeline" | "table" | "bargauge";
  readonly targets: readonly Target[];
  readonly unit?: "reqps" | "s" | "percentunit" | "short";
  /** Of 24 columns. */
  readonly width: number;
  readonly height?: number;
  readonly stacked?: true;
  readonly description: string;
}

/** `panels` under a heading. */
interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const RATE = "$__rate_interval";
const REQUESTS = 'weir_requests_total{job="$job",origin=~"$origin",route=~"$route"}';
const BUCKETS = 'weir_request_duration_seconds_bucket{job="$job",origin=~"$origin",route=~"$route"}';
const quantile = (q: number): Target => ({
  expr: `histogram_quantile(${q}, sum by (le) (rate(${BUCKETS}[${RATE}])))`,
  legend: `p${q * 100}`,
});
const DECISIONS = 'weir_tenant_decisions_total{job="$job",tenant!="other"';
const SERVED_INSTEAD = REQUESTS.replace("}", ',outcome=~"stale|snapshot|failover|deferred|fallback|maintenance"}');
/** Closed is 0, so that what stands out is what is not. */
export const STATES: readonly (readonly [state: string, text: string, color: string])[] = [
  ["closed", "closed", "green"],
  ["ramp", "ramp", "yellow"],
  ["half-open", "half-open", "orange"],
  ["open", "open", "red"],
  ["forced-open", "forced open", "purple"],
  ["forced-closed", "forced closed", "blue"],
];

export const ROWS: readonly Row[] = [
  {
    title: "Now",
    panels: [
      {
        title: "Requests",
        type: "stat",
        unit: "reqps",
        width: 4,
        height: 4,
        targets: [{ expr: `sum(rate(${REQUESTS}[${RATE}]))` }],
        description: "All of them, refused ones too.",
      },
      {
        title: "Breakers not closed",
        type: "stat",
        width: 4,
        height: 4,
        targets: [
          { expr: 'sum(weir_breaker_state{job="$job",origin=~"$origin",state!~"closed|forced-closed"}) or vector(0)' },
        ],
        description: "Origins that get probes only, a ramp's share, or nothing.",
      },
      {
        title: "Served instead",
        type: "stat",
        unit: "percentunit",
        width: 4,
        height: 4,
        targets: [{ expr: `sum(rate(${SERVED_INSTEAD}[${RATE}])) / sum(rate(${REQUESTS}[${RATE}]))` }],
        description: "Share of requests that the ladder answered.",
      },
      {
        title: "Throttled",
        type: "stat",
        unit: "percentunit",
        width: 4,
        height: 4,
        targets: [
          {
            expr: `sum(rate(weir_limit_decisions_total{job="$job",decision="throttled"}[${RATE}])) / sum(rate(weir_limit_decisions_total{job="$job",decision=~"admitted|throttled"}[${RATE}]))`,
          },
        ],
        description: "Share of the decisions of limits, of all tenants.",
      },
      {
        title: "Alerts firing",
        type: "stat",
        width: 4,
        height: 4,
        targets: [{ expr: 'max(weir_alerts{job="$job",state="firing"})' }],
        description: "Weir's own; the watchdog is one of them.",
      },
      {
        title: "Isolates",
        type: "stat",
        width: 4,
        height: 4,
        targets: [{ expr: 'max(weir_edges{job="$job"})' }],
        description: "That counted something within the last seconds.",
      },
    ],
  },
  {
    title: "Traffic",
    panels: [
      {
        title: "Requests by outcome",
        type: "timeseries",
        unit: "reqps",
        width: 12,
        stacked: true,
        targets: [{ expr: `sum by (outcome) (rate(${REQUESTS}[${RATE}]))`, legend: "{{outcome}}" }],
        description: "What answered: the origin, a cache, a rung of the ladder; or a refusal.",
      },
      {
        title: "Latency",
        type: "timeseries",
        unit: "s",
        width: 12,
        targets: [quantile(0.5), quantile(0.95), quantile(0.99)],
        description: "From arrival to answer, between the histogram's bounds.",
      },
      {
        title: "Latency, all buckets",
        type: "heatmap",
        unit: "s",
        width: 12,
        targets: [{ expr: `sum by (le) (increase(${BUCKETS}[${RATE}]))`, legend: "{{le}}", format: "heatmap" }],
        description: "Requests by duration.",
      },
      {
        title: "Served instead, by what",
        type: "timeseries",
        unit: "reqps",
        width: 12,
        stacked: true,
        targets: [
          { expr: `sum by (route, outcome) (rate(${SERVED_INSTEAD}[${RATE}]))`, legend: "{{route}}: {{outcome}}" },
        ],
        description: "What users get while an origin cannot answer, by route.",
      },
    ],
  },
  {
    title: "Origins",
    panels: [
      {
        title: "Breakers",
        type: "state-timeline",
        width: 12,
        targets: [
          {
            expr: STATES.map(
              ([state], index) =>
                `${index} * max by (origin) (weir_breaker_state{job="$job",origin=~"$origin",state="${state}"})`,
            ).join(" + "),
            legend: "{{origin}}",
          },
        ],
        description: "The state of each origin's breaker.",
      },
      {
        title: "Evidence",
        type: "timeseries",
        width: 12,
        targets: [{ expr: 'max by (origin) (weir_breaker_score{job="$job",origin=~"$origin"})', legend: "{{origin}}" }],
        description: "A breaker opens at 20 (in the ramp at 10), where enough PoPs see it.",
      },
      {
        title: "Failures by reason",
        type: "timeseries",
        unit: "reqps",
        width: 12,
        stacked: true,
        targets: [
          {
            expr: `sum by (origin, reason) (rate(weir_origin_failures_total{job="$job",origin=~"$origin"}[${RATE}]))`,
            legend: "{{origin}}: {{reason}}",
          },
        ],
        description: "Requests that an origin did not answer.",
      },
      {
        title: "Calls under way, and slots",
        type: "timeseries",
        width: 12,
        targets: [
          {
            expr: 'max by (origin) (weir_origin_calls_under_way{job="$job",origin=~"$origin"})',
            legend: "{{origin}}: under way",
          },
          { expr: 'max by (origin) (weir_origin_slots{job="$job",origin=~"$origin"})', legend: "{{origin}}: slots" },
        ],
        description: "Of origins with a concurrency.",
      },
    ],
  },
  {
    title: "Tenants",
    panels: [
      {
        title: "Most throttled",
        type: "bargauge",
        unit: "reqps",
        width: 12,
        targets: [
          {
            expr: `topk(10, sum by (tenant) (rate(${DECISIONS},decision="throttled"}[${RATE}])))`,
            legend: "{{tenant}}",
            instant: true,
          },
        ],
        description: "Of the heaviest tenants; the others are in no series of their own.",
      },
      {
        title: "Throttled share",
        type: "timeseries",
        unit: "percentunit",
        width: 12,
        targets: [
          {
            expr: `sum by (tenant) (rate(${DECISIONS},decision="throttled"}[${RATE}])) / sum by (tenant) (rate(${DECISIONS},decision=~"admitted|throttled"}[${RATE}]))`,
            legend: "{{tenant}}",
          },
        ],
        description: "Of each tenant's own requests.",
      },
      {
        title: "Decisions of limits",
        type: "timeseries",
        unit: "reqps",
        width: 12,
        targets: [
          {
            expr: `sum by (decision) (rate(weir_limit_decisions_total{job="$job"}[${RATE}]))`,
            legend: "{{decision}}",
          },
          {
            expr: `sum by (mode) (rate(weir_limit_failed_total{job="$job"}[${RATE}]))`,
            legend: "by fail mode {{mode}}",
          },
        ],
        description: "Of all tenants, exact. Shadowed: a limit in shadow would have throttled.",
      },
      {
        title: "Tokens asked for",
        type: "timeseries",
        width: 12,
        targets: [
          {
            expr: `sum by (tenant) (rate(weir_tenant_tokens_total{job="$job",tenant!="other"}[${RATE}]))`,
            legend: "{{tenant}}",
          },
        ],
        description: "A second, admitted or not, by the heaviest tenants.",
      },
    ],
  },
  {
    title: "Objectives and alerts",
    panels: [
      {
        title: "Error budget left",
        type: "bargauge",
        unit: "percentunit",
        width: 8,
        targets: [
          {
            expr: 'max by (objective) (weir_objective_budget_left_ratio{job="$job"})',
            legend: "{{objective}}",
            instant: true,
          },
        ],
        description: "Of each objective's window.",
      },
      {
        title: "Burn rate, 1 h and 5 m",
        type: "timeseries",
        width: 16,
        targets: [
          {
            expr: 'max by (objective, window) (weir_objective_burn_rate{job="$job",window=~"1h|5m"})',
            legend: "{{objective}}, {{window}}",
          },
        ],
        description:
          "How many times as fast as it may the budget is spent. With a budget of 30 days, above 14.4 in both pages.",
      },
      {
        title: "Alerts of Prometheus",
        type: "table",
        width: 12,
        targets: [{ expr: 'ALERTS{alertname=~"Weir.+",alertname!="WeirWatchdog"}', instant: true }],
        description: "By the rules beside this dashboard.",
      },
      {
        title: "Deliveries of Weir's own alerts",
        type: "timeseries",
        width: 12,
        targets: [{ expr: 'max by (state) (weir_deliveries{job="$job"})', legend: "{{state}}" }],
        description: "Dead ones were given up.",
      },
    ],
  },
  {
    title: "Telemetry itself",
    panels: [
      {
        title: "What answered the scrape",
        type: "timeseries",
        width: 12,
        targets: [{ expr: 'min by (source) (weir_scrape_source_up{job="$job"})', legend: "{{source}}" }],
        description: "Where it is 0, the source's metrics are missing.",
      },
      {
        title: "Lost, dropped, sent again",
        type: "timeseries",
        width: 12,
        targets: [
          { expr: `sum(increase(weir_dropped_series_total{job="$job"}[${RATE}]))`, legend: "dropped" },
          { expr: `sum(increase(weir_metrics_batches_missing_total{job="$job"}[${RATE}]))`, legend: "batches lost" },
          { expr: `sum(increase(weir_metrics_flush_failures_total{job="$job"}[${RATE}]))`, legend: "sent again" },
        ],
        description: "Counts that were sent again are counted once.",
      },
    ],
  },
];
