/** Recorded demand beside the limits in force: who is noisy, whom that hurts, what to set. Pure; see docs/sizing.md. */
import { sizeLimits } from "./limits.ts";
import { sizeOrigin } from "./origins.ts";
import { recommend, recommendConcurrency } from "./recommend.ts";
import { judge, type Judged } from "./standing.ts";
import type { Finding, InForce, Recorded, SizedTenant, Sizing } from "./types.ts";

/** `tighten`: limits that isolate nobody are lowered to what was asked; else none is ever lowered. */
export function size(recorded: Recorded, inForce: InForce, tighten: boolean): Sizing {
  const judged = judge(recorded.tenants, inForce);
  const places = new Map(inForce.origins.map((origin) => [origin.origin, origin]));
  const limits = sizeLimits(judged, tighten);
  const origins = recorded.origins.map((demand) => {
    const known = places.get(demand.origin);
    return { demand, known, outcome: sizeOrigin(demand, known, judged, tighten) };
  });
  return {
    tenants: judged.map(sizedTenant),
    origins: origins.map(({ demand, known }) => ({
      demand,
      recommendedConcurrency: recommendConcurrency(demand),
      inForce: known,
    })),
    findings: [...noisyFindings(judged), ...limits.findings, ...origins.flatMap(({ outcome }) => outcome.findings)],
    proposals: [...limits.proposals, ...origins.flatMap(({ outcome }) => outcome.proposals)],
  };
}

function sizedTenant({ demand, inForce, standing }: Judged): SizedTenant {
  const asked = demand.admitted + demand.throttled;
  return {
    demand,
    standing,
    throttledRatio: asked === 0 ? 0 : demand.throttled / asked,
    recommended: recommend(demand),
    inForce,
  };
}

/** The one that asks most first. */
function noisyFindings(judged: readonly Judged[]): Finding[] {
  const all = judged.reduce((sum, { demand }) => sum + demand.p99, 0);
  return judged
    .filter(({ standing }) => standing === "noisy")
    .toSorted((a, b) => b.demand.p99 - a.demand.p99)
    .map(({ demand, inForce, usual = 0 }) => {
      const share = Math.round((demand.p99 / all) * 100);
      const limit = Math.min(Number.POSITIVE_INFINITY, ...(inForce?.buckets ?? []).map((one) => one.ratePerSecond));
      const over = demand.p99 > limit ? `, ${(demand.p99 / limit).toFixed(1)} times its limit` : "";
      const why = `asks for ${demand.p99.toFixed(1)}/s at p99${over}; its peers' usual range ends at ${usual.toFixed(1)}/s; ${share} % of all that is asked${inForce?.byApi === true ? "; made through the API: hold it with weir tenants set" : ""}`;
      return { kind: "noisy", tenants: [demand.tenant], why };
    });
}
