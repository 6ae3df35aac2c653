/** Where in the config file something is said. */
import { parseAddress } from "../../config/access-entry.ts";
import { compileAccessList, isOnList } from "../../config/access.ts";
import type { AccessConfig, LimitConfig, TenantConfig } from "../../config/model.ts";
import type { CompiledRoute, CompiledTenant, Tables } from "../../config/tables.ts";

/** Said nowhere: how Weir is. */
export const DEFAULT = "default";

export const routePath = ({ config }: Tables, { id }: CompiledRoute): string =>
  `routes[${config.routes.findIndex((route) => route.id === id)}]`;

const tenantInFile = ({ config }: Tables, { id }: CompiledTenant): TenantConfig | undefined =>
  config.tenants.find((tenant) => tenant.id === id);

/** A tenant that the file does not name was made through the API. */
export function tenantPath(tables: Tables, tenant: CompiledTenant): string {
  if (tenant.anonymous) return `plans.${tenant.plan}`;
  return tenantInFile(tables, tenant) === undefined ? `tenant ${tenant.id}, of the API` : `tenants.${tenant.id}`;
}

export function limitPath(
  tables: Tables,
  tenant: CompiledTenant,
  route: CompiledRoute | undefined,
  limit: LimitConfig,
): string {
  if (route?.limits.includes(limit) === true) return `${routePath(tables, route)}.limits.${limit.name}`;
  const own = tenantInFile(tables, tenant);
  const planLimits = tables.config.plans[tenant.plan]?.limits ?? [];
  if (limit.spec.kind === "slots") {
    return own?.concurrency === undefined
      ? `plans.${tenant.plan}.concurrency`
      : `${tenantPath(tables, tenant)}.concurrency`;
  }
  const ofPlan = planLimits.includes(limit) && own?.limits?.some(({ id }) => id === limit.id) !== true;
  return `${ofPlan ? `plans.${tenant.plan}` : tenantPath(tables, tenant)}.limits.${limit.name}`;
}

/** Of the list that decided. */
export function accessPath(
  tables: Tables,
  tenant: CompiledTenant,
  list: keyof AccessConfig,
  caller: { readonly clientIp: string; readonly keyId: string | undefined },
): string {
  const own = tenantInFile(tables, tenant)?.access?.[list];
  const { access: everybody, plans } = tables.config;
  const address = parseAddress(caller.clientIp);
  const decides = (texts: readonly string[] | undefined): boolean =>
    texts !== undefined &&
    texts.length > 0 &&
    isOnList(compileAccessList(texts), address, caller.keyId) === (list !== "allow");
  if (decides(everybody?.[list])) return `access.${list}`;
  if (own !== undefined) return `${tenantPath(tables, tenant)}.access.${list}`;
  return plans[tenant.plan]?.access?.[list] === undefined ? DEFAULT : `plans.${tenant.plan}.access.${list}`;
}
