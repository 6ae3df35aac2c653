/** Overrides: one limit of one tenant, raised or lowered for a while, without a deploy. It ends by itself. */
import type { LimitConfig } from "../config/model.ts";
import type { CompiledTenant, Tables } from "../config/tables.ts";
import { bucketSpec, isExact, parseRate } from "../config/units.ts";
import { type LimitSpec, MICRO_TOKENS_PER_TOKEN, SLOT_MICRO, type TokenBucketSpec } from "../policy/limits/types.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { type OverrideRecord, tenantCoordinator } from "../protocol/tenant.ts";
import { tenantParams } from "./contract/common.ts";
import {
  type OverrideBody,
  overrideBody,
  overrideList,
  overrideParams,
  type OverrideView,
  overrideView,
  removedOverride,
} from "./contract/overrides.ts";
import { inWords } from "./limit-words.ts";
import { tenantOf } from "./lookup.ts";
import { operation } from "./operation.ts";
import { COORDINATOR_DEADLINE_MS, problem, unknown } from "./reply.ts";

const TAG = "Overrides";
const KEEPS = ["tenant", "limit", "inForce", "reason", "setAtMs", "expiresAtMs"];

const listOverrides = operation(
  {
    id: "listOverrides",
    method: "GET",
    path: "/tenants/{tenant}/overrides",
    tag: TAG,
    summary: "List a tenant's overrides",
    params: tenantParams,
    result: overrideList,
    refusals: { 404: "There is no such tenant." },
  },
  async (call) => {
    const tenant = await tenantOf(call, call.params.tenant);
    if (tenant instanceof Response) return tenant;
    return { overrides: (await readOverrides(call.env, tenant)).map((override) => viewOf(tenant.id, override)) };
  },
);

const setOverride = operation(
  {
    id: "setOverride",
    method: "PUT",
    path: "/tenants/{tenant}/overrides/{limit}",
    tag: TAG,
    summary: "Override a limit for a while",
    description: "It ends by itself, and holds for active traffic within seconds.",
    params: overrideParams,
    body: overrideBody,
    example: { rate: "500/s", burst: 1_000, forMs: 3_600_000, reason: "a campaign until noon" },
    result: overrideView,
    refusals: { 404: "There is no such tenant, or it has no such limit." },
    keeps: KEEPS,
  },
  async (call) => {
    const { env, params, body } = call;
    const tenant = await tenantOf(call, params.tenant);
    if (tenant instanceof Response) return tenant;
    const limits = limitsOf(call.tables, tenant);
    const limit = limits.get(params.limit);
    if (limit === undefined) return unknown(`limit of "${tenant.id}"`, params.limit, [...limits.keys()]);
    const spec = overrideSpec(limit, body);
    if ("problem" in spec) return problem(400, spec.problem);
    call.before(await readOverride(env, tenant, params.limit));
    const request = { v: 1 as const, limitId: params.limit, spec, forMs: body.forMs, reason: body.reason };
    const asked = callCoordinator(env, "TENANT", tenantCoordinator(tenant.id), "setOverride", request);
    return viewOf(tenant.id, await withDeadline(asked, COORDINATOR_DEADLINE_MS));
  },
);

const removeOverride = operation(
  {
    id: "removeOverride",
    method: "DELETE",
    path: "/tenants/{tenant}/overrides/{limit}",
    tag: TAG,
    summary: "End an override before its time",
    params: overrideParams,
    result: removedOverride,
    refusals: { 404: "There is no such tenant, or no such override." },
    keeps: KEEPS,
  },
  async (call) => {
    const { env, params } = call;
    const tenant = await tenantOf(call, params.tenant);
    if (tenant instanceof Response) return tenant;
    call.before(await readOverride(env, tenant, params.limit));
    const request = { v: 1 as const, limitId: params.limit };
    const asked = callCoordinator(env, "TENANT", tenantCoordinator(tenant.id), "removeOverride", request);
    const removed = await withDeadline(asked, COORDINATOR_DEADLINE_MS);
    if (!removed) return problem(404, `Tenant "${tenant.id}" has no override of "${params.limit}"`);
    return { tenant: tenant.id, limit: params.limit };
  },
);

export const overrideOperations = [listOverrides, setOverride, removeOverride];

async function readOverrides(env: Env, tenant: CompiledTenant): Promise<readonly OverrideRecord[]> {
  const asked = callCoordinator(env, "TENANT", tenantCoordinator(tenant.id), "listOverrides", { v: 1 });
  return (await withDeadline(asked, COORDINATOR_DEADLINE_MS)).overrides;
}

async function readOverride(env: Env, tenant: CompiledTenant, limitId: string): Promise<OverrideView | null> {
  const found = (await readOverrides(env, tenant)).find((override) => override.limitId === limitId);
  return found === undefined ? null : viewOf(tenant.id, found);
}

/** What may be overridden: the tenant's own limits, its concurrency, and those of all routes. */
function limitsOf(tables: Tables, tenant: CompiledTenant): ReadonlyMap<string, LimitConfig> {
  const all = [...tenant.limits, ...tables.config.routes.flatMap((route) => route.limits)];
  return new Map(all.map((limit) => [limit.id, limit]));
}

/** The spec that the body asks for, or what is wrong with it. */
function overrideSpec({ id, spec }: LimitConfig, body: OverrideBody): LimitSpec | { readonly problem: string } {
  const given = (["rate", "burst", "quota", "slots"] as const).filter((key) => body[key] !== undefined);
  const valid = { bucket: ["rate", "burst"], quota: ["quota"], slots: ["slots"] }[spec.kind];
  if (given.length === 0 || given.some((key) => !valid.includes(key))) {
    const found = given.length === 0 ? "nothing" : given.join(", ");
    return { problem: `"${id}" is a ${KIND[spec.kind]}: give ${valid.join(" or ")}, found ${found}` };
  }
  switch (spec.kind) {
    case "bucket":
      return overrideBucket(spec, body);
    case "quota":
      return { ...spec, quotaMicro: (body.quota ?? 0) * MICRO_TOKENS_PER_TOKEN };
    case "slots":
      return { kind: "slots", slotsMicro: (body.slots ?? 0) * SLOT_MICRO };
  }
}

const KIND = { bucket: "token bucket", quota: "quota", slots: "cap on concurrent requests" } as const;

function overrideBucket(spec: TokenBucketSpec, body: OverrideBody): LimitSpec | { readonly problem: string } {
  const burst = body.burst ?? spec.burstMicro / MICRO_TOKENS_PER_TOKEN;
  if (body.rate === undefined) return { ...spec, burstMicro: burst * MICRO_TOKENS_PER_TOKEN };
  const rate = parseRate(body.rate);
  if (rate === undefined) return { problem: "rate must be above zero" };
  if (!isExact(rate, burst)) {
    return { problem: "burst is too large for a rate of this precision: use fewer decimals or a smaller burst" };
  }
  return bucketSpec(rate, burst);
}

function viewOf(tenant: string, { limitId, spec, ...rest }: OverrideRecord): OverrideView {
  return { tenant, limit: limitId, inForce: inWords(spec), ...rest };
}
