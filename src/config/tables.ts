/**
 * Compiled tables: the shapes the hot path reads. Made once per config by `compile.ts`; read-only.
 */
import type { LadderRung } from "../policy/degradation/ladder.ts";
import type { Priority } from "../policy/limits/types.ts";
import type { CompiledAccess } from "./access.ts";
import type { CompiledIdentity } from "./identity.ts";
import type {
  Config,
  LateCostConfig,
  LimitConfig,
  OriginConfig,
  PageTemplate,
  RateLimitFields,
  RouteConfig,
  TenantConfig,
} from "./model.ts";

export interface CompiledTenant {
  readonly id: string;
  readonly anonymous: boolean;
  /** The plan it is on here. */
  readonly plan: string;
  readonly priority: Priority;
  /** The tenant's own limits, its concurrency as a limit of slots among them; `off` ones left out. */
  readonly limits: readonly LimitConfig[];
  /** Of these, the ones that hold for exempt callers too: slots. */
  readonly slotLimits: readonly LimitConfig[];
  /** Undefined: no list applies to its callers. */
  readonly access: CompiledAccess | undefined;
}

export interface CompiledRoute {
  readonly config: RouteConfig;
  readonly id: string;
  readonly origin: CompiledOrigin;
  readonly failover: CompiledOrigin | undefined;
  readonly costMicro: number;
  readonly lateCost: LateCostConfig | undefined;
  /** The route's own limits, `off` ones left out. */
  readonly limits: readonly LimitConfig[];
  readonly deadlineMs: number;
  /** Undefined: it has none of its own. */
  readonly pages: PageSet | undefined;
  /** What is tried when the origin cannot answer, in order: the rungs this route can have. */
  readonly ladder: readonly LadderRung[];
}

/** Media type, JSON first -> language, the default first -> page. */
export type PageSet = ReadonlyMap<string, ReadonlyMap<string, PageTemplate>>;

export interface CompiledPages {
  readonly languages: readonly string[];
  readonly byKind: ReadonlyMap<string, PageSet>;
}

export interface CompiledOrigin {
  readonly config: OriginConfig;
  readonly id: string;
  /** Under which its breaker, slots and stored responses are kept: the id, but where a trial changes the origin. */
  readonly stateId: string;
  /** Scheme and authority, no trailing slash: `http://127.0.0.1:9100`. */
  readonly base: string;
  /** Path prefix of the origin's url, "" or "/prefix". */
  readonly pathPrefix: string;
  /** Undefined: its calls are not counted. */
  readonly bulkhead: CompiledBulkhead | undefined;
}

export interface CompiledBulkhead {
  /** Slots of the origin as configured; undefined: only tenants' are counted. */
  readonly slots: number | undefined;
  /** One tenant's slots there, as a limit of the tenant; empty: no cap. */
  readonly perTenant: readonly LimitConfig[];
  /** What a call occupies when the origin has `slots`; the same array each time. */
  limits(slots: number): readonly LimitConfig[];
}

export interface Tables {
  readonly config: Config;
  readonly configVersion: number;
  readonly identity: readonly CompiledIdentity[];
  readonly rateLimitFields: RateLimitFields;
  readonly pages: CompiledPages;
  /** On its configured plan, or on the one named. Undefined: there is no such tenant, or no such plan. */
  tenant(id: string, plan?: string): CompiledTenant | undefined;
  /** A tenant that is not in the file, likewise. */
  compileTenant(config: TenantConfig, plan?: string): CompiledTenant | undefined;
  /** A tenant of this plan that the config does not name. */
  tenantOn(plan: string, id: string): CompiledTenant | undefined;
  /** The tenant that anonymous callers of this plan are. */
  anonymous(plan: string): CompiledTenant | undefined;
  /** `host` lower-case without port; `path` canonical. */
  matchRoute(method: string, host: string, path: string): CompiledRoute | undefined;
  /** Methods of the routes that match this place, for `Allow`; empty when none does. */
  allowedMethods(host: string, path: string): readonly string[];
  /** In the order in which they are tried. */
  readonly routes: readonly CompiledRoute[];
  origin(id: string): CompiledOrigin | undefined;
  readonly origins: readonly CompiledOrigin[];
}
