/** Under which name the response to a request is stored. */
import type { CompiledRoute } from "../../config/tables.ts";
import type { CanonicalUrl } from "../../http/canonical-url.ts";
import { primaryKey } from "../../policy/cache/storing.ts";
import type { Caller } from "../exchange.ts";

export function keyOf(route: CompiledRoute, caller: Caller, { site, path, query }: CanonicalUrl): string {
  const tenantId = route.config.cache?.scope === "tenant" ? ownerOf(caller) : "";
  return primaryKey(route.origin.stateId, site, path, query, tenantId);
}

/** No tenant's id begins with an asterisk, so a tenant that is called "anonymous" shares with no anonymous caller. */
const ownerOf = ({ tenant }: Caller): string => (tenant.anonymous ? "*anonymous" : tenant.id);
