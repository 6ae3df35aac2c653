/** Recorded demand and limits in force, as tests write them. */
import type {
  BucketInForce,
  InForce,
  OriginInForce,
  RecordedOrigin,
  RecordedTenant,
  TenantInForce,
} from "../../../src/policy/sizing/types.ts";

export const asked = (tenant: string, p99: number, more: Partial<RecordedTenant> = {}): RecordedTenant => ({
  tenant,
  p50: p99 / 2,
  p95: p99,
  p99,
  peakTokens: p99,
  admitted: 1_000,
  throttled: 0,
  meanSeconds: 0.1,
  ...more,
});

export const originAsked = (more: Partial<RecordedOrigin> = {}): RecordedOrigin => ({
  origin: "shop",
  p50: 10,
  p95: 20,
  p99: 30,
  concurrencyP99: 3,
  meanSeconds: 0.1,
  shed: 0,
  requests: 1_000,
  answered: 1_000,
  ...more,
});

export const bucket = (ratePerSecond: number, burstTokens = ratePerSecond, plan = "free"): BucketInForce => ({
  place: ["plans", plan, "limits", "requests"],
  name: "requests",
  ratePerSecond,
  burstTokens,
});

export const limited = (
  tenant: string,
  buckets: readonly BucketInForce[],
  more: Partial<TenantInForce> = {},
): TenantInForce => ({ tenant, plan: "free", byApi: false, anonymous: false, buckets, ...more });

export const shop = (slots: number, each?: number): OriginInForce => ({
  origin: "shop",
  concurrency: { place: ["origins", "shop", "concurrency"], slots },
  ...(each === undefined ? {} : { perTenant: { place: ["origins", "shop", "concurrencyPerTenant"], slots: each } }),
});

export const inForce = (tenants: readonly TenantInForce[], origins: readonly OriginInForce[] = []): InForce => ({
  tenants,
  origins,
});
