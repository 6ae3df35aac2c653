/** Under which name the response to a request is stored. */
import type { CompiledRoute } from "../../config/tables.ts";
import type { CanonicalUrl } from "../../http/canonical-url.ts";
import { primaryKey } from "../../policy/cache/storing.ts";
import type { Caller } from "../exchange.ts";

export function keyOf(route: CompiledRoute, caller: Caller, { host, path, query }: CanonicalUrl): string {
  const tenantId = route.config.cache?.scope === "tenant" ? caller.tenant.id : "";
  return primaryKey(route.origin.stateId, host, path, query, tenantId);
}
