/** The words of breakers that other rooms share. Times are milliseconds; ratios are 0..1. */

/** Thresholds of one origin's breaker. Defaults and meaning: DESIGN of the breaker in `docs/`. */
export interface BreakerSettings {
  /** A call still pending after this long is reported as late. Default 500. */
  readonly earlyAgeMs: number;
  /** CUSUM score at which the breaker opens, default 20 (about 15 net failures). */
  readonly tripScore: number;
  /** Least PoPs that must see the failure (capped by the active ones), default 3. */
  readonly quorumPops: number;
  /** First back-off before a probe, default 1000; grows x1.5 up to `maxBackoffMs` (default 5000). */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Probe leases outstanding in the world, default 1. */
  readonly probes: number;
  /** Probe successes needed to close, default 3. */
  readonly closeAfter: number;
  /** From 10 % to 100 % of traffic, default 10000. */
  readonly rampMs: number;
}

/** Why one origin call failed. `late` is a call still pending past the early age. */
export type FailureKind = "network" | "timeout" | "status" | "body" | "internal";

/** The classification of one origin call. */
export type Verdict =
  | { readonly kind: "success" }
  | { readonly kind: "failure"; readonly failure: FailureKind }
  | { readonly kind: "ignored" };
