/** For each alert that is no burn: series under which it fires, and an hour before under which it does not. */
import type { AlertSettings } from "../../src/policy/alerting/types.ts";
import { JOB } from "./rules.ts";
import type { Plain } from "./yaml.ts";

interface Case {
  readonly alert: string;
  /** Of the alert that fires. */
  readonly labels?: string;
  /** Series without their job -> values by minute; the first hour is quiet, what follows is not. */
  readonly series: Readonly<Record<string, string>>;
}

const QUIET_FOR = "1h";
/** Longer than the longest `for`. */
const LOOKED_AT = "2h10m";

const cases = ({ spikeLeast }: AlertSettings): readonly Case[] => [
  {
    alert: "WeirBreakerOpen",
    labels: 'origin="shop"',
    series: {
      'weir_breaker_state{origin="shop",state="closed"}': "1x60 0x80",
      'weir_breaker_state{origin="shop",state="half-open"}': "0x60 1x80",
      'weir_breaker_state{origin="shop",state="forced-closed"}': "0x140",
      'weir_breaker_state{origin="well",state="closed"}': "1x140",
      'weir_breaker_state{origin="well",state="open"}': "0x140",
    },
  },
  {
    alert: "WeirBreakerFlapping",
    labels: 'origin="shop"',
    series: {
      'weir_breaker_transitions_total{origin="shop",from="closed",to="open",reason="failures"}': "1x60 1+1x80",
      'weir_breaker_transitions_total{origin="well",from="half-open",to="open",reason="probe failed"}': "0+1x140",
    },
  },
  {
    alert: "WeirBreakerForced",
    labels: 'origin="shop",state="forced-open"',
    series: { 'weir_breaker_state{origin="shop",state="forced-open"}': "0x60 1x80" },
  },
  {
    alert: "WeirThrottleSpike",
    labels: 'tenant="noisy"',
    series: {
      'weir_tenant_decisions_total{tenant="noisy",decision="throttled"}': `0x60 0+${spikeLeast}x80`,
      'weir_tenant_decisions_total{tenant="noisy",decision="admitted"}': `0+1x140`,
      'weir_tenant_decisions_total{tenant="other",decision="throttled"}': `0+${spikeLeast}x140`,
      'weir_tenant_decisions_total{tenant="other",decision="admitted"}': `0+1x140`,
    },
  },
  {
    alert: "WeirLimitsFailing",
    labels: 'mode="local"',
    series: { 'weir_limit_failed_total{mode="local"}': "3x60 3+1x80" },
  },
  { alert: "WeirScrapeDown", series: { up: "1x60 0x80" } },
  {
    alert: "WeirCoordinatorAway",
    labels: 'source="monitor"',
    series: {
      'weir_scrape_source_up{source="monitor"}': "1x60 0x80",
      'weir_scrape_source_up{source="metrics"}': "1x140",
    },
  },
  { alert: "WeirTelemetryDrops", series: { weir_metrics_batches_missing_total: "2x60 2+1x80" } },
  { alert: "WeirInternalErrors", series: { weir_internal_errors_total: "0x60 0+1x80" } },
  { alert: "WeirConfigRefreshFailing", series: { weir_config_refresh_failures_total: "0x60 0+1x80" } },
  { alert: "WeirDeliveriesDead", series: { 'weir_deliveries{state="dead"}': "0x60 1x80" } },
];

export function simpleTests(alerts: AlertSettings): readonly Plain[] {
  return cases(alerts).map(({ alert, labels, series }) => {
    const matchers = [`alertname="${alert}"`, ...(labels === undefined ? [] : [labels])].join(",");
    return {
      name: alert,
      interval: "1m",
      input_series: Object.entries(series).map(([name, values]) => ({ series: inJob(name), values })),
      promql_expr_test: [
        { expr: `ALERTS{alertname="${alert}",alertstate="firing"}`, eval_time: QUIET_FOR, exp_samples: [] },
        // That one, and no other of its name.
        ...[matchers, `alertname="${alert}"`].map((of) => ({
          expr: `count(ALERTS{${of},alertstate="firing"})`,
          eval_time: LOOKED_AT,
          exp_samples: [{ labels: "{}", value: 1 }],
        })),
        // Whatever else happens.
        {
          expr: 'count(ALERTS{alertname="WeirWatchdog",alertstate="firing"})',
          eval_time: QUIET_FOR,
          exp_samples: [{ labels: "{}", value: 1 }],
        },
      ],
    };
  });
}

const inJob = (name: string): string =>
  name.includes("{") ? name.replace("{", `{job="${JOB}",`) : `${name}{job="${JOB}"}`;
