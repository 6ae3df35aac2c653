/** What limits a tenant: each with its place in the config, what holds now, and what is left. Changes nothing. */
import type { LimitConfig } from "../config/model.ts";
import type { CompiledTenant, Tables } from "../config/tables.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { type OverrideRecord, type PartitionStatus, tenantCoordinator } from "../protocol/tenant.ts";
import { tenantParams } from "./contract/common.ts";
import { limitList, type LimitView } from "./contract/limits.ts";
import { inWords } from "./limit-words.ts";
import { tenantOf } from "./lookup.ts";
import { operation } from "./operation.ts";
import { COORDINATOR_DEADLINE_MS } from "./reply.ts";

const listLimits = operation(
  {
    id: "listLimits",
    method: "GET",
    path: "/tenants/{tenant}/limits",
    tag: "Overrides",
    summary: "List what limits a tenant",
    description: "Its own limits and those of all routes: where each stands, what holds now, what is left.",
    params: tenantParams,
    result: limitList,
    refusals: { 404: "There is no such tenant." },
  },
  async (call) => {
    const tenant = await tenantOf(call, call.params.tenant);
    if (tenant instanceof Response) return tenant;
    const name = tenantCoordinator(tenant.id);
    const [{ overrides }, { partitions }] = await Promise.all([
      withDeadline(callCoordinator(call.env, "TENANT", name, "listOverrides", { v: 1 }), COORDINATOR_DEADLINE_MS),
      withDeadline(callCoordinator(call.env, "TENANT", name, "status", { v: 1 }), COORDINATOR_DEADLINE_MS),
    ]);
    const limits = placedLimits(call.tables, tenant).map(({ limit, source }) =>
      viewOf(limit, source, overrides, partitions),
    );
    return { tenant: tenant.id, plan: tenant.plan, limits };
  },
);

export const limitOperations = [listLimits];

interface Placed {
  readonly limit: LimitConfig;
  readonly source: string;
}

function placedLimits({ config }: Tables, tenant: CompiledTenant): readonly Placed[] {
  const own = tenant.limits.map((limit): Placed => ({ limit, source: sourceOf(config, tenant, limit) }));
  const routes = config.routes.flatMap((route, index) =>
    route.limits.map((limit): Placed => ({ limit, source: `routes.${index}.limits.${limit.name}` })),
  );
  return [...own, ...routes];
}

function sourceOf(
  { plans, tenants }: Tables["config"],
  { id, plan }: CompiledTenant,
  { name, spec }: LimitConfig,
): string {
  const inFile = tenants.find((tenant) => tenant.id === id);
  const fromPlan = plans[plan];
  const place = inFile === undefined ? "tenant" : `tenants.${id}`;
  if (spec.kind === "slots") {
    const isPlans = inFile?.concurrency === undefined && fromPlan?.concurrency !== undefined;
    return `${isPlans ? `plans.${plan}` : place}.concurrency`;
  }
  const isOwn =
    inFile === undefined
      ? !(fromPlan?.limits ?? []).some((limit) => limit.name === name)
      : inFile.limits?.some((limit) => limit.name === name) === true;
  return `${isOwn ? place : `plans.${plan}`}.limits.${name}`;
}

function viewOf(
  limit: LimitConfig,
  source: string,
  overrides: readonly OverrideRecord[],
  partitions: readonly PartitionStatus[],
): LimitView {
  const override = overrides.find(({ limitId }) => limitId === limit.id);
  const inUse = partitions.filter(({ partition }) => partition === limit.id || partition.startsWith(`${limit.id}|`));
  return {
    limit: limit.id,
    source,
    configured: inWords(limit.spec),
    inForce: inWords(override?.spec ?? limit.spec),
    override: override === undefined ? null : { reason: override.reason, expiresAtMs: override.expiresAtMs },
    partition: limit.partition,
    mode: limit.mode,
    failMode: limit.failMode,
    partitions: inUse.length,
    leastFreeTokens: inUse.length === 0 ? null : Math.min(...inUse.map(({ freeTokens }) => freeTokens)),
  };
}
