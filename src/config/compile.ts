/**
 * The normalised config → tables for the hot path. Routes are indexed by their first literal segment, so that a request
 * looks only at routes that can match; among those the first in the file's order wins. No regular expressions.
 */
import { LADDER_RUNGS, type LadderRung } from "../policy/degradation/ladder.ts";
import { compileBulkhead } from "./bulkhead.ts";
import { slotLimit } from "./slot-limit.ts";
import { accessCompiler, type CompiledAccess } from "./access.ts";
import { compileIdentity } from "./identity.ts";
import type {
  LimitConfig,
  Config,
  OriginConfig,
  PageForms,
  PagesConfig,
  PageTemplate,
  PlanConfig,
  RouteConfig,
  TenantConfig,
} from "./model.ts";
import { onTrial } from "../policy/rollout/rollout.ts";
import { PAGE_MEDIA_TYPES } from "./pages/vocabulary.ts";
import type { CompiledOrigin, CompiledPages, CompiledRoute, CompiledTenant, PageSet, Tables } from "./tables.ts";

/**
 * `beside`: the tables of everybody, where these are on trial; an origin that the trial changes keeps a state of its own,
 * so that what goes wrong with it trips and fills nothing for the others.
 */
export function compileTables(config: Config, beside?: Tables): Tables {
  const origins = new Map(
    config.origins.map((origin) => [origin.id, compileOrigin(origin, beside?.origin(origin.id))]),
  );
  const accessOf = accessCompiler(config.access);
  const compileKnown = tenantCompiler(config.plans, accessOf);
  const onPlan = new Map(Object.keys(config.plans).map((plan) => [plan, compileKnown({ id: "", plan })]));
  const anonymous = new Map(
    Object.entries(config.plans).map(([plan, content]) => {
      return [plan, compileAnonymous(plan, content, accessOf(content.access, undefined))];
    }),
  );
  const routes = config.routes.map((route) => compileRoute(route, origins, config.pages));
  const byFirstSegment = indexRoutes(routes);
  const elsewhere = routes.filter((candidate) => firstLiteral(candidate) === undefined);
  return {
    config,
    configVersion: config.configVersion,
    identity: compileIdentity(config.identity),
    rateLimitFields: config.rateLimitFields,
    pages: compilePages(config.pages),
    tenant: tenantFinder(config.tenants, compileKnown),
    compileTenant: compileKnown,
    tenantOn: (plan, id) => {
      const tenant = onPlan.get(plan);
      return tenant === undefined ? undefined : { ...tenant, id };
    },
    anonymous: (plan) => anonymous.get(plan),
    matchRoute: (method, host, path) => {
      const candidates = byFirstSegment.get(firstSegment(path)) ?? elsewhere;
      for (const candidate of candidates) {
        if (matchesMethod(candidate.route, method) && matchesPlace(candidate, host, path)) return candidate.route;
      }
      return undefined;
    },
    allowedMethods: (host, path) => {
      const candidates = byFirstSegment.get(firstSegment(path)) ?? elsewhere;
      return candidates.flatMap((candidate) =>
        matchesPlace(candidate, host, path) ? (candidate.route.config.methods ?? []) : [],
      );
    },
    routes: routes.map((candidate) => candidate.route),
    origin: (id) => origins.get(id),
    origins: [...origins.values()],
  };
}

interface Candidate {
  readonly route: CompiledRoute;
  readonly segments: readonly string[];
  /** A trailing `*`: any rest, also an empty one. */
  readonly open: boolean;
  readonly host: string | undefined;
  readonly hostSuffix: string | undefined;
}

function compileRoute(
  config: RouteConfig,
  origins: ReadonlyMap<string, CompiledOrigin>,
  pages: PagesConfig,
): Candidate {
  const origin = origins.get(config.origin);
  if (origin === undefined) throw new TypeError(`route ${config.id}: unknown origin ${config.origin}`);
  const segments = config.path.slice(1).split("/");
  const open = segments.at(-1) === "*";
  const wildcardHost = config.host?.startsWith("*.") ?? false;
  const failover = origin.config.failover === undefined ? undefined : origins.get(origin.config.failover);
  return {
    route: {
      config,
      id: config.id,
      origin,
      failover,
      costMicro: config.costMicro,
      lateCost: config.lateCost,
      limits: active(config.limits),
      deadlineMs: config.deadlineMs ?? origin.config.deadlineMs,
      pages: config.degraded === undefined ? undefined : compilePageSet(config.degraded.pages, pages),
      ladder: compileLadder(config, failover !== undefined),
    },
    segments: open ? segments.slice(0, -1) : segments,
    open,
    host: wildcardHost ? undefined : config.host,
    hostSuffix: wildcardHost ? config.host?.slice(1) : undefined,
  };
}

function compileLadder({ degraded, cache }: RouteConfig, hasFailover: boolean): readonly LadderRung[] {
  const has: Readonly<Record<LadderRung, boolean>> = {
    stale: cache !== undefined,
    snapshot: cache?.snapshotIntervalMs !== undefined,
    failover: hasFailover,
    page: degraded !== undefined,
  };
  return (degraded?.ladder ?? LADDER_RUNGS).filter((rung) => has[rung]);
}

function compilePages(pages: PagesConfig): CompiledPages {
  const byKind = new Map<string, PageSet>();
  for (const [kind, forms] of Object.entries(pages.byKind)) {
    const set = compilePageSet(forms, pages);
    if (set !== undefined) byKind.set(kind, set);
  }
  return { languages: pages.languages, byKind };
}

function compilePageSet(forms: PageForms, { templates }: PagesConfig): PageSet | undefined {
  const set = new Map<string, ReadonlyMap<string, PageTemplate>>();
  for (const mediaType of PAGE_MEDIA_TYPES) {
    const byLanguage = new Map<string, PageTemplate>();
    for (const [language, path] of Object.entries(forms[mediaType] ?? {})) {
      const template = templates[path];
      if (template !== undefined) byLanguage.set(language, template);
    }
    if (byLanguage.size > 0) set.set(mediaType, byLanguage);
  }
  return set.size === 0 ? undefined : set;
}

function compileOrigin(config: OriginConfig, everybodys: CompiledOrigin | undefined): CompiledOrigin {
  if (everybodys !== undefined && JSON.stringify(everybodys.config) === JSON.stringify(config)) return everybodys;
  const url = new URL(config.url);
  return {
    config,
    id: config.id,
    stateId: everybodys === undefined ? config.id : onTrial(config.id),
    base: url.origin,
    pathPrefix: url.pathname === "/" ? "" : url.pathname,
    bulkhead: compileBulkhead(config),
  };
}

type TenantCompiler = Tables["compileTenant"];

function tenantCompiler(plans: Config["plans"], accessOf: ReturnType<typeof accessCompiler>): TenantCompiler {
  return (tenant, planName = tenant.plan) => {
    const plan = Object.hasOwn(plans, planName) ? plans[planName] : undefined;
    if (plan === undefined) return undefined;
    const scope = planName === tenant.plan ? "" : `plan:${planName}:`;
    const access = accessOf(plan.access, tenant.access);
    return compileTenant(tenant.id, false, planName, inPlan(tenant, plan, scope), access);
  };
}

/** Tenants that were put on another plan than theirs are remembered up to this many; then all are put anew. */
const MAX_ON_OTHER_PLANS = 20_000;

/** Tenants are compiled when they first call. */
function tenantFinder(tenants: readonly TenantConfig[], compile: TenantCompiler): Tables["tenant"] {
  const configs = new Map(tenants.map((tenant) => [tenant.id, tenant]));
  const usual = new Map<string, CompiledTenant>();
  let others = new Map<string, Map<string, CompiledTenant>>();
  let otherCount = 0;
  const learn = (id: string, planName: string | undefined): CompiledTenant | undefined => {
    const config = configs.get(id);
    const compiled = config === undefined ? undefined : compile(config, planName);
    if (compiled === undefined) return undefined;
    if (planName === undefined) {
      usual.set(id, compiled);
      return compiled;
    }
    if (otherCount++ >= MAX_ON_OTHER_PLANS) {
      others = new Map();
      otherCount = 0;
    }
    others.set(planName, (others.get(planName) ?? new Map<string, CompiledTenant>()).set(id, compiled));
    return compiled;
  };
  return (id, planName) => {
    const known = usual.get(id) ?? learn(id, undefined);
    if (known === undefined || planName === undefined || planName === known.plan) return known;
    return others.get(planName)?.get(id) ?? learn(id, planName);
  };
}

/** The limits of a tenant, its concurrency among them. */
type Terms = Pick<PlanConfig, "limits" | "priority">;

/**
 * `scope` goes before the ids of what comes from the plan: "" for the tenant's own. Another plan's limits are partitions
 * of their own, because one partition cannot have two sizes at once; what is the tenant's own is the same on every plan.
 */
function inPlan(tenant: TenantConfig, plan: PlanConfig, scope: string): Terms {
  const own = tenant.limits ?? [];
  const scoped = (limits: readonly LimitConfig[]): readonly LimitConfig[] =>
    scope === "" ? limits : limits.map((limit) => ({ ...limit, id: scope + limit.id }));
  return {
    limits: [
      ...scoped(plan.limits.filter(({ name }) => !own.some((limit) => limit.name === name))),
      ...own,
      ...(tenant.concurrency === undefined
        ? scoped(concurrencyLimit(plan.concurrency))
        : concurrencyLimit(tenant.concurrency)),
    ],
    priority: tenant.priority ?? plan.priority,
  };
}

/** Anonymous callers are told apart by their address, so all their limits are per principal. */
function compileAnonymous(name: string, plan: PlanConfig, access: CompiledAccess | undefined): CompiledTenant {
  const limits = [...plan.limits, ...concurrencyLimit(plan.concurrency)];
  const perCaller = limits.map((limit): LimitConfig => ({ ...limit, partition: "principal" }));
  return compileTenant("anonymous", true, name, { limits: perCaller, priority: plan.priority }, access);
}

function compileTenant(
  id: string,
  anonymous: boolean,
  plan: string,
  terms: Terms,
  access: CompiledAccess | undefined,
): CompiledTenant {
  const limits = active(terms.limits);
  return {
    id,
    anonymous,
    plan,
    priority: terms.priority,
    access,
    limits,
    slotLimits: limits.filter(({ spec }) => spec.kind === "slots"),
  };
}

/** The name of the limit that a tenant's `concurrency` is; no other limit may have it. */
export const CONCURRENCY = "concurrency";

function concurrencyLimit(slots: number | undefined): LimitConfig[] {
  return slots === undefined ? [] : [slotLimit(CONCURRENCY, slots)];
}

const active = (limits: readonly LimitConfig[]): readonly LimitConfig[] =>
  limits.filter((limit) => limit.mode !== "off");

function firstLiteral(candidate: Candidate): string | undefined {
  const [first] = candidate.segments;
  return first === undefined || first.startsWith(":") ? undefined : first;
}

function indexRoutes(candidates: readonly Candidate[]): Map<string, Candidate[]> {
  const index = new Map<string, Candidate[]>();
  for (const literal of new Set(candidates.map(firstLiteral))) {
    if (literal === undefined) continue;
    index.set(
      literal,
      candidates.filter((candidate) => [literal, undefined].includes(firstLiteral(candidate))),
    );
  }
  return index;
}

function firstSegment(path: string): string {
  const end = path.indexOf("/", 1);
  return end === -1 ? path.slice(1) : path.slice(1, end);
}

function matchesMethod(route: CompiledRoute, method: string): boolean {
  const { methods } = route.config;
  return methods === undefined || methods.includes(method);
}

function matchesPlace(candidate: Candidate, host: string, path: string): boolean {
  if (candidate.host !== undefined && candidate.host !== host) return false;
  if (candidate.hostSuffix !== undefined && !host.endsWith(candidate.hostSuffix)) return false;
  return matchesPath(candidate, path);
}

/** Walks the path once, segment by segment, without splitting it. */
function matchesPath({ segments, open }: Candidate, path: string): boolean {
  let at = 1;
  for (const [index, segment] of segments.entries()) {
    if (at > path.length) return false;
    const slash = path.indexOf("/", at);
    const end = slash === -1 ? path.length : slash;
    if (segment.startsWith(":")) {
      if (end === at) return false;
    } else if (end - at !== segment.length || !path.startsWith(segment, at)) return false;
    if (slash === -1) return index === segments.length - 1 && !open;
    at = slash + 1;
  }
  return open;
}
