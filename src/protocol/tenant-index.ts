/** What the admin API and Tenant objects say to the index of tenants that are made through the API. */
import type { TenantConfig } from "../config/model.ts";

/** There is one. */
export const TENANT_INDEX_OBJECT = "tenants";

/** Rows of one call. */
export const MAX_TENANTS_A_CALL = 1_000;

/** As many as a config file may have tenants. */
export const MAX_SUSPENSIONS_A_CALL = 10_000;

/** What a tenant is, beside its id: as a config file says it, normalised. */
export type TenantProfile = Omit<TenantConfig, "id">;

export interface TenantWrite {
  readonly id: string;
  readonly profile: TenantProfile;
  /** The same as it was written, as JSON: what people see and export. */
  readonly settings: string;
  /** For people and for search. */
  readonly label: string;
}

export interface TenantRow {
  readonly id: string;
  /** Undefined: it is in the config file, and only its suspension is kept here. */
  readonly profile: TenantProfile | undefined;
  /** As it was written. */
  readonly settings: string | undefined;
  readonly label: string;
  /** Why; undefined: it is not suspended. */
  readonly suspended: string | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** What its coordinator has to know; a smaller revision than the one it has is old news. */
export interface TenantStanding {
  readonly revision: number;
  /** The revision of its making: with another one it is another tenant of the same name, which inherits no key. */
  readonly born: number;
  readonly profile: TenantProfile | undefined;
  readonly suspended: boolean;
  /** There is none any more; its keys and overrides end. */
  readonly removed?: true;
}

export interface TenantQuery {
  /** Beginnings of words of the id or the label, all of which must be there; "" for all. */
  readonly words: string;
  readonly plan: string | undefined;
  readonly suspended: boolean | undefined;
  /** Where the page before ended; undefined: from the beginning. */
  readonly after: string | undefined;
  readonly limit: number;
}

/** For a backup. */
export interface KeptTenant extends TenantRow {
  /** Its coordinator has asked about it, so it may keep something. */
  readonly live: boolean;
}

export interface RemovedTenant {
  readonly id: string;
  readonly atMs: number;
}

export interface TenantIndexProtocol {
  /** All or none. */
  upsert(request: { readonly v: 1; readonly tenants: readonly TenantWrite[] }): Promise<{
    readonly created: number;
    readonly changed: number;
    readonly same: number;
  }>;
  get(request: { readonly v: 1; readonly id: string }): Promise<TenantRow | undefined>;
  /**
   * In order of id, or, where words are searched, of the words found. `next`: for `after`; undefined: that was all. Where
   * many are passed by a page is short, or empty, and there is a `next` all the same.
   */
  list(request: { readonly v: 1 } & TenantQuery): Promise<{
    readonly tenants: readonly TenantRow[];
    readonly next: string | undefined;
  }>;
  /** False: there was none. */
  remove(request: { readonly v: 1; readonly id: string }): Promise<boolean>;
  /** `reason` undefined: it may call again. Undefined: no such tenant, and `inFile` is false. */
  suspend(request: {
    readonly v: 1;
    readonly id: string;
    readonly reason: string | undefined;
    readonly inFile: boolean;
  }): Promise<TenantRow | undefined>;
  /** Of these, at most MAX_SUSPENSIONS_A_CALL, the ones that are suspended, and why. */
  suspensions(request: { readonly v: 1; readonly ids: readonly string[] }): Promise<Readonly<Record<string, string>>>;
  /** In order of id, from behind `after` on. */
  backup(request: { readonly v: 1; readonly after: string; readonly limit: number }): Promise<{
    readonly tenants: readonly KeptTenant[];
  }>;
  /** Tenants that were removed, and not made anew: their coordinators remember which keys ended. */
  removed(request: { readonly v: 1; readonly after: string; readonly limit: number }): Promise<{
    readonly tenants: readonly RemovedTenant[];
  }>;
  /** As they were. Giving the same again changes nothing. `write` undefined: it is in the config file. */
  restore(request: {
    readonly v: 1;
    readonly tenants: readonly (Pick<TenantRow, "id" | "suspended" | "createdAtMs" | "updatedAtMs"> & {
      readonly write: TenantWrite | undefined;
    })[];
    readonly removed: readonly RemovedTenant[];
  }): Promise<void>;
  /** Tenants made through the API, by plan. */
  counts(request: { readonly v: 1 }): Promise<Readonly<Record<string, number>>>;
  /** From a Tenant object that does not know its tenant: from now on it is told of changes. Undefined: no such tenant. */
  lookup(request: { readonly v: 1; readonly id: string }): Promise<TenantStanding | undefined>;
}
