/** The limits in force as sizing takes them: from the config's text, and from what tenants made through the API have. */
import type { ConfigFile } from "../../src/config/schema.ts";
import { parseRate } from "../../src/config/units.ts";
import type { InForce, OriginInForce, Place, SlotsInForce, TenantInForce } from "../../src/policy/sizing/types.ts";

type PlanFile = ConfigFile["plans"][string];
type Limits = NonNullable<PlanFile["limits"]>;
/** A tenant that is not in the file, as the API tells it. */
export interface ApiTenant {
  readonly tenant: string;
  readonly plan: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

const ANONYMOUS = "anonymous";

export function inForceOf(file: ConfigFile, apiTenants: readonly ApiTenant[]): InForce {
  const ofFile = Object.entries(file.tenants ?? {}).map(([id, own]): TenantInForce => ({
    tenant: id,
    plan: own.plan,
    byApi: false,
    anonymous: false,
    ...limitsOf(file.plans[own.plan], ["plans", own.plan], own, ["tenants", id]),
  }));
  const ofApi = apiTenants.map(({ tenant, plan, settings }): TenantInForce => {
    // The API checked it by the same schema when it was set.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
    const own = settings as Pick<PlanFile, "limits" | "concurrency">;
    const limits = limitsOf(file.plans[plan], ["plans", plan], own, undefined);
    return { tenant, plan, byApi: true, anonymous: false, ...limits };
  });
  const anonymous = file.identity.some(({ type }) => type === "anonymous");
  const byAddress: TenantInForce = { tenant: ANONYMOUS, plan: "", byApi: false, anonymous: true, buckets: [] };
  const isTaken = [...ofFile, ...ofApi].some(({ tenant }) => tenant === ANONYMOUS);
  return {
    tenants: [...ofFile, ...ofApi, ...(anonymous && !isTaken ? [byAddress] : [])],
    origins: Object.entries(file.origins).map(([id, { concurrency, concurrencyPerTenant }]): OriginInForce => ({
      origin: id,
      ...(concurrency === undefined ? {} : { concurrency: originSlots(id, concurrency) }),
      ...(concurrencyPerTenant === undefined
        ? {}
        : { perTenant: { place: ["origins", id, "concurrencyPerTenant"], slots: concurrencyPerTenant } }),
    })),
  };
}

function originSlots(id: string, concurrency: number | { readonly max: number }): SlotsInForce {
  return typeof concurrency === "number"
    ? { place: ["origins", id, "concurrency"], slots: concurrency }
    : { place: ["origins", id, "concurrency", "max"], slots: concurrency.max };
}

/** `ownPlace` undefined: what is its own stands in no file, and is not sized. */
function limitsOf(
  plan: PlanFile | undefined,
  planPlace: Place,
  own: Pick<PlanFile, "limits" | "concurrency">,
  ownPlace: Place | undefined,
): Pick<TenantInForce, "buckets" | "concurrency"> {
  const replaced = own.limits ?? {};
  const inherited = Object.entries(plan?.limits ?? {}).filter(([name]) => !Object.hasOwn(replaced, name));
  const buckets = [
    ...bucketsOf(inherited, planPlace),
    ...(ownPlace === undefined ? [] : bucketsOf(Object.entries(replaced), ownPlace)),
  ];
  const place = own.concurrency === undefined ? planPlace : ownPlace;
  const slots = own.concurrency ?? plan?.concurrency;
  return slots === undefined || place === undefined
    ? { buckets }
    : { buckets, concurrency: { place: [...place, "concurrency"], slots } };
}

/** Quotas are budgets, not sizes; what counts callers one by one is not recorded; what is in shadow throttles nobody. */
function bucketsOf(limits: readonly (readonly [string, Limits[string]])[], place: Place): TenantInForce["buckets"] {
  return limits.flatMap(([name, { rate, burst, partition = "tenant", mode = "enforce" }]) => {
    const ratePerSecond = rate === undefined ? undefined : parseRate(rate)?.tokensPerSecond;
    if (ratePerSecond === undefined || partition !== "tenant" || mode !== "enforce") return [];
    const burstTokens = burst ?? Math.max(1, Math.ceil(ratePerSecond));
    return [{ place: [...place, "limits", name], name, ratePerSecond, burstTokens }];
  });
}
