/** What is going on: remaining tokens by tenant, the breakers' states. Asks each coordinator, under a deadline. */
import type { CompiledTenant, Tables } from "../config/tables.ts";
import { originObjectName } from "../protocol/origin.ts";
import { tenantCoordinator } from "../protocol/tenant.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import {
  type BreakerStatus,
  type FailModeStatus,
  statusQuery,
  statusReply,
  type StatusReply,
  type TenantStatus,
} from "./contract/status.ts";
import { tenantOf } from "./lookup.ts";
import { readTotals } from "./metrics-objects.ts";
import { operation } from "./operation.ts";
import { COORDINATOR_DEADLINE_MS } from "./reply.ts";

/** Tenants shown when none is named: each costs a call. */
const MAX_TENANTS_SHOWN = 100;

const getStatus = operation(
  {
    id: "readStatus",
    method: "GET",
    path: "/status",
    tag: "Status",
    summary: "Read what is going on",
    description: "Remaining tokens by tenant, and the breakers' states. What does not answer is shown as such.",
    query: statusQuery,
    result: statusReply,
    refusals: { 404: "There is no such tenant." },
  },
  async (call) => {
    const only = call.query.tenant;
    const tenant = only === undefined ? undefined : await tenantOf(call, only);
    return tenant instanceof Response ? tenant : readStatus(call.env, call.tables, tenant);
  },
);

export const statusOperations = [getStatus];

/** Of one tenant, or of the first of the config's. */
async function readStatus(env: Env, tables: Tables, only: CompiledTenant | undefined): Promise<StatusReply> {
  const { tenants } = tables.config;
  const shown = only === undefined ? tenants.slice(0, MAX_TENANTS_SHOWN) : [only];
  const [tenantStatuses, origins, failModes] = await Promise.all([
    Promise.all(shown.map((tenant) => tenantStatus(env, tenant.id, tenant.plan))),
    Promise.all(tables.origins.map((origin) => breakerStatus(env, origin.id))),
    failModeStatus(env, only?.id),
  ]);
  return {
    configVersion: tables.configVersion,
    configHash: tables.config.hash,
    tenants: tenantStatuses,
    truncated: only === undefined && tenants.length > shown.length,
    origins,
    failModes,
  };
}

const FAILED_SERIES = /^weir_limit_failed_total\{tenant="([^"]*)",mode="([^"]*)"\}$/;

async function failModeStatus(env: Env, only: string | undefined): Promise<readonly FailModeStatus[] | null> {
  try {
    const { series } = await readTotals(env);
    return Object.entries(series).flatMap(([name, requests]) => {
      const [, tenant, mode] = FAILED_SERIES.exec(name) ?? [];
      if (tenant === undefined || mode === undefined || (only !== undefined && tenant !== only)) return [];
      return [{ tenant, mode, requests }];
    });
  } catch {
    return null;
  }
}

async function tenantStatus(env: Env, tenant: string, plan: string): Promise<TenantStatus> {
  try {
    const call = callCoordinator(env, "TENANT", tenantCoordinator(tenant), "status", { v: 1 });
    const { partitions, leaseCalls } = await withDeadline(call, COORDINATOR_DEADLINE_MS);
    return { tenant, plan, limits: partitions, leaseCalls };
  } catch {
    // Shown as "out of reach"; the others are still worth seeing.
    return { tenant, plan, limits: null, leaseCalls: 0 };
  }
}

async function breakerStatus(env: Env, origin: string): Promise<BreakerStatus> {
  try {
    const call = callCoordinator(env, "ORIGIN", originObjectName(origin), "status", { v: 1 });
    const { view, forced, score, outstandingProbes, history } = await withDeadline(call, COORDINATOR_DEADLINE_MS);
    return {
      origin,
      state: view?.state ?? "closed",
      score,
      epoch: view?.epoch ?? 0,
      outstandingProbes,
      forced: forced ?? null,
      lastTransition: history.at(-1) ?? null,
    };
  } catch {
    return {
      origin,
      state: "unreachable",
      score: 0,
      epoch: 0,
      outstandingProbes: 0,
      forced: null,
      lastTransition: null,
    };
  }
}
