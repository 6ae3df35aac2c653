/** What isolates count, and Metrics objects add up. */

/** How requests end, as `weir_requests_total` counts them. */
export const OUTCOMES = [
  "origin",
  "cache",
  "stale",
  "snapshot",
  "failover",
  "deferred",
  "fallback",
  "maintenance",
  "throttled",
  "shed",
  "refused",
  "error",
] as const;

export type Outcome = (typeof OUTCOMES)[number];

export interface RouteCounts {
  readonly route: string;
  readonly origin: string;
  /** By OUTCOMES. */
  readonly outcomes: readonly number[];
  /** By LATENCY_BOUNDS_SECONDS, the last +Inf; not cumulative. Of all requests, and of those the origin or a fresh entry answered. */
  readonly buckets: readonly number[];
  readonly goodBuckets: readonly number[];
  readonly durationSecondsSum: number;
}

export interface TenantCounts {
  /** `other`: those beyond what is told apart. */
  readonly tenant: string;
  readonly admitted: number;
  readonly throttled: number;
  /** Would have been throttled by a limit in shadow; once for each such limit. */
  readonly shadowed: number;
  /** What was asked, admitted or not, in tokens. */
  readonly tokens: number;
  readonly durationSecondsSum: number;
}

export interface TenantTotals extends TenantCounts {
  /** Most tokens asked for within one second, of the last minute; of several shards the sum, so at least what it was. */
  readonly peakTokens: number;
}

/** Counted by one isolate in about a second. Increases, all >= 0. */
export interface MetricsBatch {
  /** Grows by one for each batch of this edge; each number is counted once. */
  readonly seq: number;
  /** For how long it was counted. */
  readonly spanMs: number;
  readonly routes: readonly RouteCounts[];
  readonly tenants: readonly TenantCounts[];
  /** What is rare: `name{label="value",...}` -> increase. */
  readonly events: Readonly<Record<string, number>>;
}
