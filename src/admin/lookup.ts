/** What a path names, found in the config that everybody has; or a problem that says what would be valid. */
import type { CompiledOrigin, CompiledRoute, CompiledTenant } from "../config/tables.ts";
import type { CallSite } from "./operation.ts";
import { unknown } from "./reply.ts";

/** The tenants there are are named only to those who may see them all. */
export function tenantOf({ tables, actor }: CallSite, id: string): CompiledTenant | Response {
  const known = actor.tenants ?? tables.config.tenants.map((tenant) => tenant.id);
  return tables.tenant(id) ?? unknown("tenant", id, known);
}

export function originOf({ tables }: CallSite, id: string): CompiledOrigin | Response {
  const known = tables.origins.map((origin) => origin.id);
  return tables.origin(id) ?? unknown("origin", id, known);
}

export function routeOf({ tables }: CallSite, id: string): CompiledRoute | Response {
  const known = tables.routes.map((route) => route.id);
  return tables.routes.find((route) => route.id === id) ?? unknown("route", id, known);
}
