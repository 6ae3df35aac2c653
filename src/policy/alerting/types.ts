/** The words of alerts that other rooms share. Times are milliseconds. */

/** The gravest first. */
export const SEVERITIES = ["page", "ticket", "info"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What an alert is about. */
export const ALERT_KINDS = [
  "breaker",
  "burn",
  "throttle-spike",
  "coordinator-away",
  "telemetry-drops",
  "watchdog",
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

export type ReceiverKind = "webhook" | "slack" | "pagerduty";

/** Where alerts go. What is secret of it is named here, and lives in the Worker's secrets. */
export interface Receiver {
  readonly id: string;
  readonly kind: ReceiverKind;
  /** webhook: its URL. pagerduty: of the events API. slack: its URL is a secret. */
  readonly url?: string;
  /** Name of the Worker's secret: webhook: the signing secret; slack: the URL; pagerduty: the routing key. */
  readonly secretName: string;
  /** Least severity it gets. */
  readonly severity: Severity;
  /** Kinds it gets; undefined: all. */
  readonly kinds?: readonly AlertKind[];
}

export interface AlertSettings {
  readonly receivers: readonly Receiver[];
  /** A firing alert is told again after so long. */
  readonly repeatMs: number;
  /** Alerts of one group that come within this time are told together. */
  readonly groupWaitMs: number;
  /** A tenant throttled for this share of its requests, over `spikeForMs`, and at least `spikeLeast` of them, is a spike. */
  readonly spikeRatio: number;
  readonly spikeForMs: number;
  readonly spikeLeast: number;
  /** A watchdog that always fires is told so often. */
  readonly watchdogMs: number;
}

/** What is true now: the evaluators make these, turn by turn; what they no longer say resolves. */
export interface Condition {
  /** Names the alert for ever: the same one comes back under the same fingerprint. */
  readonly fingerprint: string;
  readonly kind: AlertKind;
  readonly severity: Severity;
  /** What it is about, for grouping and inhibition: `{origin: "shop", pop: "FRA"}`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  /** Must have been true for so long before it fires; 0: at once. */
  readonly forMs: number;
  /** Goes on firing for so long after it was last true, so that what comes and goes is one alert; undefined: 0. */
  readonly keepMs?: number;
}

export interface Silence {
  readonly id: string;
  /** All must be equal; `kind` and `severity` count as labels. */
  readonly match: Readonly<Record<string, string>>;
  readonly untilMs: number;
  readonly reason: string;
  readonly by: string;
}

/** Why a firing alert is not told. `id`: of the silence, or the fingerprint of the alert that speaks for it. */
export interface Quiet {
  readonly by: "silence" | "inhibition";
  readonly id: string;
}

export type AlertLife =
  | { readonly kind: "pending"; readonly firesAtMs: number }
  /** `absentSinceMs`: its condition is gone since then, and may come back. */
  | { readonly kind: "firing"; readonly firedAtMs: number; readonly absentSinceMs?: number }
  | { readonly kind: "resolved"; readonly firedAtMs: number; readonly resolvedAtMs: number };

/** What one receiver was told of an alert: `count` times since `firedAtMs`, last at `atMs`; `over`: its end as well. */
export interface Told {
  readonly receiverId: string;
  readonly count: number;
  readonly atMs: number;
  readonly over: boolean;
}

export interface Alert {
  /** As last said. */
  readonly condition: Condition;
  readonly life: AlertLife;
  readonly sinceMs: number;
  readonly told: readonly Told[];
  readonly quiet: Quiet | undefined;
}

/** One alert as a receiver is told of it. */
export interface ToldAlert {
  readonly fingerprint: string;
  readonly status: "firing" | "resolved";
  readonly kind: AlertKind;
  readonly severity: Severity;
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly firedAtMs: number;
  readonly resolvedAtMs?: number;
}

/** What is to be told to one receiver at once. */
export interface Notification {
  /** Follows from what it tells: deciding the same twice makes the same id. At most 64 characters. */
  readonly id: string;
  readonly receiverId: string;
  /** Alerts of one group are told in the order in which it was decided. */
  readonly group: string;
  readonly createdAtMs: number;
  readonly alerts: readonly ToldAlert[];
}
