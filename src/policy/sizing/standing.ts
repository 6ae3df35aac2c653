/**
 * Who is noisy. A tenant's peers are those of its plan, where there are two at least, else all others. Their usual range
 * ends at USUAL times their median demand (at p99). Noisy is who asks for more than that, and either for more than its
 * limit or for more than all others of its plan together. Well-behaved is who stays within the range.
 *
 * Says nothing about why. With fewer than two others there is nobody to compare with, and nobody is noisy.
 */
import type { InForce, RecordedTenant, Standing, TenantInForce } from "./types.ts";

export const USUAL = 3;
const LEAST_PEERS = 2;
/** Tokens a second: among those who ask for next to nothing, nobody is noisy. */
const LEAST_RANGE = 1;

export interface Judged {
  readonly demand: RecordedTenant;
  readonly inForce: TenantInForce | undefined;
  readonly standing: Standing;
  /** End of its peers' usual range, tokens a second; undefined: it has no peers. */
  readonly usual: number | undefined;
}

export function judge(tenants: readonly RecordedTenant[], { tenants: known }: InForce): readonly Judged[] {
  const inForce = new Map(known.map((tenant) => [tenant.tenant, tenant]));
  const named = tenants.filter(({ tenant }) => inForce.get(tenant)?.anonymous === false);
  return tenants.map((demand): Judged => {
    const own = inForce.get(demand.tenant);
    if (own === undefined || own.anonymous) {
      return { demand, inForce: own, standing: own === undefined ? "other" : "anonymous", usual: undefined };
    }
    const others = named.filter(({ tenant }) => tenant !== demand.tenant);
    const ofPlan = others.filter(({ tenant }) => inForce.get(tenant)?.plan === own.plan);
    const peers = ofPlan.length >= LEAST_PEERS ? ofPlan : others;
    if (peers.length < LEAST_PEERS) return { demand, inForce: own, standing: "other", usual: undefined };
    const usual = Math.max(LEAST_RANGE, USUAL * median(peers.map(({ p99 }) => p99)));
    // The only one of a large plan asks for more than all of a small one; that is what it has the plan for.
    const together = peers === ofPlan ? peers.reduce((sum, { p99 }) => sum + p99, 0) : Number.POSITIVE_INFINITY;
    return { demand, inForce: own, standing: standingOf(demand, own, usual, together), usual };
  });
}

function standingOf({ p99 }: RecordedTenant, { buckets }: TenantInForce, usual: number, together: number): Standing {
  if (p99 <= usual) return "well-behaved";
  const isOverLimit = buckets.some(({ ratePerSecond }) => p99 > ratePerSecond);
  return isOverLimit || p99 > together ? "noisy" : "other";
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle - 0.5)] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}
