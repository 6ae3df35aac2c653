/**
 * What others say to the Monitor object: there is one. It reads the Metrics objects' totals, keeps what became of them by
 * the minute and the hour, judges objectives, raises alerts and delivers them, and tells dashboards live. It decides
 * nothing about requests: while it is away, totals go on growing, and it catches up.
 */
import type { AlertKind, AlertSettings, Severity, Silence } from "../policy/alerting/types.ts";
import type { Transition } from "../policy/breaker/state-machine.ts";
import type { BurnWindow, Incident, Objective } from "../policy/objectives/types.ts";
import type { OriginDemand, RecordedTenant } from "../policy/sizing/types.ts";
import type { Outcome, RouteCounts, TenantCounts } from "../policy/telemetry/counts.ts";

export type { Incident, Silence };

/** There is one. */
export const MONITOR_OBJECT = "monitor";

/** Of one reply of `series`: a day of minutes, and a month of hours. */
export const MAX_POINTS = 1_500;

/** What it must know of the config. An isolate tells it, because that has it; a newer version wins. */
export interface MonitorSettings {
  readonly configVersion: number;
  readonly origins: readonly string[];
  readonly routes: readonly { readonly id: string; readonly origin: string }[];
  readonly objectives: readonly Objective[];
  readonly alerts: AlertSettings;
}

/** A breaker's transition, from the outbox of its Origin object: the same one may come again. */
export interface BreakerNews {
  readonly originId: string;
  /** The PoP that was opened alone; undefined: the world's breaker. */
  readonly pop?: string;
  readonly transition: Transition;
  /** When what led to it began: the first failure of the evidence that opened it. */
  readonly sinceMs: number;
  /** A PoP opened alone closes by itself then, and nothing more is told of it; undefined: the world's breaker. */
  readonly untilMs?: number;
}

/** What happened between two times. */
export interface SeriesPoint {
  readonly fromMs: number;
  readonly toMs: number;
  readonly routes: Readonly<Record<string, RoutePoint>>;
  /** The most throttled, and `other`; then those who asked most. */
  readonly tenants: Readonly<Record<string, TenantPoint>>;
}

export interface RoutePoint extends Pick<RouteCounts, "buckets" | "goodBuckets" | "durationSecondsSum"> {
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
}

export type TenantPoint = Pick<TenantCounts, "admitted" | "throttled" | "shadowed">;

export interface BurnStatus {
  readonly longMs: number;
  readonly shortMs: number;
  readonly factor: number;
  readonly severity: BurnWindow["severity"];
  readonly longBurnRate: number;
  readonly shortBurnRate: number;
  readonly burning: boolean;
  /** Too little traffic to say: it does not burn, whatever the rates. */
  readonly guarded: boolean;
}

export interface ObjectiveStatus {
  readonly objective: Objective;
  /** Of its own window. */
  readonly total: number;
  readonly bad: number;
  /** Of the budget, 1 to below 0 when it is overspent. */
  readonly budgetLeftRatio: number;
  readonly burn: readonly BurnStatus[];
  /** Since when it has been recorded, if shorter than its window. */
  readonly recordedSinceMs: number;
}

export interface AlertView {
  readonly fingerprint: string;
  readonly kind: AlertKind;
  readonly severity: Severity;
  readonly state: "pending" | "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly sinceMs: number;
  readonly firedAtMs: number | undefined;
  readonly resolvedAtMs: number | undefined;
  /** Why it is not told. */
  readonly quiet: { readonly by: "silence" | "inhibition"; readonly id: string } | undefined;
}

export interface DeliveryView {
  readonly id: string;
  readonly receiver: string;
  readonly state: "waiting" | "delivered" | "dead";
  readonly attempts: number;
  readonly createdAtMs: number;
  readonly firstAttemptAtMs: number | undefined;
  readonly nextAttemptAtMs: number | undefined;
  /** Of the last attempt: a status, or what went wrong. */
  readonly lastResult: string | undefined;
  readonly alerts: readonly string[];
}

/** For `weir size`: what was asked within some hours. Quantiles are bounds of a histogram. */
export interface DemandReport {
  readonly fromMs: number;
  readonly toMs: number;
  readonly tenants: readonly RecordedTenant[];
  readonly origins: readonly OriginDemand[];
}

export interface MonitorProtocol {
  /** A Metrics object counted something, at most every 30 s: it reads the totals for as long as somebody calls. */
  wake(request: { readonly v: 1; readonly shard: number }): Promise<{
    /** Of the settings it has; 0: none. Isolates with newer ones are asked for them. */
    readonly configVersion: number;
  }>;
  configure(request: { readonly v: 1; readonly settings: MonitorSettings }): Promise<void>;
  hearBreaker(request: { readonly v: 1; readonly news: BreakerNews }): Promise<void>;
  /** Points of `stepMs` (minutes, or hours), at most MAX_POINTS of them, the oldest first. */
  series(request: { readonly v: 1; readonly fromMs: number; readonly toMs: number; readonly stepMs: number }): Promise<{
    readonly points: readonly SeriesPoint[];
  }>;
  objectives(request: { readonly v: 1 }): Promise<{
    readonly objectives: readonly ObjectiveStatus[];
    readonly incidents: readonly Incident[];
  }>;
  alerts(request: { readonly v: 1 }): Promise<{
    readonly alerts: readonly AlertView[];
    readonly silences: readonly Silence[];
    readonly deliveries: readonly DeliveryView[];
  }>;
  silence(request: {
    readonly v: 1;
    readonly match: Readonly<Record<string, string>>;
    readonly forMs: number;
    readonly reason: string;
    readonly by: string;
  }): Promise<Silence | { readonly kind: "full" }>;
  endSilence(request: { readonly v: 1; readonly id: string }): Promise<{ readonly ended: boolean }>;
  /** A delivery that is dead is tried anew. */
  redeliver(request: { readonly v: 1; readonly id: string }): Promise<{ readonly found: boolean }>;
  demand(request: { readonly v: 1; readonly fromMs: number; readonly toMs: number }): Promise<DemandReport>;
}

/** The WebSocket's subprotocol; another version is another name. */
export const LIVE_PROTOCOL = "weir.live.1";

/**
 * What a dashboard is told over its WebSocket, about once a second while something happens, else every five seconds: JSON
 * text. It opens with `GET /_weir/api/v1/live`, the subprotocol and a session's cookie or a token. The server closes it
 * with 4000 every five minutes, so that whoever may not see it any more does not: it opens again at once. "ping" is
 * answered by "pong"; nothing else is said to it.
 */
export interface LiveTick {
  readonly v: 1;
  readonly atMs: number;
  readonly point: SeriesPoint;
  readonly breakers: readonly {
    readonly origin: string;
    /** closed, open, half-open, ramp, or "unreachable". */
    readonly state: string;
    readonly score: number;
    readonly forced: boolean;
  }[];
  readonly firing: number;
  /** Isolates heard within the last seconds. */
  readonly edges: number;
}
