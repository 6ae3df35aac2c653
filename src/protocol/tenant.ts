/** What edges and the admin API say to a Tenant object. Times are durations, except where a name ends in `AtMs`. */
import type { LeaseCall, LeaseGrant, LimitSpec, WaitingResult } from "../policy/limits/types.ts";

export const TENANT_PROTOCOL_VERSION = 1;

/** Requests that wait alike, in one lease request; see also `policy/limits/call-queue`. */
export const MAX_WAITING_COUNT = 10_000;

export interface LeaseRequest extends LeaseCall {
  readonly v: typeof TENANT_PROTOCOL_VERSION;
  /** Version of the tenant's record the lessee has, 0 for none. */
  readonly recordVersion: number;
}

export interface TenantRecord {
  readonly version: number;
  readonly revokedKeyIds: readonly string[];
}

export type LeaseReply =
  | {
      readonly kind: "granted";
      readonly seq: number;
      readonly decidedAtMs: number;
      readonly grants: readonly LeaseGrant[];
      readonly waiting: readonly WaitingResult[];
      /** Only when newer than the lessee's. */
      readonly record: TenantRecord | undefined;
    }
  /** A newer request of this lessee was answered before: nothing was done. */
  | { readonly kind: "stale"; readonly seq: number };

export interface PartitionStatus {
  readonly partition: string;
  readonly kind: LimitSpec["kind"];
  readonly capacityTokens: number;
  readonly freeTokens: number;
  readonly outstandingTokens: number;
  readonly activeLessees: number;
  /** Quotas: lost in this period with isolates that died. */
  readonly writtenOffTokens: number;
  /** Costs known after the response that are still to be paid. */
  readonly owedTokens: number;
  /** When an override of its limit ends; undefined: none is in force. */
  readonly overriddenUntilMs: number | undefined;
}

/** A limit that holds for this tenant instead of the configured one, until it ends by itself. */
export interface OverrideRecord {
  readonly limitId: string;
  readonly spec: LimitSpec;
  readonly expiresAtMs: number;
  readonly setAtMs: number;
  readonly reason: string;
}

export interface TenantCoordinatorStatus {
  readonly partitions: readonly PartitionStatus[];
  /** Lease calls since the object woke. */
  readonly leaseCalls: number;
}

export interface KeyRecord {
  readonly keyId: string;
  readonly label: string;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | undefined;
}

export interface TenantProtocol {
  lease(request: LeaseRequest): Promise<LeaseReply>;
  status(request: { readonly v: 1 }): Promise<TenantCoordinatorStatus>;
  /** Replaces one of the same limit. Rejects when there are too many. */
  setOverride(request: {
    readonly v: 1;
    readonly limitId: string;
    readonly spec: LimitSpec;
    readonly forMs: number;
    readonly reason: string;
  }): Promise<OverrideRecord>;
  /** False: there was none. */
  removeOverride(request: { readonly v: 1; readonly limitId: string }): Promise<boolean>;
  listOverrides(request: { readonly v: 1 }): Promise<{ readonly overrides: readonly OverrideRecord[] }>;
  createKey(request: { readonly v: 1; readonly keyId: string; readonly label: string }): Promise<KeyRecord>;
  listKeys(request: { readonly v: 1 }): Promise<{ readonly keys: readonly KeyRecord[] }>;
  /** Undefined: no such key. Revoking twice is no error. */
  revokeKey(request: { readonly v: 1; readonly keyId: string }): Promise<KeyRecord | undefined>;
}
