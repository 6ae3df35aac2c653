/** The words of objectives that other rooms share. Times are milliseconds; ratios are 0..1. */

/**
 * What counts as good. `good`: the answer that was meant, from the origin or a fresh cache. `good-or-degraded`: also stale,
 * snapshot, failover and deferred answers. `latency`: answered within `withinMs`, of what is good.
 * Refusals that the caller earned (throttled, refused) are no events of any objective; shed, maintenance, fallback and
 * error are bad ones.
 */
export const OBJECTIVE_KINDS = ["good", "good-or-degraded", "latency"] as const;
export type ObjectiveKind = (typeof OBJECTIVE_KINDS)[number];

export interface Objective {
  readonly id: string;
  readonly kind: ObjectiveKind;
  /** Exactly one of the two: all routes of an origin, or one route. */
  readonly origin?: string;
  readonly route?: string;
  /** Share of events that must be good, 0.5..0.99999. */
  readonly targetRatio: number;
  /** `latency` only: one of the histogram's bounds. */
  readonly withinMs?: number;
  /** Of the budget. Burn rates have windows of their own. */
  readonly windowMs: number;
}

/** Events of one objective within some time. */
export interface EventCounts {
  readonly total: number;
  readonly bad: number;
}

/** A pair of windows that must both burn: the long one says it matters, the short one that it still happens. */
export interface BurnWindow {
  readonly longMs: number;
  readonly shortMs: number;
  readonly factor: number;
  readonly severity: "page" | "ticket";
}

/** One outage of an origin, by its breaker's history. */
export interface Incident {
  readonly originId: string;
  readonly pop: string | undefined;
  /** The first failure that led to it. */
  readonly beganAtMs: number;
  /** The breaker opened. */
  readonly detectedAtMs: number;
  /** The first delivery of its alert was tried; undefined: not yet, or nobody wants it. */
  readonly toldAtMs: number | undefined;
  /** The ramp ended; undefined: it lasts. Of a PoP: when it closes by itself, which may be to come. */
  readonly recoveredAtMs: number | undefined;
  readonly reason: string;
  /** Opened or closed by hand: its times are nobody's merit. */
  readonly byHand: boolean;
}
