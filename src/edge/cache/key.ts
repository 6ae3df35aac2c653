/** Under which name the response to a request is stored, and which other names an answer speaks of. */
import type { CompiledRoute } from "../../config/tables.ts";
import { type CanonicalUrl, canonicalUrl } from "../../http/canonical-url.ts";
import { primaryKey } from "../../policy/cache/storing.ts";
import type { Caller } from "../exchange.ts";

export function keyOf(route: CompiledRoute, caller: Caller, { site, path, query }: CanonicalUrl): string {
  const tenantId = route.config.cache?.scope === "tenant" ? ownerOf(caller) : "";
  return primaryKey(route.origin.stateId, site, path, query, tenantId);
}

/** No tenant's id begins with an asterisk, so a tenant that is called "anonymous" shares with no anonymous caller. */
const ownerOf = ({ tenant }: Caller): string => (tenant.anonymous ? "*anonymous" : tenant.id);

/** What a field of an answer refers to; undefined: another host. */
export function resolveOnHost(reference: string, base: string): CanonicalUrl | undefined {
  const absolute = URL.parse(reference, base);
  if (absolute === null || absolute.host !== new URL(base).host) return undefined;
  const canonical = canonicalUrl(absolute.href);
  return canonical.ok ? canonical.url : undefined;
}
