/** The words of breakers that other rooms share. Times are milliseconds; ratios are 0..1. */

/** Thresholds of one origin's breaker; what each does is told in `docs/outages.md`. */
export interface BreakerSettings {
  /** Least age at which a pending call is reported as late; it grows with the origin's own latency. */
  readonly earlyAgeMs: number;
  /** A call that took longer counts as a failure, whatever it brought; 0: none does. */
  readonly slowCallMs: number;
  /** Evidence at which the breaker opens. */
  readonly tripScore: number;
  /** Evidence at which a PoP that fails alone is opened alone. */
  readonly popTripScore: number;
  /** Of calls: what may fail for long without opening (below `outageRatio`), ... */
  readonly brownOutRatio: number;
  /** ... and what fails in an outage. */
  readonly outageRatio: number;
  /** Least PoPs that must see the failure (capped by the active ones). */
  readonly quorumPops: number;
  /** First wait before a probe; grows x1.5 up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Re-opened within this time after closing, it is flapping: the first wait doubles each time, ... */
  readonly flapWindowMs: number;
  /** ... up to this. */
  readonly flapMaxBackoffMs: number;
  /** Probe leases outstanding in the world. */
  readonly probes: number;
  /** Probe successes needed to close. */
  readonly closeAfter: number;
  /** From 10 % to 100 % of traffic. */
  readonly rampMs: number;
}

export const BREAKER_DEFAULTS: BreakerSettings = {
  earlyAgeMs: 500,
  slowCallMs: 0,
  tripScore: 20,
  popTripScore: 14,
  brownOutRatio: 0.35,
  outageRatio: 0.9,
  quorumPops: 3,
  backoffMs: 1_000,
  maxBackoffMs: 5_000,
  flapWindowMs: 60_000,
  flapMaxBackoffMs: 60_000,
  probes: 1,
  closeAfter: 3,
  rampMs: 10_000,
};

/** Whatever an origin's own timeout, a probe ends within this: its lease does, too. */
export const LONGEST_PROBE_MS = 60_000;

/** Why one origin call failed. */
export type FailureKind = Exclude<ReportedFailure, "late" | "slow">;

/** What is reported of a call that did no good: `late` is one still pending past the early age, `slow` one that took too long. */
export const REPORTED_FAILURES = ["network", "timeout", "status", "body", "internal", "late", "slow"] as const;
export type ReportedFailure = (typeof REPORTED_FAILURES)[number];

/** The classification of one origin call. */
export type Verdict =
  | { readonly kind: "success" }
  | { readonly kind: "failure"; readonly failure: FailureKind }
  | { readonly kind: "ignored" };

/** Outcomes of about the same moment: how long ago when they were told, in milliseconds. */
export type Outcomes = readonly [ageMs: number, successes: number, failures: number];
