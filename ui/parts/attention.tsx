/** What needs somebody now, the gravest first, each with what users get meanwhile and where to press. */
import type { VNode } from "preact";
import type { AlertsReply, AlertView, BreakerStatus, PagesReply } from "../../src/admin/contract.ts";
import { count, percent } from "../model/format.ts";
import { OTHER, outcomesOf, SERVED_BY, sumOf, tenantsOf, within } from "../model/traffic.ts";
import { link, ticks } from "../state/live.ts";
import { hrefOf } from "../state/place.ts";
import { currentOf } from "./breaker-glance.tsx";
import { Hands } from "./hands.tsx";
import { Badge, Time } from "./small.tsx";

const MINUTE_MS = 60_000;
const SEVERITIES: readonly AlertView["severity"][] = ["page", "ticket", "info"];
const MAX_TENANTS = 3;
/** Less is a client that retries too soon, not a matter for somebody who is on call. */
const LEAST_THROTTLED = 10;
const LEAST_SHARE = 0.1;

export function Attention({
  origins = [],
  alerts = [],
  routes = [],
  refresh,
}: {
  readonly origins: readonly BreakerStatus[] | undefined;
  readonly alerts: AlertsReply["alerts"] | undefined;
  readonly routes: PagesReply["routes"] | undefined;
  /** Reads the breakers anew. */
  readonly refresh: () => void;
}): VNode | null {
  const failing = origins.filter((origin) => currentOf(origin).state !== "closed");
  const shownAbove = ({ kind, labels }: AlertView): boolean =>
    kind === "watchdog" || (kind === "breaker" && failing.some(({ origin }) => origin === labels["origin"]));
  const firing = alerts
    .filter((alert) => alert.state === "firing" && alert.quiet === null && !shownAbove(alert))
    .sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  const throttled = tenantsOf(within(ticks.value, MINUTE_MS)).filter(
    ({ tenant, throttled: refused, admitted }) =>
      tenant !== OTHER &&
      refused >= LEAST_THROTTLED &&
      refused / (refused + admitted) >= LEAST_SHARE &&
      !firing.some(({ kind, labels }) => kind === "throttle-spike" && labels["tenant"] === tenant),
  );
  const items = [
    ...failing.map((origin) => (
      <FailingOrigin key={`origin ${origin.origin}`} origin={origin} routes={routes} refresh={refresh} />
    )),
    ...firing.map((alert) => <Firing key={alert.fingerprint} alert={alert} />),
    ...throttled.slice(0, MAX_TENANTS).map(({ tenant, throttled: refused, admitted }) => (
      <li key={`tenant ${tenant}`}>
        <Badge tone="info">throttled</Badge>
        <span>
          <strong>{tenant}</strong>: {count(refused)} of {count(refused + admitted)} requests in the last minute
        </span>
        <a href={hrefOf("tenants", tenant)}>Limits…</a>
      </li>
    )),
  ];
  if (items.length === 0) {
    return (
      <p class="calm">
        <Badge tone={link.value.kind === "live" ? "ok" : "none"}>
          {link.value.kind === "live" ? "calm" : "as far as is known"}
        </Badge>{" "}
        All breakers are closed, no alert fires, nobody is throttled much.
      </p>
    );
  }
  return (
    <section class="attention" aria-label="Needs attention">
      <h2 class="hidden-text">Needs attention</h2>
      <ul>{items}</ul>
    </section>
  );
}

function Firing({ alert }: { readonly alert: AlertView }): VNode {
  const { severity, summary, firedAtMs, labels } = alert;
  const tenant = labels["tenant"];
  return (
    <li>
      <Badge tone={severity === "page" ? "bad" : severity === "ticket" ? "warn" : "info"}>{severity}</Badge>
      <span>
        {summary} <span class="quiet">since</span> <Time ms={firedAtMs} />
      </span>
      {tenant === undefined ? <a href={hrefOf("alerts")}>Alert…</a> : <a href={hrefOf("tenants", tenant)}>Limits…</a>}
    </li>
  );
}

function FailingOrigin({
  origin,
  routes,
  refresh,
}: {
  readonly origin: BreakerStatus;
  readonly routes: PagesReply["routes"];
  readonly refresh: () => void;
}): VNode {
  const { state, forced } = currentOf(origin);
  const own = new Set(routes.filter((route) => route.origin === origin.origin).map(({ route }) => route));
  const outcomes = outcomesOf(within(ticks.value, MINUTE_MS), (route) => own.has(route));
  const total = sumOf(outcomes, SERVED_BY);
  const served = SERVED_BY.filter((outcome) => outcomes[outcome] > 0)
    .sort((a, b) => outcomes[b] - outcomes[a])
    .map((outcome) => `${outcome} ${percent(outcomes[outcome] / total, 0)}`);
  const last = origin.lastTransition;
  const why = origin.forced?.reason ?? last?.reason;
  return (
    <li>
      <Badge tone={state === "open" ? "bad" : "warn"}>
        {state}
        {forced ? ", by hand" : ""}
      </Badge>
      <span>
        <strong>{origin.origin}</strong>
        {last !== null && (
          <>
            {" "}
            <span class="quiet">since</span> <Time ms={last.atMs} />
          </>
        )}
        {why !== undefined && <span class="quiet"> ({why})</span>}
        {served.length > 0 && <>. Users get: {served.join(", ")}</>}
      </span>
      <a href={hrefOf("breakers", origin.origin)}>Breaker…</a>
      <Hands origin={origin.origin} refresh={refresh} />
    </li>
  );
}
