/** What sizing is done from, and what comes of it. Rates are tokens (of origins: requests) a second; ratios 0..1. */

export interface RecordedTenant {
  readonly tenant: string;
  /** Of what it asked for, over ten seconds each. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Most within one second. */
  readonly peakTokens: number;
  readonly admitted: number;
  readonly throttled: number;
  /** Of all its requests, refused ones too. */
  readonly meanSeconds: number;
}

/** Requests a second, over ten seconds each. */
export interface OriginDemand {
  readonly origin: string;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Calls at once, by Little's law: arrivals a second times mean duration, at p99. */
  readonly concurrencyP99: number;
  readonly meanSeconds: number;
}

export interface RecordedOrigin extends OriginDemand {
  /** Since counting began: calls that its bulkhead did not make, requests, and those that it or what is stored answered. */
  readonly shed: number;
  readonly requests: number;
  readonly answered: number;
}

/** Keys of the config file, from its top. */
export type Place = readonly string[];

export interface BucketInForce {
  readonly place: Place;
  readonly name: string;
  readonly ratePerSecond: number;
  readonly burstTokens: number;
}

export interface SlotsInForce {
  readonly place: Place;
  readonly slots: number;
}

export interface TenantInForce {
  readonly tenant: string;
  readonly plan: string;
  /** Made through the API: no patch of the config reaches what it has of its own. */
  readonly byApi: boolean;
  /** Callers by address, on partitions that they share: they are no peers of anybody. */
  readonly anonymous: boolean;
  /** Those that are enforced and count the tenant as one. */
  readonly buckets: readonly BucketInForce[];
  readonly concurrency?: SlotsInForce;
}

export interface OriginInForce {
  readonly origin: string;
  readonly concurrency?: SlotsInForce;
  readonly perTenant?: SlotsInForce;
}

export interface Recorded {
  readonly tenants: readonly RecordedTenant[];
  readonly origins: readonly RecordedOrigin[];
}

export interface InForce {
  readonly tenants: readonly TenantInForce[];
  readonly origins: readonly OriginInForce[];
}

/**
 * noisy: asks far more than its peers, more than its limit, or most of what is shared. well-behaved: within its peers'
 * usual range. other: above that, without harm; or there are no peers to compare with.
 */
export type Standing = "noisy" | "well-behaved" | "other" | "anonymous";

export interface Size {
  readonly ratePerSecond: number;
  readonly burstTokens: number;
  readonly concurrency: number;
}

export interface SizedTenant {
  readonly demand: RecordedTenant;
  readonly standing: Standing;
  /** Of its requests. */
  readonly throttledRatio: number;
  readonly recommended: Size;
  readonly inForce: TenantInForce | undefined;
}

export interface SizedOrigin {
  readonly demand: RecordedOrigin;
  readonly recommendedConcurrency: number;
  readonly inForce: OriginInForce | undefined;
}

export type FindingKind = "noisy" | "throttles-well-behaved" | "isolates-nobody";

export interface Finding {
  readonly kind: FindingKind;
  /** Where in the config; undefined: it is about a tenant. */
  readonly place?: Place;
  readonly tenants: readonly string[];
  readonly why: string;
}

/** A bucket or slots to be set; what else stands at a limit stays. */
export type Proposal =
  | { readonly kind: "bucket"; readonly place: Place; readonly ratePerSecond: number; readonly burstTokens: number }
  | { readonly kind: "slots"; readonly place: Place; readonly slots: number }
  /** `tenant` keeps the limit that stands at `from` for its own, while that is raised for the others. */
  | { readonly kind: "keep"; readonly tenant: string; readonly from: Place; readonly name: string };

export interface Sizing {
  readonly tenants: readonly SizedTenant[];
  readonly origins: readonly SizedOrigin[];
  readonly findings: readonly Finding[];
  readonly proposals: readonly Proposal[];
}
