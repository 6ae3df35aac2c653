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

/** One slot, in the unit of all amounts. */
export const SLOT_MICRO = MICRO_TOKENS_PER_TOKEN;

/** Concurrent requests: a slot is taken, held while the request runs, and given back; a slot is one token. */
export interface SlotsSpec {
  readonly kind: "slots";
  readonly slotsMicro: number;
}

export type LimitSpec = TokenBucketSpec | QuotaSpec | SlotsSpec;

export type LimitMode = "enforce" | "shadow" | "off";

/** What a limit does when its coordinator is out of reach. */
export type FailMode = "local" | "open" | "closed";

export type Priority = "low" | "normal" | "high";

export interface LeaseItem {
  readonly partition: string;
  readonly spec: LimitSpec;
  /** Unspent of the last lease, after `returnMicro` was taken off; of slots: free and in use. */
  readonly heldMicro: number;
  /** Given back: free again at once. */
  readonly returnMicro: number;
  readonly demandMicroPerSecond: number;
  /** Tokens to lease beyond what waits. */
  readonly wantMicro: number;
  /** Cost that was known only after the response, to be charged; absent: none. */
  readonly debtMicro?: number;
  /** Quotas: what origin calls that failed had cost, in `epoch`; absent: none. */
  readonly refundMicro?: number;
  /** The last epoch heard; 0: none. */
  readonly epoch?: number;
}

/** Requests that wait for this reply and are charged alike: all of these items or none. */
export interface WaitingGroup {
  readonly count: number;
  readonly costMicro: number;
  /** Indexes into `items`. */
  readonly enforced: readonly number[];
  readonly shadow: readonly number[];
}

/** One call of a lessee: everything it needs of this tenant, at once. */
export interface LeaseCall {
  readonly lesseeId: string;
  /** Grows by one with each new call of this lessee; the same number is answered with the same reply. */
  readonly seq: number;
  readonly configVersion: number;
  readonly items: readonly LeaseItem[];
  readonly waiting: readonly WaitingGroup[];
}

export interface LeaseGrant {
  readonly epoch: number;
  readonly grantedMicro: number;
  /** All that is leased to this lessee now; it must not hold more. */
  readonly leasedMicro: number;
  /** The spec in force, where it is not the one asked with (an override). */
  readonly spec?: LimitSpec;
  /** From the moment the request was sent. */
  readonly ttlMs: number;
  /** In the last so many of them what may be held falls evenly to nothing; 0: all of it ends at once. */
  readonly meltMs: number;
  /** Lease for so long ahead. */
  readonly horizonMs: number;
  /** Do not ask again before, refuse locally when dry; 0: ask whenever. */
  readonly askAgainMs: number;
  /** Hold nothing: ask for each request (a low rate for this many lessees). */
  readonly direct: boolean;
  readonly freeMicro: number;
  /** Until the bucket would be full, or until the quota's period ends. */
  readonly resetMs: number;
  readonly activeLessees: number;
}

export interface WaitingResult {
  /** The first so many of the group are admitted and paid for. */
  readonly admitted: number;
  /** For each of the group's `shadow` items: how many of the admitted it would have refused. */
  readonly shadowRefused: readonly number[];
  /** For the others: which items were short, and when to come back. */
  readonly violated: readonly number[];
  readonly retryAfterMs: number;
}

/** What the coordinator decided on one call. */
export interface LeaseDecision {
  readonly decidedAtMs: number;
  /** One for each item. */
  readonly grants: readonly LeaseGrant[];
  /** One for each waiting group. */
  readonly waiting: readonly WaitingResult[];
}
