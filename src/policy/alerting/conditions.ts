/**
 * What is true now, as conditions of alerts. Each evaluator is total over what it is given, and bounded by it; labels are
 * names of the config and of tenants, never of a request. What is chosen:
 * - the world's breaker that is not closed (until the ramp's end) pages; a PoP opened alone is a ticket, kept for a minute
 *   past its end; a breaker forced by hand is a ticket, so that it is not forgotten;
 * - one alert for each objective and severity, whichever of its pairs of windows burns;
 * - tenants throttled in an unusual share: a ticket for each, at most MAX_SPIKES;
 * - coordinators out of reach for half a minute are a ticket, and page where that is felt: limits decided by their fail
 *   mode, or breakers by each isolate alone, as often as for FELT_RATIO of the requests;
 * - counts that were dropped are a ticket.
 */
import type { Burn } from "../objectives/burn.ts";
import type { HeardBreaker } from "../objectives/incidents.ts";
import type { Incident, Objective } from "../objectives/types.ts";
import type { AlertKind, AlertSettings, Condition, Severity } from "./types.ts";

const MAX_SPIKES = 50;
const KEEP_MS = 60_000;
const AWAY_FOR_MS = 30_000;
/** A slow call now and then is nobody's absence. */
const LEAST_FAILURES = 3;
const FELT_RATIO = 0.01;
const MAX_TEXT = 200;

/** Names an alert: its kind and its labels. */
function condition(
  kind: AlertKind,
  severity: Severity,
  labels: Readonly<Record<string, string>>,
  summary: string,
  {
    forMs = 0,
    keepMs = 0,
    name = "",
  }: { readonly forMs?: number; readonly keepMs?: number; readonly name?: string } = {},
): Condition {
  const about = Object.entries(labels).map(([label, value]) => `${label}=${encodeURIComponent(value)}`);
  const fingerprint = [kind, ...about, ...(name === "" ? [] : [name])].join("|");
  return { fingerprint, kind, severity, labels, summary: summary.slice(0, MAX_TEXT), forMs, keepMs };
}

/** `incidents`: at least those that last. */
export function breakerConditions(
  breakers: Iterable<HeardBreaker>,
  incidents: readonly Incident[],
  nowMs: number,
): readonly Condition[] {
  const conditions: Condition[] = [];
  for (const { originId: origin, to, reason, by } of breakers) {
    if (to === "closed") continue;
    if (to === "forced-open" || to === "forced-closed") {
      const state = to.slice("forced-".length);
      const summary = `The breaker of origin ${origin} is forced ${state} by ${by ?? "somebody"}: ${reason}`;
      conditions.push(condition("breaker", "ticket", { origin, forced: state }, summary));
    } else {
      const summary = `The breaker of origin ${origin} is ${to}: ${reason}`;
      conditions.push(condition("breaker", "page", { origin }, summary));
    }
  }
  for (const { originId: origin, pop, recoveredAtMs = 0 } of incidents) {
    if (pop === undefined || recoveredAtMs <= nowMs) continue;
    const summary = `The breaker of origin ${origin} is open at ${pop} alone`;
    conditions.push(condition("breaker", "ticket", { origin, pop }, summary, { keepMs: KEEP_MS }));
  }
  return conditions;
}

/** The origin and PoP that a breaker's alert is about; undefined: it is about something else, or forced by hand. */
export function breakerOf({
  kind,
  labels,
}: Pick<Condition, "kind" | "labels">): { readonly originId: string; readonly pop: string | undefined } | undefined {
  const { origin, pop } = labels;
  return kind === "breaker" && origin !== undefined ? { originId: origin, pop } : undefined;
}

export function burnConditions(
  objectives: readonly { readonly objective: Objective; readonly burn: readonly Burn[] }[],
): readonly Condition[] {
  return objectives.flatMap(({ objective, burn }) =>
    (["page", "ticket"] as const).flatMap((severity) => {
      const worst = burn.find((pair) => pair.burning && pair.severity === severity);
      if (worst === undefined) return [];
      const { id, origin, route } = objective;
      const labels = {
        objective: id,
        ...(origin === undefined ? {} : { origin }),
        ...(route === undefined ? {} : { route }),
      };
      const summary = `Objective ${id} burns its budget ${worst.longBurnRate.toFixed(1)} times as fast as it may, over ${textOf(worst.longMs)}`;
      return [condition("burn", severity, labels, summary, { name: severity })];
    }),
  );
}

function textOf(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes % 1_440 === 0) return `${minutes / 1_440}d`;
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;
}

/** `tenants`: counted within the last `settings.spikeForMs`. */
export function spikeConditions(
  tenants: Readonly<Record<string, { readonly admitted: number; readonly throttled: number }>>,
  { spikeRatio, spikeLeast, spikeForMs }: AlertSettings,
): readonly Condition[] {
  return Object.entries(tenants)
    .filter(([tenant, { admitted, throttled }]) => {
      const asked = admitted + throttled;
      return tenant !== "other" && throttled > 0 && asked >= spikeLeast && throttled / asked >= spikeRatio;
    })
    .toSorted(([, a], [, b]) => b.throttled - a.throttled)
    .slice(0, MAX_SPIKES)
    .map(([tenant, { admitted, throttled }]) => {
      const percent = Math.round((100 * throttled) / (admitted + throttled));
      const summary = `Tenant ${tenant} is throttled: ${percent} % of its requests over ${textOf(spikeForMs)}`;
      return condition("throttle-spike", "ticket", { tenant }, summary, { keepMs: KEEP_MS });
    });
}

/** Counters that grow while a coordinator is out of reach. */
const AWAY: Readonly<Record<string, readonly [coordinator: string, severity: Severity]>> = {
  weir_limit_failed_total: ["tenant", "page"],
  weir_tenant_lookup_failures_total: ["tenant-index", "page"],
  weir_breaker_report_failures_total: ["origin", "page"],
  weir_purge_calls_failed_total: ["origin", "ticket"],
  weir_config_refresh_failures_total: ["control", "ticket"],
  weir_trial_report_failures_total: ["control", "ticket"],
  weir_metrics_flush_failures_total: ["metrics", "ticket"],
  weir_metrics_store_failures_total: ["metrics", "ticket"],
  weir_metrics_wake_failures_total: ["monitor", "ticket"],
  weir_monitor_settings_failures_total: ["monitor", "ticket"],
};
const DROPS = ["weir_dropped_series_total"];
export const COUNTERS_WATCHED = [...Object.keys(AWAY), ...DROPS];

/**
 * `grown`: of each series, since the reading before; what did not grow may be left out. `requests`: answered meanwhile.
 * Cost: O(series).
 */
export function counterConditions(grown: Readonly<Record<string, number>>, requests: number): readonly Condition[] {
  const byName = new Map<string, number>();
  for (const [series, increase] of Object.entries(grown)) {
    const name = series.split("{", 1)[0] ?? series;
    if (increase > 0) byName.set(name, (byName.get(name) ?? 0) + increase);
  }
  const away = Object.entries(AWAY).flatMap(([name, [coordinator, severity]]) => {
    const failures = byName.get(name) ?? 0;
    if (failures < LEAST_FAILURES) return [];
    const summary = `Coordinators of kind ${coordinator} are out of reach (${name} grew by ${failures})`;
    const felt = severity === "page" && failures >= FELT_RATIO * requests;
    return [
      condition("coordinator-away", felt ? "page" : "ticket", { coordinator }, summary, {
        forMs: AWAY_FOR_MS,
        keepMs: KEEP_MS,
      }),
    ];
  });
  const drops = DROPS.flatMap((counter) => {
    const dropped = byName.get(counter);
    if (dropped === undefined) return [];
    const summary = `Counts are dropped (${counter} grew by ${dropped})`;
    return [condition("telemetry-drops", "ticket", { counter }, summary, { keepMs: KEEP_MS })];
  });
  return [...away, ...drops];
}
