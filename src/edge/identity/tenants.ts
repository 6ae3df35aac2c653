/** Tenants by id, as credentials name them. */
import type { CompiledTenant } from "../../config/tables.ts";
import type { Edge } from "../edge.ts";
import type { Exchange } from "../exchange.ts";
import { refuse } from "../refuse.ts";
import type { FoundTenant } from "../tenant-profiles.ts";

/**
 * Of the config; every kind of credential comes here first. Undefined: the config names no such tenant, or has no such
 * plan, and `findTenant` asks the tenant's coordinator.
 */
export function tenantOf({ tables }: Exchange, tenantId: string, plan?: string): CompiledTenant | undefined {
  return tables.tenant(tenantId, plan);
}

/** Undefined: accepted. A promise only where the tenant had to be asked for. */
export type Refused = Response | undefined | Promise<Response | undefined>;

const UNREACHABLE_RETRY_AFTER_MS = 1_000;

/**
 * A tenant that the config does not name, for a caller whose credential has been verified. `accept` where there is one;
 * `refuseUnknown`, as a forged credential is refused, where there is none.
 */
export function findTenant(
  edge: Edge,
  x: Exchange,
  wanted: { readonly id: string; readonly plan?: string | undefined },
  accept: (tenant: CompiledTenant) => Response | undefined,
  refuseUnknown: () => Response,
): Refused {
  const conclude = (found: FoundTenant): Response | undefined => {
    switch (found.kind) {
      case "found":
        return accept(found.tenant);
      case "unknown":
        return refuseUnknown();
      case "unreachable":
        x.retryAfterMs = UNREACHABLE_RETRY_AFTER_MS;
        return refuse(x, "tenant-unreachable");
    }
  };
  // What the config names is known: then the plan that the credential names is none.
  if (x.tables.tenant(wanted.id) !== undefined) return refuseUnknown();
  const found = edge.profiles.find(wanted.id, wanted.plan, x);
  return found instanceof Promise ? found.then(conclude) : conclude(found);
}
