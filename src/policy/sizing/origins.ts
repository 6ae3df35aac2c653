/**
 * Slots at an origin, which tenants of all plans share. Greedy is who takes more than USUAL times the median of all others,
 * and more than an even share of the slots. Where calls were shed while somebody was greedy, each tenant gets a cap there
 * (`concurrencyPerTenant`) that leaves the others what they need; where nobody was, the slots are too few. Where nothing
 * was shed, a tenant whose limits let it take all the slots is still worth knowing of.
 *
 * What a tenant calls is not recorded by origin: each is taken to call every origin with all it asks. So needs err upwards,
 * and caps downwards, but never below what one of the others needs; and where somebody is greedy, slots are not raised.
 */
import type { Outcome } from "./limits.ts";
import { callsAtOnce, HEADROOM, recommendConcurrency, SHED_FROM_RATIO, stepUp } from "./recommend.ts";
import { type Judged, median, USUAL } from "./standing.ts";
import type { Finding, OriginInForce, Proposal, RecordedOrigin, SlotsInForce } from "./types.ts";

const NOTHING: Outcome = { findings: [], proposals: [] };

export function sizeOrigin(
  demand: RecordedOrigin,
  inForce: OriginInForce | undefined,
  judged: readonly Judged[],
  tighten: boolean,
): Outcome {
  if (inForce?.concurrency === undefined) return NOTHING;
  const { concurrency } = inForce;
  if (demand.shed === 0) return unguarded(inForce, concurrency, judged, tighten);
  const isGreedy = (one: Judged): boolean => {
    const others = judged.filter((other) => other !== one).map(takenOf);
    return others.length > 0 && takenOf(one) > Math.max(USUAL * median(others), concurrency.slots / judged.length);
  };
  const greedy = judged.filter(isGreedy);
  if (greedy.length === 0) return widen(demand, concurrency);
  const others = judged.filter((one) => !isGreedy(one));
  return guard(demand, inForce, concurrency, greedy, others);
}

/** Calls at once, as they were: refused ones took no time. */
const takenOf = ({ demand }: Judged): number => demand.p99 * demand.meanSeconds;
/** As they should be: who is noisy is held to what it takes. */
const needOf = (one: Judged): number => (one.standing === "noisy" ? takenOf(one) : callsAtOnce(one.demand)) * HEADROOM;
const names = (tenants: readonly Judged[]): string[] => tenants.map(({ demand }) => demand.tenant);

/** The greedy ones share what the others' needs leave of the slots below the load at which callers are shed. */
function guard(
  { shed }: RecordedOrigin,
  inForce: OriginInForce,
  { slots, place }: SlotsInForce,
  greedy: readonly Judged[],
  others: readonly Judged[],
): Outcome {
  const needs = others.map(needOf);
  const needed = needs.reduce((sum, need) => sum + need, 0);
  const left = Math.floor((slots * SHED_FROM_RATIO - needed) / greedy.length);
  const cap = Math.max(stepUp(Math.max(0, ...needs)), left);
  const why = `${shed} calls were shed: ${names(greedy).join(", ")} can take all of ${slots} slots; the others need ${needed.toFixed(1)} at once, at most`;
  return {
    findings: [{ kind: "throttles-well-behaved", place, tenants: names(others), why }],
    proposals: inForce.perTenant === undefined || inForce.perTenant.slots > cap ? [perTenant(inForce, cap)] : [],
  };
}

function widen(demand: RecordedOrigin, { slots, place }: SlotsInForce): Outcome {
  const recommended = recommendConcurrency(demand);
  if (recommended <= slots) return NOTHING;
  const why = `${demand.shed} calls were shed, and no tenant takes far more than the others: at p99 ${demand.concurrencyP99.toFixed(1)} are at once, ${slots} slots are too few; raise them if the origin can bear it`;
  return {
    findings: [{ kind: "throttles-well-behaved", place, tenants: [], why }],
    proposals: [{ kind: "slots", place, slots: recommended }],
  };
}

function unguarded(
  inForce: OriginInForce,
  { slots }: SlotsInForce,
  judged: readonly Judged[],
  tighten: boolean,
): Outcome {
  if (inForce.perTenant !== undefined && inForce.perTenant.slots < slots) return NOTHING;
  const able = judged.filter((one) => mayTake(one) >= slots);
  if (able.length === 0) return NOTHING;
  const { place } = perTenant(inForce, 0);
  const why = `the limits of ${able.length} tenant(s) let each of them alone take all of ${slots} slots`;
  const finding: Finding = { kind: "isolates-nobody", place, tenants: names(able), why };
  const most = stepUp(Math.max(0, ...judged.map(needOf)));
  return { findings: [finding], proposals: tighten && most < slots ? [perTenant(inForce, most)] : [] };
}

/** Calls at once that its limits allow, by the time that its requests take. Callers by address have no limit in common. */
function mayTake({ demand, inForce }: Judged): number {
  if (inForce === undefined || inForce.anonymous || demand.p99 === 0) return 0;
  const rate = Math.min(Number.POSITIVE_INFINITY, ...inForce.buckets.map(({ ratePerSecond }) => ratePerSecond));
  const byRate = (callsAtOnce(demand) / demand.p99) * rate;
  return Math.min(byRate, inForce.concurrency?.slots ?? Number.POSITIVE_INFINITY);
}

const perTenant = ({ origin }: OriginInForce, slots: number): Extract<Proposal, { readonly kind: "slots" }> => ({
  kind: "slots",
  place: ["origins", origin, "concurrencyPerTenant"],
  slots,
});
