/** Tenants by id, as credentials name them. */
import type { CompiledTenant } from "../../config/tables.ts";
import type { Exchange } from "../exchange.ts";

/**
 * The one place that asks for a tenant by its id while a request is on its way; every kind of credential comes here.
 * Undefined: there is no such tenant, or no such plan, and the caller is refused like one with a forged credential.
 */
export function tenantOf({ tables }: Exchange, tenantId: string, plan?: string): CompiledTenant | undefined {
  return tables.tenant(tenantId, plan);
}
