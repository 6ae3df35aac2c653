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
  createKey(request: { readonly v: 1; readonly keyId: string; readonly label: string }): Promise<KeyRecord>;
  listKeys(request: { readonly v: 1 }): Promise<{ readonly keys: readonly KeyRecord[] }>;
  /** Undefined: no such key. Revoking twice is no error. */
  revokeKey(request: { readonly v: 1; readonly keyId: string }): Promise<KeyRecord | undefined>;
}
