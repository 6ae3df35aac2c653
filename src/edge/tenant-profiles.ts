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
import { TENANT_INDEX_OBJECT, type TenantProfile } from "../protocol/tenant-index.ts";
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
/** Where something is known, requests wait no longer; ... */
const DEADLINE_MS = 300;
/** ... where nothing is, two objects may have to wake far away, one behind the other. */
const FIRST_DEADLINE_MS = 1_500;
const CALL_DEADLINE_MS = 2_000;
/** A tenant never heard of is looked for in the index first, for so long. */
const INDEX_DEADLINE_MS = 1_000;
/** After a failure what was heard last is used at once for so long, while one call tries again. */
const UNREACHABLE_FOR_MS = 500;
/** A call that has not ended by then never will: the request that made it is gone. */
const LOST_AFTER_MS = 3_000;
/** One tenant on so many plans at once; then all are compiled anew. */
const MAX_PLANS = 20;

interface Known {
  /** Of its record. */
  version: number;
  /** Undefined: there is no such tenant. */
  readonly profile: TenantProfile | undefined;
  heardAtMs: number;
  unreachableUntilMs: number;
  /** While a config is on trial there are two tables. On its own plan (undefined) and others. */
  readonly compiled: WeakMap<Tables, Map<string | undefined, CompiledTenant>>;
}

interface Asking {
  readonly done: Promise<void>;
  readonly sinceMs: number;
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
  readonly #asking = new Map<string, Asking>();

  constructor(options: ProfilesOptions) {
    this.#options = options;
    this.#known = new LRUCache({ max: tableSize(MAX_KNOWN, options.beside) });
  }

  /** `plan`: instead of its own. Synchronous while what was heard is young enough. */
  find(id: string, plan: string | undefined, site: ProfileSite): FoundTenant | Promise<FoundTenant> {
    const known = this.#recall(id);
    if (known === undefined) return this.ask(id, plan, site);
    const nowMs = this.#options.now();
    const ageMs = nowMs - Math.max(known.heardAtMs, this.#options.recordAtMs(tenantCoordinator(id)));
    if (ageMs > FRESH_MS && nowMs >= known.unreachableUntilMs) {
      const isFailing = nowMs - known.unreachableUntilMs < USABLE_MS;
      if (ageMs > USABLE_MS && !isFailing) return this.ask(id, plan, site);
      void this.#ask(id, site);
    }
    return compiledOf(id, plan, known, site.tables);
  }

  #recall(id: string): Known | undefined {
    const { beside } = this.#options;
    return this.#known.get(id) ?? (beside === undefined ? undefined : beside.#known.peek(id));
  }

  /** Whatever is known: its coordinator is asked, and if it does not answer what was heard last holds. */
  async ask(id: string, plan: string | undefined, site: ProfileSite): Promise<FoundTenant> {
    const deadlineMs = this.#known.has(id) ? DEADLINE_MS : FIRST_DEADLINE_MS;
    try {
      // Each waits by its own timer: the request that asks may be gone.
      await withDeadline(this.#ask(id, site), deadlineMs);
    } catch {
      this.#options.onFailure();
      this.#noteUnreachable(id);
    }
    const known = this.#recall(id);
    return known === undefined ? UNREACHABLE : compiledOf(id, plan, known, site.tables);
  }

  /** With a lease reply, or when asked. What is compiled stays while the tenant is the same: leases are kept by it. */
  take(id: string, { version, profile }: TenantRecord): void {
    const heardAtMs = this.#options.now();
    const known = this.#known.get(id);
    if (known !== undefined && JSON.stringify(known.profile) === JSON.stringify(profile)) {
      Object.assign(known, { version, heardAtMs, unreachableUntilMs: 0 });
      return;
    }
    this.#known.set(id, { version, profile, heardAtMs, unreachableUntilMs: 0, compiled: new WeakMap() });
  }

  /** One call at a time for each tenant; never rejects. */
  #ask(id: string, site: ProfileSite): Promise<void> {
    const sinceMs = this.#options.now();
    const asking = this.#asking.get(id);
    if (asking !== undefined && sinceMs - asking.sinceMs < LOST_AFTER_MS) return asking.done;
    if (asking === undefined && this.#asking.size >= MAX_ASKING && !this.#forgetLost(sinceMs)) return Promise.resolve();
    const done = this.#call(id, site).finally(() => {
      if (this.#asking.get(id)?.done === done) this.#asking.delete(id);
    });
    this.#asking.delete(id);
    this.#asking.set(id, { done, sinceMs });
    site.waitUntil(done);
    return done;
  }

  /** Whether there is room again. */
  #forgetLost(nowMs: number): boolean {
    for (const [id, { sinceMs }] of this.#asking) {
      // In the order of their beginning.
      if (nowMs - sinceMs < LOST_AFTER_MS) break;
      this.#asking.delete(id);
    }
    return this.#asking.size < MAX_ASKING;
  }

  async #call(id: string, { env }: ProfileSite): Promise<void> {
    const request = { v: 1 as const, tenantId: id };
    const before = this.#known.get(id)?.version;
    try {
      // First the one index: asking an object makes it, and a credential may name a tenant that there never was.
      if (this.#recall(id)?.profile === undefined && !(await isIndexed(env, id))) {
        this.take(id, NOBODY);
        return;
      }
      const asked = callCoordinator(env, "TENANT", tenantCoordinator(id), "record", request);
      const record = await withDeadline(asked, CALL_DEADLINE_MS);
      const now = this.#known.get(id)?.version;
      // A lease reply that was faster told of something newer.
      if (now !== undefined && now !== before && now > record.version) return;
      this.take(id, record);
    } catch {
      this.#options.onFailure();
      this.#noteUnreachable(id);
    }
  }

  #noteUnreachable(id: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.unreachableUntilMs = this.#options.now() + UNREACHABLE_FOR_MS;
  }
}

/** Nothing has been heard of it. */
const NOBODY: TenantRecord = { version: 0, revokedKeyIds: [] };

/** Also where the index does not answer: then the coordinator may have heard of it. */
async function isIndexed(env: Env, id: string): Promise<boolean> {
  try {
    const asked = callCoordinator(env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "get", { v: 1, id });
    return (await withDeadline(asked, INDEX_DEADLINE_MS))?.profile !== undefined;
  } catch {
    // Not counted: what follows is, where it fails, too.
    return true;
  }
}

function compiledOf(id: string, plan: string | undefined, known: Known, tables: Tables): FoundTenant {
  const { profile } = known;
  if (profile === undefined) return UNKNOWN;
  let onPlans = known.compiled.get(tables);
  if (onPlans === undefined || onPlans.size > MAX_PLANS) known.compiled.set(tables, (onPlans = new Map()));
  let tenant = onPlans.get(plan);
  if (tenant === undefined) {
    tenant = tables.compileTenant({ id, ...profile }, plan);
    if (tenant !== undefined) onPlans.set(plan, tenant);
  }
  if (tenant !== undefined) return { kind: "found", tenant };
  // Its credential names a plan that is none; or its own is gone, which an apply refuses: as if its coordinator were away.
  return plan !== undefined && plan !== profile.plan ? UNKNOWN : UNREACHABLE;
}
