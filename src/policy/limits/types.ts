/**
 * The words of limits that other rooms share. All token amounts are integers of micro-tokens
 * (1 token = 1,000,000), so that rounding never loses refill; all times are milliseconds.
 */
export const MICRO_TOKENS_PER_TOKEN = 1_000_000;

/**
 * A token bucket. Refill is an exact fraction of micro-tokens per millisecond:
 * `refillNumerator / refillDenominator`. Configuration guarantees that
 * `burstMicro * refillDenominator <= Number.MAX_SAFE_INTEGER`, so integer arithmetic never overflows.
 */
export interface TokenBucketSpec {
  readonly kind: "bucket";
  readonly refillNumerator: number;
  readonly refillDenominator: number;
  /** Capacity, >= 1 token. */
  readonly burstMicro: number;
}

export type QuotaPeriod = "minute" | "hour" | "day" | "month";

/** A budget per calendar period, no refill inside it. */
export interface QuotaSpec {
  readonly kind: "quota";
  readonly quotaMicro: number;
  readonly period: QuotaPeriod;
  /** IANA name; the period starts at local midnight, hour, ... of this zone. */
  readonly timeZone: string;
}

export type LimitSpec = TokenBucketSpec | QuotaSpec;

export type LimitMode = "enforce" | "shadow" | "off";

/** What a limit does when its coordinator is out of reach. */
export type FailMode = "local" | "open" | "closed";

export type Priority = "low" | "normal" | "high";
