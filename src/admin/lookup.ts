/** What a path names, found in the config that everybody has; or a problem that says what would be valid. */
import type { CompiledOrigin, CompiledRoute, CompiledTenant } from "../config/tables.ts";
import type { FoundTenant } from "../edge/tenant-profiles.ts";
import { isTenantId } from "../protocol/tenant.ts";
import type { CallSite } from "./operation.ts";
import { problem, unknown } from "./reply.ts";

/** Of the config, or made through the API. The tenants there are are named only to those who may see them all. */
export async function tenantOf(call: CallSite, id: string): Promise<CompiledTenant | Response> {
  const { tables, actor, edge, env, waitUntil } = call;
  const inFile = tables.tenant(id);
  if (inFile !== undefined) return inFile;
  // Asked for, so that a tenant made a moment ago is there.
  const found: FoundTenant = isTenantId(id)
    ? await edge.profiles.ask(id, undefined, { env, tables, waitUntil })
    : { kind: "unknown" };
  switch (found.kind) {
    case "found":
      return found.tenant;
    case "unknown":
      return unknown("tenant", id, actor.tenants ?? tables.config.tenants.map((tenant) => tenant.id));
    case "unreachable":
      return problem(503, `Nothing is known of tenant "${id.slice(0, 64)}" now: its coordinator does not answer`);
  }
}

export function originOf({ tables }: CallSite, id: string): CompiledOrigin | Response {
  const known = tables.origins.map((origin) => origin.id);
  return tables.origin(id) ?? unknown("origin", id, known);
}

export function routeOf({ tables }: CallSite, id: string): CompiledRoute | Response {
  const known = tables.routes.map((route) => route.id);
  return tables.routes.find((route) => route.id === id) ?? unknown("route", id, known);
}
