/** What is failing, who is throttled, what users get instead, and where to press. */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type {
  AlertsReply,
  ObjectivesReply,
  PagesReply,
  StatusReply,
} from "../../src/admin/contract.ts";
import { duration, percent, rate } from "../model/format.ts";
import {
  addedUp,
  bucketsAt,
  type Outcomes,
  outcomesAt,
  quantileMs,
  secondsOf,
  servedWell,
  summed,
  sumOf,
  tenantsOf,
  within,
} from "../model/traffic.ts";
import { Chart } from "../parts/chart.tsx";
import { Attention } from "../parts/attention.tsx";
import { BreakerGlance } from "../parts/breaker-glance.tsx";
import { BudgetGlance } from "../parts/budgets.tsx";
import { type Range, RangeSwitch, Recorded, type Traffic } from "../parts/range.tsx";
import { Empty, PageHead, Panel, Reading, Tile } from "../parts/small.tsx";
import { latencyLines, outcomeLines, routeLines } from "../parts/lines.ts";
import { TenantTable } from "../parts/tenant-table.tsx";
import { ticks } from "../state/live.ts";
import { useQuery } from "../state/query.ts";

const MINUTE_MS = 60_000;
const perSecond = (value: number): string => `${rate(value)}/s`;

export function Overview(): VNode {
  const status = useQuery<StatusReply>("/status", 5_000);
  const alerts = useQuery<AlertsReply>("/alerts", 10_000);
  const objectives = useQuery<ObjectivesReply>("/objectives", 15_000);
  const pages = useQuery<PagesReply>("/pages");
  return (
    <>
      <PageHead title="Overview" />
      <Attention
        origins={status.value?.origins}
        alerts={alerts.value?.alerts}
        routes={pages.value?.routes}
        refresh={status.refresh}
      />
      <Now />
      <div class="grid">
        <TrafficPanel />
        <Panel title="Breakers" actions={<a href="#/breakers">All</a>}>
          <Reading of={status}>{({ origins }) => <BreakerGlance origins={origins} />}</Reading>
        </Panel>
        <Panel title="Throttled, last minute" actions={<a href="#/tenants">All</a>}>
          <TopThrottled />
        </Panel>
        <Panel title="Error budgets" actions={<a href="#/alerts">All</a>} wide>
          <Reading of={objectives}>{(value) => <BudgetGlance objectives={value.objectives} />}</Reading>
        </Panel>
      </div>
    </>
  );
}

/** Of the last ten seconds; the quantiles of the last minute. */
function Now(): VNode {
  const last = within(ticks.value, 10_000);
  const minute = within(ticks.value, MINUTE_MS);
  const seconds = last.reduce((sum, point) => sum + secondsOf(point), 0);
  const outcomes = addedUp(last.map(outcomesAt));
  const each = (value: number): string => (seconds === 0 ? "–" : rate(value / seconds));
  const well = servedWell(outcomes);
  const failed = outcomes.error + outcomes.shed;
  const buckets = summed(minute.map(bucketsAt));
  const [p50, p99] = [0.5, 0.99].map((quantile) => quantileMs(buckets, quantile));
  const replaced = degradedOf(outcomes);
  return (
    <dl class="tiles" aria-label="Now">
      <Tile label="Requests" value={each(sumOf(outcomes))} unit="/s" />
      <Tile
        label="Served as meant"
        value={percent(well, 2)}
        tone={well < 0.5 ? "bad" : well < 0.99 ? "warn" : "ok"}
        note="of what was not refused"
      />
      <Tile label="Served otherwise" value={each(replaced)} unit="/s" tone={replaced > 0 ? "warn" : "none"} />
      <Tile label="Throttled" value={each(outcomes.throttled)} unit="/s" tone={outcomes.throttled > 0 ? "info" : "none"} />
      <Tile label="Shed or error" value={each(failed)} unit="/s" tone={failed > 0 ? "bad" : "none"} />
      <Tile
        label="Latency"
        value={p50 === null || p50 === undefined ? "–" : duration(p50)}
        note={p99 === null || p99 === undefined ? "p50, p99" : `p50; p99 ${duration(p99)}`}
      />
    </dl>
  );
}

const degradedOf = ({ stale, snapshot, failover, deferred, fallback, maintenance }: Outcomes): number =>
  stale + snapshot + failover + deferred + fallback + maintenance;

const VIEWS = ["By outcome", "Latency", "By route"] as const;

function TrafficPanel(): VNode {
  const range = useSignal<Range>("live");
  const view = useSignal<(typeof VIEWS)[number]>("By outcome");
  const draw = ({ drawn, spanMs }: Traffic): VNode => {
    const times = drawn.map(({ toMs }) => toMs);
    const chart = { times, spanMs, empty: "Nothing is known of this time yet.", height: 230 };
    switch (view.value) {
      case "By outcome":
        return <Chart {...chart} name="Requests by outcome" lines={outcomeLines(drawn)} stacked format={perSecond} />;
      case "Latency":
        return <Chart {...chart} name="Latency" lines={latencyLines(drawn)} format={duration} />;
      case "By route":
        return <Chart {...chart} name="Requests by route" lines={routeLines(drawn)} format={perSecond} />;
    }
  };
  const switches = (
    <>
      <div class="switch" role="group" aria-label="What of the traffic">
        {VIEWS.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={view.value === one}
            onClick={() => {
              view.value = one;
            }}
          >
            {one}
          </button>
        ))}
      </div>
      <RangeSwitch range={range} />
    </>
  );
  return (
    <Panel title="Traffic" actions={switches} wide>
      <Recorded range={range.value}>{draw}</Recorded>
    </Panel>
  );
}

function TopThrottled(): VNode {
  const throttled = tenantsOf(within(ticks.value, MINUTE_MS)).filter((tenant) => tenant.throttled + tenant.shadowed > 0);
  return throttled.length === 0 ? (
    <Empty>Nobody is throttled.</Empty>
  ) : (
    <TenantTable label="Tenants throttled in the last minute" tenants={throttled.slice(0, 8)} />
  );
}
