/** A checked config file → the normalised model: defaults, units, references. Pure; expects what `checks.ts` passed. */
import { BREAKER_DEFAULTS } from "../policy/breaker/types.ts";
import { MICRO_TOKENS_PER_TOKEN } from "../policy/limits/types.ts";
import { parseAccessEntry } from "./access-entry.ts";
import type {
  AccessConfig,
  Config,
  IdentityRule,
  LimitConfig,
  OriginConfig,
  PlanConfig,
  RouteConfig,
  TenantConfig,
} from "./model.ts";
import type { ReadPages } from "./pages/files.ts";
import { normaliseWatching } from "./normalise-watching.ts";
import type { AccessFile, ConfigFile, LimitFile, OriginFile, RouteFile, TenantFile } from "./schema.ts";
import { bucketSpec, durationMs, parseRate } from "./units.ts";

const PERIOD_SECONDS = { minute: 60, hour: 3_600, day: 86_400, month: 2_592_000 } as const;

export const DEFAULTS = {
  originDeadlineMs: 10_000,
  retryAttempts: 2,
  retryBudgetRatio: 0.1,
  limitDeadlineMs: 150,
  degradedStatus: 503,
  degradedRetryAfterMs: 30_000,
  jwtAlgorithms: ["ES256", "RS256"],
  clockToleranceMs: 30_000,
  proxySecretHeader: "x-weir-proxy-secret",
} as const;

const optionalMs = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : durationMs(text);

/** Everything but version and hash. */
export function normalise(file: ConfigFile, pages: ReadPages): Omit<Config, "configVersion" | "hash"> {
  const plans = Object.fromEntries(
    Object.entries(file.plans).map(([id, plan]): [string, PlanConfig] => [
      id,
      {
        limits: normaliseLimits(plan.limits, ""),
        priority: plan.priority ?? "normal",
        ...(plan.concurrency === undefined ? {} : { concurrency: plan.concurrency }),
        ...normaliseAccess(plan.access),
      },
    ]),
  );
  return {
    origins: Object.entries(file.origins).map(([id, origin]) => normaliseOrigin(id, origin)),
    identity: file.identity.map(normaliseIdentity),
    rateLimitFields: file.rateLimitFields ?? "ietf",
    ...normaliseAccess(file.access),
    pages: {
      languages: pages.languages,
      templates: Object.fromEntries(pages.templates),
      byKind: Object.fromEntries(
        Object.entries(file.pages?.files ?? {}).map(([kind, files]) => [kind, pages.forms(files)]),
      ),
    },
    plans,
    tenants: Object.entries(file.tenants ?? {}).map(([id, tenant]) => normaliseTenant(id, tenant)),
    routes: file.routes.map((route) => normaliseRoute(route, pages)),
    ...normaliseWatching(file),
  };
}

function normaliseIdentity(rule: ConfigFile["identity"][number]): IdentityRule {
  switch (rule.type) {
    case "anonymous":
      return { type: "anonymous", plan: rule.plan };
    case "apiKey":
      return {
        type: "apiKey",
        header: rule.header.toLowerCase(),
        ...(rule.scheme === undefined ? {} : { scheme: rule.scheme }),
      };
    case "jwt": {
      const { issuer, audience, jwks, tenantClaim, planClaim } = rule;
      const header = (rule.header ?? "authorization").toLowerCase();
      return {
        type: "jwt",
        issuer,
        audience: typeof audience === "string" ? [audience] : audience,
        jwks,
        algorithms: rule.algorithms ?? DEFAULTS.jwtAlgorithms,
        tenantClaim,
        ...(planClaim === undefined ? {} : { planClaim }),
        header,
        ...(header === "authorization" ? { scheme: "Bearer" } : {}),
        clockToleranceMs: optionalMs(rule.clockTolerance, DEFAULTS.clockToleranceMs),
        forward: rule.forward ?? false,
      };
    }
    case "trustedHeader":
      return {
        type: "trustedHeader",
        tenantHeader: rule.tenantHeader.toLowerCase(),
        ...(rule.principalHeader === undefined ? {} : { principalHeader: rule.principalHeader.toLowerCase() }),
        secretHeader: (rule.secretHeader ?? DEFAULTS.proxySecretHeader).toLowerCase(),
      };
  }
}

/** `scope` goes before the name to make an id that is unique within a tenant. */
export function normaliseLimits(limits: Readonly<Record<string, LimitFile>> | undefined, scope: string): LimitConfig[] {
  return Object.entries(limits ?? {}).map(([name, limit]): LimitConfig => {
    const shared = {
      name,
      id: `${scope}${name}`,
      partition: limit.partition ?? "tenant",
      mode: limit.mode ?? "enforce",
      failMode: limit.failMode ?? "local",
      deadlineMs: optionalMs(limit.deadline, DEFAULTS.limitDeadlineMs),
    } as const;
    if (limit.quota !== undefined && limit.per !== undefined) {
      return {
        ...shared,
        spec: {
          kind: "quota",
          quotaMicro: limit.quota * MICRO_TOKENS_PER_TOKEN,
          period: limit.per,
          timeZone: limit.timeZone ?? "UTC",
        },
        quotaTokens: limit.quota,
        windowSeconds: PERIOD_SECONDS[limit.per],
      };
    }
    const rate = parseRate(limit.rate ?? "");
    if (rate === undefined) throw new TypeError(`limit ${name} was not checked`);
    const burst = limit.burst ?? Math.max(1, Math.ceil(rate.tokensPerSecond));
    return {
      ...shared,
      spec: bucketSpec(rate, burst),
      quotaTokens: burst,
      windowSeconds: Math.max(1, Math.round(burst / rate.tokensPerSecond)),
    };
  });
}

function normaliseOrigin(id: string, origin: OriginFile): OriginConfig {
  const deadlineMs = optionalMs(origin.deadline, DEFAULTS.originDeadlineMs);
  const { breaker } = origin;
  return {
    id,
    url: origin.url.replace(/\/+$/, ""),
    deadlineMs,
    tryTimeoutMs: optionalMs(origin.tryTimeout, deadlineMs),
    retry: {
      attempts: origin.retry?.attempts ?? DEFAULTS.retryAttempts,
      budgetRatio: origin.retry?.budget ?? DEFAULTS.retryBudgetRatio,
    },
    breaker: {
      earlyAgeMs: optionalMs(breaker?.earlyAge, BREAKER_DEFAULTS.earlyAgeMs),
      slowCallMs: optionalMs(breaker?.slowCall, BREAKER_DEFAULTS.slowCallMs),
      tripScore: breaker?.tripScore ?? BREAKER_DEFAULTS.tripScore,
      popTripScore: breaker?.popTripScore ?? BREAKER_DEFAULTS.popTripScore,
      brownOutRatio: breaker?.brownOutRatio ?? BREAKER_DEFAULTS.brownOutRatio,
      outageRatio: breaker?.outageRatio ?? BREAKER_DEFAULTS.outageRatio,
      quorumPops: breaker?.quorumPops ?? BREAKER_DEFAULTS.quorumPops,
      backoffMs: optionalMs(breaker?.backoff, BREAKER_DEFAULTS.backoffMs),
      maxBackoffMs: optionalMs(breaker?.maxBackoff, BREAKER_DEFAULTS.maxBackoffMs),
      flapWindowMs: optionalMs(breaker?.flapWindow, BREAKER_DEFAULTS.flapWindowMs),
      flapMaxBackoffMs: optionalMs(breaker?.flapMaxBackoff, BREAKER_DEFAULTS.flapMaxBackoffMs),
      probes: breaker?.probes ?? BREAKER_DEFAULTS.probes,
      closeAfter: breaker?.closeAfter ?? BREAKER_DEFAULTS.closeAfter,
      rampMs: optionalMs(breaker?.ramp, BREAKER_DEFAULTS.rampMs),
    },
    probePath: breaker?.probePath ?? "/",
    keyAware: origin.keyAware ?? false,
    ...normaliseConcurrency(origin),
    ...(origin.failover === undefined ? {} : { failover: origin.failover }),
  };
}

function normaliseConcurrency({
  concurrency,
  concurrencyPerTenant,
}: OriginFile): Pick<OriginConfig, "concurrency" | "concurrencyPerTenant"> {
  const bounds = typeof concurrency === "number" ? { max: concurrency, min: concurrency } : concurrency;
  return {
    ...(bounds === undefined ? {} : { concurrency: bounds }),
    ...(concurrencyPerTenant === undefined ? {} : { concurrencyPerTenant }),
  };
}

export function normaliseTenant(id: string, tenant: TenantFile): TenantConfig {
  const { plan, limits, concurrency, priority } = tenant;
  return {
    id,
    plan,
    ...(limits === undefined ? {} : { limits: normaliseLimits(limits, "") }),
    ...(priority === undefined ? {} : { priority }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...normaliseAccess(tenant.access),
  };
}

function normaliseAccess(access: AccessFile | undefined): { readonly access?: AccessConfig } {
  if (access === undefined) return {};
  const { deny, allow, exempt } = access;
  return {
    access: {
      ...(deny === undefined ? {} : { deny: deny.map(canonicalEntry) }),
      ...(allow === undefined ? {} : { allow: allow.map(canonicalEntry) }),
      ...(exempt === undefined ? {} : { exempt: exempt.map(canonicalEntry) }),
    },
  };
}

function canonicalEntry(text: string): string {
  const entry = parseAccessEntry(text);
  if (entry.kind === "bad") throw new TypeError(`access entry ${text} was not checked`);
  return entry.text;
}

function normaliseRoute(route: RouteFile, pages: ReadPages): RouteConfig {
  const { match, cache, degraded } = route;
  return {
    id: route.id,
    ...(match.methods === undefined ? {} : { methods: match.methods }),
    ...(match.host === undefined ? {} : { host: match.host }),
    path: match.path,
    origin: route.origin,
    ...(route.deadline === undefined ? {} : { deadlineMs: durationMs(route.deadline) }),
    costMicro: Math.round((route.cost ?? 1) * MICRO_TOKENS_PER_TOKEN),
    ...(route.lateCost === undefined
      ? {}
      : {
          lateCost: {
            header: route.lateCost.header.toLowerCase(),
            mostMicro: route.lateCost.max * MICRO_TOKENS_PER_TOKEN,
          },
        }),
    limits: normaliseLimits(route.limits, `route:${route.id}:`),
    ...(cache === undefined ? {} : { cache: normaliseCache(cache) }),
    charge: route.charge ?? "always",
    ...(degraded === undefined
      ? {}
      : {
          degraded: {
            status: degraded.status ?? DEFAULTS.degradedStatus,
            retryAfterMs: optionalMs(degraded.retryAfter, DEFAULTS.degradedRetryAfterMs),
            pages: pages.forms(degraded.pages),
            ...(degraded.ladder === undefined ? {} : { ladder: degraded.ladder }),
          },
        }),
  };
}

function normaliseCache(cache: NonNullable<RouteFile["cache"]>): NonNullable<RouteConfig["cache"]> {
  return {
    scope: cache.scope ?? "shared",
    forwardHeaders: (cache.forwardHeaders ?? []).map((name) => name.toLowerCase()),
    ...(cache.ttl === undefined ? {} : { freshForMs: durationMs(cache.ttl) }),
    ...(cache.negativeTtl === undefined ? {} : { negativeForMs: durationMs(cache.negativeTtl) }),
    ...(cache.staleWhileRevalidate === undefined
      ? {}
      : { staleWhileRevalidateMs: durationMs(cache.staleWhileRevalidate) }),
    ...(cache.staleIfError === undefined ? {} : { staleIfErrorMs: durationMs(cache.staleIfError) }),
    ...(cache.byContentLanguage === true ? { byContentLanguage: true } : {}),
    ...(cache.storePost === true ? { storePost: true } : {}),
    ...(cache.snapshot === undefined ? {} : { snapshotIntervalMs: durationMs(cache.snapshot) }),
  };
}
