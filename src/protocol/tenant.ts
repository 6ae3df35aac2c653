/** What edges and the admin API say to a Tenant object. Times are durations, except where a name ends in `AtMs`. */
import type { TenantProfile, TenantStanding } from "./tenant-index.ts";
import type { LeaseCall, LeaseGrant, LimitSpec, WaitingResult } from "../policy/limits/types.ts";

export const TENANT_PROTOCOL_VERSION = 1;

/** Requests that wait alike, in one lease request; see also `policy/limits/call-queue`. */
export const MAX_WAITING_COUNT = 10_000;

const TENANT_ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** Whether it can be one: no object is made for anything else. */
export function isTenantId(text: string): boolean {
  return TENANT_ID.test(text);
}

/** Name of the object that a tenant's coordinator is. */
export function tenantCoordinator(tenantId: string): string {
  return TENANT_PREFIX + tenantId;
}

/** Undefined: it is the coordinator of something else. */
export function tenantOfCoordinator(coordinatorName: string): string | undefined {
  return coordinatorName.startsWith(TENANT_PREFIX) ? coordinatorName.slice(TENANT_PREFIX.length) : undefined;
}

const TENANT_PREFIX = "tenant:";

export interface LeaseRequest extends LeaseCall {
  readonly v: typeof TENANT_PROTOCOL_VERSION;
  /** Version of the tenant's record the lessee has, 0 for none. */
  readonly recordVersion: number;
  /** Keys used since the lessee last told, at most MAX_USED_KEYS. */
  readonly usedKeyIds?: readonly string[];
}

/** A lessee tells of a key's use at most once a minute, with a call that it makes anyway, of so many keys at once. */
export const MAX_USED_KEYS = 64;

/** What the tenant is, where that is not in the config, and what can change about its keys after they were made. */
export interface TenantRecord {
  readonly version: number;
  /** Revoked, or replaced and past their end. */
  readonly revokedKeyIds: readonly string[];
  /** Replaced; they end in so long, > 0. */
  readonly endingKeys?: readonly { readonly keyId: string; readonly endsInMs: number }[];
  /** Of a tenant that was made through the API; its plan is a name in the config. */
  readonly profile?: TenantProfile | undefined;
  readonly suspended?: boolean;
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
  /** The key says so itself; undefined: never. */
  readonly expiresAtMs: number | undefined;
  /** The key says so itself; empty: it may do everything its tenant may. */
  readonly scopes: readonly string[];
  /** Replaced: it ends then, and by which key. */
  readonly endsAtMs: number | undefined;
  readonly replacedBy: string | undefined;
  /** To about a minute. */
  readonly lastUsedAtMs: number | undefined;
}

export interface TenantKept {
  readonly keys: readonly KeyRecord[];
  readonly overrides: readonly OverrideRecord[];
}

/** What a new key is to be. */
export interface KeyOrder {
  readonly label?: string;
  readonly scopes?: readonly string[];
  /** Undefined: it does not expire. */
  readonly lifetimeMs?: number;
}

export type Rotation =
  | { readonly kind: "rotated"; readonly made: KeyRecord; readonly replaced: KeyRecord }
  | { readonly kind: "unknown" }
  /** Revoked, expired, or replaced before. */
  | { readonly kind: "over"; readonly key: KeyRecord };

export interface TenantProtocol {
  /** For a tenant that the config does not name. `profile` undefined: there is no such tenant. */
  record(request: { readonly v: 1; readonly tenantId: string }): Promise<TenantRecord>;
  /** From the index: what is older than what is known is ignored. */
  setStanding(request: { readonly v: 1; readonly standing: TenantStanding }): Promise<void>;
  lease(request: LeaseRequest): Promise<LeaseReply>;
  /** What `lease` would reply; nothing is debited, and nothing noted. */
  rehearseLease(request: LeaseRequest): Promise<LeaseReply>;
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
  createKey(request: { readonly v: 1; readonly keyId: string } & KeyOrder): Promise<KeyRecord>;
  /** What `order` does not say is as with the key that is replaced; its lifetime counts from now. */
  rotateKey(request: {
    readonly v: 1;
    readonly keyId: string;
    readonly newKeyId: string;
    readonly overlapMs: number;
    readonly order: KeyOrder;
  }): Promise<Rotation>;
  listKeys(request: { readonly v: 1 }): Promise<{ readonly keys: readonly KeyRecord[] }>;
  /** What outlives leases: for a backup. */
  backup(request: { readonly v: 1 }): Promise<TenantKept>;
  /**
   * Adds what is not known here; of a key that is, the earlier end counts, and an override is replaced. Giving the same
   * again changes nothing. Rejects when there are too many.
   */
  restore(request: { readonly v: 1 } & TenantKept): Promise<void>;
  /** Undefined: no such key. Revoking twice is no error. */
  revokeKey(request: { readonly v: 1; readonly keyId: string }): Promise<KeyRecord | undefined>;
}
