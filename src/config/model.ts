/**
 * The normalised configuration: what `config/schema.ts` makes of `weir.jsonc`. Plain JSON, defaults applied,
 * durations in milliseconds, token amounts in integer micro-tokens, pages inlined, references resolved by name.
 * It is what the bundle carries, what coordinators store, and what `compile.ts` turns into tables.
 */
import type { AlertSettings } from "../policy/alerting/types.ts";
import type { Objective } from "../policy/objectives/types.ts";
import type { BreakerSettings } from "../policy/breaker/types.ts";
import type { LadderRung } from "../policy/degradation/ladder.ts";
import type { JwtAlgorithm } from "../policy/identity/token.ts";
import type { FailMode, LimitMode, LimitSpec, Priority } from "../policy/limits/types.ts";
import type { PageKind } from "./pages/vocabulary.ts";

export interface LimitConfig {
  /** The name in the config file, unique within its scope. */
  readonly name: string;
  /** Unique within a tenant: `name` for tenant limits, `route:<routeId>:<name>` for route limits. */
  readonly id: string;
  readonly spec: LimitSpec;
  /** One partition for the whole tenant, or one for each (hashed) principal. */
  readonly partition: "tenant" | "principal";
  readonly mode: LimitMode;
  readonly failMode: FailMode;
  /** Hard deadline for asking the coordinator, default 150. */
  readonly deadlineMs: number;
  /** For `RateLimit-Policy`: quota in tokens and window in whole seconds (>= 1). */
  readonly quotaTokens: number;
  readonly windowSeconds: number;
}

/** Entries in canonical text, as `access-entry.ts` writes them. */
export interface AccessConfig {
  readonly deny?: readonly string[];
  /** Undefined: everybody may call. */
  readonly allow?: readonly string[];
  readonly exempt?: readonly string[];
}

export interface PlanConfig {
  readonly limits: readonly LimitConfig[];
  /** Concurrent requests of one tenant, in the whole world; undefined: no cap. */
  readonly concurrency?: number;
  readonly priority: Priority;
  readonly access?: AccessConfig;
}

/**
 * What a tenant has beside its plan, or in its place: limits replace the plan's of the same name. Plans are shared by
 * thousands, so `compile.ts` merges them, when a tenant first calls.
 */
export interface TenantConfig extends Partial<PlanConfig> {
  readonly id: string;
  readonly plan: string;
}

export interface RetrySettings {
  /** Attempts in all, 1..3. */
  readonly attempts: number;
  /** Retries as a share of requests, 0..1. */
  readonly budgetRatio: number;
}

export interface OriginConfig {
  readonly id: string;
  /** Absolute, no trailing slash, no credentials, query or fragment. */
  readonly url: string;
  /** The whole call, retries included. */
  readonly deadlineMs: number;
  /** Per try; the effective timeout is min(this, what is left of the deadline). */
  readonly tryTimeoutMs: number;
  readonly retry: RetrySettings;
  readonly breaker: BreakerSettings;
  /** Path fetched by the coordinator's own probes, default "/". */
  readonly probePath: string;
  /** Concurrent calls in the whole world; with `min` below it latency decides; undefined: no cap. */
  readonly concurrency?: { readonly max: number; readonly min: number };
  /** Concurrent calls of one tenant, in the whole world. */
  readonly concurrencyPerTenant?: number;
  readonly failover?: string;
  /** The origin honours `Idempotency-Key`, so that such requests may be retried. */
  readonly keyAware: boolean;
}

/** Names of headers are lower-case. */
export type IdentityRule =
  | { readonly type: "apiKey"; readonly header: string; readonly scheme?: string }
  | JwtRule
  | TrustedHeaderRule
  | { readonly type: "anonymous"; readonly plan: string };

export interface JwtRule {
  readonly type: "jwt";
  readonly issuer: string;
  readonly audience: readonly string[];
  /** URL of the issuer's keys. */
  readonly jwks: string;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly tenantClaim: string;
  readonly planClaim?: string;
  readonly header: string;
  readonly scheme?: string;
  readonly clockToleranceMs: number;
  /** The token goes on to the origin. */
  readonly forward: boolean;
}

export interface TrustedHeaderRule {
  readonly type: "trustedHeader";
  readonly tenantHeader: string;
  readonly principalHeader?: string;
  readonly secretHeader: string;
}

export interface CacheConfig {
  /** "shared": one entry for all tenants; "tenant": the tenant is part of the key. */
  readonly scope: "shared" | "tenant";
  /** Lower-case: request headers that go to the origin beside those HTTP defines. */
  readonly forwardHeaders: readonly string[];
  /** Freshness when the origin says nothing; undefined: as RFC 9111 says. */
  readonly freshForMs?: number;
  /** Used where the origin says nothing about it. */
  readonly staleWhileRevalidateMs?: number;
  readonly staleIfErrorMs?: number;
  /** What is in a client's favourite language is for that client. */
  readonly byContentLanguage?: boolean;
  /** Answers to POST may be what later GETs are answered with. */
  readonly storePost?: boolean;
  /** Least interval between snapshots of one URL; undefined: no snapshots. */
  readonly snapshotIntervalMs?: number;
}

export interface DegradedConfig {
  readonly status: number;
  readonly retryAfterMs: number;
  readonly pages: PageForms;
  /** In the order in which they are tried; undefined: the usual one. */
  readonly ladder?: readonly LadderRung[];
}

/** Media type -> language -> name of the template. */
export type PageForms = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** A page with everything inlined. */
export interface PageTemplate {
  /** Literal text and names of variables by turns; begins and ends with a text. */
  readonly parts: readonly string[];
  /** HTML only. Lets nothing in but the page's own styles, by their hashes, and what is inlined. */
  readonly contentSecurityPolicy?: string;
}

export interface PagesConfig {
  /** The default first. */
  readonly languages: readonly string[];
  readonly templates: Readonly<Record<string, PageTemplate>>;
  /** For all routes that have none of their own. */
  readonly byKind: Readonly<Partial<Record<PageKind, PageForms>>>;
}

/** A cost that only the origin knows: a response header says it. */
export interface LateCostConfig {
  /** Lower-case. */
  readonly header: string;
  /** Whatever the header says, one request costs no more. */
  readonly mostMicro: number;
}

/** ietf: `RateLimit-Policy` and `RateLimit`. legacy: `X-RateLimit-Limit`, `-Remaining`, `-Reset` (seconds from now). */
export type RateLimitFields = "ietf" | "legacy" | "both" | "none";

export interface RouteConfig {
  readonly id: string;
  /** Upper-case; undefined: every method. */
  readonly methods?: readonly string[];
  /** Lower-case, exact or `*.suffix`; undefined: every host. */
  readonly host?: string;
  /** Literals, `:param` segments, trailing `*`. */
  readonly path: string;
  readonly origin: string;
  readonly deadlineMs?: number;
  readonly costMicro: number;
  readonly lateCost?: LateCostConfig;
  readonly limits: readonly LimitConfig[];
  readonly cache?: CacheConfig;
  readonly charge: "always" | "miss";
  readonly degraded?: DegradedConfig;
}

export interface LogSettings {
  /** Of requests; refusals by policy are logged beside them. */
  readonly sampleRatio: number;
  /** Each second in each isolate. */
  readonly refusalsPerSecond: number;
}

export interface Config {
  /** Grows with every applied or bundled config; newer wins at coordinators. */
  readonly configVersion: number;
  /** SHA-256 (hex) of the normalised config without version and hash. */
  readonly hash: string;
  readonly origins: readonly OriginConfig[];
  readonly identity: readonly IdentityRule[];
  readonly rateLimitFields: RateLimitFields;
  /** Applies to everybody. */
  readonly access?: AccessConfig;
  readonly pages: PagesConfig;
  readonly plans: Readonly<Record<string, PlanConfig>>;
  readonly tenants: readonly TenantConfig[];
  readonly routes: readonly RouteConfig[];
  readonly objectives: readonly Objective[];
  readonly alerts: AlertSettings;
  readonly logs: LogSettings;
}
