/**
 * The normalised config → tables for the hot path. Routes are indexed by their first literal segment, so that a request
 * looks only at routes that can match; among those the first in the file's order wins. No regular expressions.
 */
import { LADDER_RUNGS, type LadderRung } from "../policy/degradation/ladder.ts";
import { compileBulkhead } from "./bulkhead.ts";
import { slotLimit } from "./slot-limit.ts";
import { accessCompiler, type CompiledAccess } from "./access.ts";
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
  const tenantConfigs = new Map(config.tenants.map((tenant) => [tenant.id, tenant]));
  const tenants = new Map<string, CompiledTenant>();
  const compileKnown = (tenant: TenantConfig): CompiledTenant | undefined => {
    const plan = Object.hasOwn(config.plans, tenant.plan) ? config.plans[tenant.plan] : undefined;
    if (plan === undefined) return undefined;
    return compileTenant(tenant.id, false, inPlan(tenant, plan), accessOf(plan.access, tenant.access));
  };
  const tenantOf = (id: string): CompiledTenant | undefined => {
    const known = tenants.get(id);
    const tenant = known === undefined ? tenantConfigs.get(id) : undefined;
    const compiled = tenant === undefined ? known : compileKnown(tenant);
    if (tenant !== undefined && compiled !== undefined) tenants.set(id, compiled);
    return compiled;
  };
  const onPlan = new Map(
    Object.entries(config.plans).map(([plan, content]) => {
      return [plan, compileTenant("", false, content, accessOf(content.access, undefined))];
    }),
  );
  const anonymous = new Map(
    Object.entries(config.plans).map(([plan, content]) => {
      return [plan, compileTenant("anonymous", true, content, accessOf(content.access, undefined))];
    }),
  );
  const routes = config.routes.map((route) => compileRoute(route, origins, config.pages));
  const byFirstSegment = indexRoutes(routes);
  const elsewhere = routes.filter((candidate) => firstLiteral(candidate) === undefined);
  return {
    config,
    configVersion: config.configVersion,
    identity: config.identity,
    rateLimitFields: config.rateLimitFields,
    pages: compilePages(config.pages),
    tenant: tenantOf,
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

function inPlan(tenant: TenantConfig, plan: PlanConfig): PlanConfig {
  const own = tenant.limits ?? [];
  const concurrency = tenant.concurrency ?? plan.concurrency;
  return {
    limits: [...plan.limits.filter(({ name }) => !own.some((limit) => limit.name === name)), ...own],
    priority: tenant.priority ?? plan.priority,
    ...(concurrency === undefined ? {} : { concurrency }),
  };
}

/** Anonymous callers are told apart by their address, so all their limits are per principal. */
function compileTenant(
  id: string,
  anonymous: boolean,
  plan: PlanConfig,
  access: CompiledAccess | undefined,
): CompiledTenant {
  const limits = [...active(plan.limits), ...concurrencyLimit(plan.concurrency)].map((limit): LimitConfig =>
    anonymous ? { ...limit, partition: "principal" } : limit,
  );
  return {
    id,
    anonymous,
    priority: plan.priority,
    access,
    limits,
    slotLimits: limits.filter(({ spec }) => spec.kind === "slots"),
  };
}

/** The name of the limit that a tenant's `concurrency` is; no other limit may have it. */
export const CONCURRENCY = "concurrency";

export function concurrencyLimit(slots: number | undefined): LimitConfig[] {
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
