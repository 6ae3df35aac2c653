/**
 * Tenants that the config does not name, as their coordinators tell of them: asked once, and from then on told with every
 * lease reply. Only callers whose credential has been verified come here, so nobody can make objects by guessing names.
 * When the coordinator is out of reach what was heard last holds; of a tenant never heard of nothing is known, and its
 * callers are told to come again.
 */
import { LRUCache } from "lru-cache";
import type { CompiledTenant, Tables } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import type { TenantProfile } from "../protocol/tenant-index.ts";
import { tableSize } from "./table-size.ts";
import { tenantCoordinator, type TenantRecord } from "../protocol/tenant.ts";

/** Tenants remembered; the longest unused is asked for again. */
const MAX_KNOWN = 20_000;
/** Coordinators asked at once; more are out of reach. */
const MAX_ASKING = 1_000;
/** What was heard is used for so long, ... */
const FRESH_MS = 2_000;
/** ... refreshed behind requests up to here, and asked for in front of them after. */
const USABLE_MS = 5_000;
const DEADLINE_MS = 300;
/** One tenant on so many plans at once; then all are compiled anew. */
const MAX_PLANS = 20;

interface Known {
  /** Undefined: there is no such tenant. */
  readonly profile: TenantProfile | undefined;
  readonly atMs: number;
  /** For these tables it was compiled, on its own plan (undefined) and others. */
  compiledFor: Tables | undefined;
  compiled: Map<string | undefined, CompiledTenant>;
}

export interface ProfileSite {
  readonly env: Env;
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly tables: Tables;
}

export interface ProfilesOptions {
  readonly now: () => number;
  /** When the tenant's record was last confirmed by its coordinator. */
  readonly recordAtMs: (coordinatorName: string) => number;
  readonly onFailure: () => void;
  /** Others, of which these know what they know. */
  readonly beside?: TenantProfiles | undefined;
}

/** `unreachable`: nothing is known of it now. */
export type FoundTenant =
  | { readonly kind: "found"; readonly tenant: CompiledTenant }
  | { readonly kind: "unknown" }
  | { readonly kind: "unreachable" };

const UNKNOWN: FoundTenant = { kind: "unknown" };
const UNREACHABLE: FoundTenant = { kind: "unreachable" };

export class TenantProfiles {
  readonly #options: ProfilesOptions;
  readonly #known: LRUCache<string, Known>;
  readonly #asking = new Map<string, Promise<void>>();

  constructor(options: ProfilesOptions) {
    this.#options = options;
    this.#known = new LRUCache({ max: tableSize(MAX_KNOWN, options.beside) });
  }

  /** `plan`: instead of its own. Synchronous while what was heard is young enough. */
  find(id: string, plan: string | undefined, site: ProfileSite): FoundTenant | Promise<FoundTenant> {
    const known = this.#recall(id);
    const nowMs = this.#options.now();
    const heardAtMs = Math.max(known?.atMs ?? 0, this.#options.recordAtMs(tenantCoordinator(id)));
    if (known === undefined || nowMs - heardAtMs > USABLE_MS) return this.#askFirst(id, plan, site);
    if (nowMs - heardAtMs > FRESH_MS) void this.#ask(id, site);
    return compiledOf(id, plan, known, site.tables);
  }

  #recall(id: string): Known | undefined {
    const { beside } = this.#options;
    return this.#known.get(id) ?? (beside === undefined ? undefined : beside.#known.peek(id));
  }

  /** With a lease reply. */
  take(id: string, { profile }: TenantRecord): void {
    this.#known.set(id, { profile, atMs: this.#options.now(), compiledFor: undefined, compiled: new Map() });
  }

  async #askFirst(id: string, plan: string | undefined, site: ProfileSite): Promise<FoundTenant> {
    try {
      // Each waits by its own timer: the request that asks may be gone.
      await withDeadline(this.#ask(id, site), DEADLINE_MS);
    } catch {
      this.#options.onFailure();
    }
    const known = this.#recall(id);
    return known === undefined ? UNREACHABLE : compiledOf(id, plan, known, site.tables);
  }

  /** One call at a time for each tenant; never rejects. */
  #ask(id: string, site: ProfileSite): Promise<void> {
    const asking = this.#asking.get(id);
    if (asking !== undefined || this.#asking.size >= MAX_ASKING) return asking ?? Promise.resolve();
    const done = this.#call(id, site).finally(() => {
      this.#asking.delete(id);
    });
    this.#asking.set(id, done);
    site.waitUntil(done);
    return done;
  }

  async #call(id: string, { env }: ProfileSite): Promise<void> {
    const request = { v: 1 as const, tenantId: id };
    try {
      const asked = callCoordinator(env, "TENANT", tenantCoordinator(id), "record", request);
      this.take(id, await withDeadline(asked, 2 * DEADLINE_MS));
    } catch {
      this.#options.onFailure();
    }
  }
}

function compiledOf(id: string, plan: string | undefined, known: Known, tables: Tables): FoundTenant {
  if (known.profile === undefined) return UNKNOWN;
  if (known.compiledFor !== tables || known.compiled.size > MAX_PLANS) {
    known.compiled = new Map();
    known.compiledFor = tables;
  }
  let tenant = known.compiled.get(plan);
  if (tenant === undefined) {
    tenant = tables.compileTenant({ id, ...known.profile }, plan);
    if (tenant !== undefined) known.compiled.set(plan, tenant);
  }
  // Of a plan that the config has no more: as if its coordinator were away, for an apply refuses to take plans in use away.
  return tenant === undefined ? UNREACHABLE : { kind: "found", tenant };
}
