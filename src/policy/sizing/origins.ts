/**
 * Slots at an origin, which tenants of all plans share. Greedy is who takes more than USUAL times the median of all others,
 * and more than an even share of the slots. Where calls were shed while somebody was greedy, that tenant gets a cap of its
 * own (`concurrency`) that leaves the others what they need below the load at which callers are shed; where nobody was, the
 * slots are too few. Where nothing was shed, a tenant whose limits let it take all the slots is still worth knowing of.
 *
 * What a tenant calls is not recorded by origin: all that its requests take is counted at each, so needs err upwards.
 */
import type { Outcome } from "./limits.ts";
import { atMostAtOnce, callsAtOnce, HEADROOM, recommendConcurrency, SHED_FROM_RATIO, stepUp } from "./recommend.ts";
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
  return hold(demand, concurrency, greedy, others);
}

/** Calls at once, as they were: refused ones took no time. */
const takenOf = ({ demand }: Judged): number => demand.p99 * demand.meanSeconds;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const names = (tenants: readonly Judged[]): string[] => tenants.map(({ demand }) => demand.tenant);
/** What its limits let it ask for, tokens a second. */
const allowedRate = ({ inForce }: Judged): number =>
  Math.min(Number.POSITIVE_INFINITY, ...(inForce?.buckets ?? []).map(({ ratePerSecond }) => ratePerSecond));

/** Greedy tenants share what the others' needs leave. */
function hold(
  demand: RecordedOrigin,
  { slots, place }: SlotsInForce,
  greedy: readonly Judged[],
  others: readonly Judged[],
): Outcome {
  const { shed, requests, answered } = demand;
  // Refused calls took no time: had they been answered, all would have taken so much more.
  const more = answered === 0 ? 1 : requests / answered;
  const needed = sum(others.map(takenOf)) * more * HEADROOM;
  const cap = Math.max(1, Math.floor((slots * SHED_FROM_RATIO - needed) / greedy.length));
  const why = `${shed} calls were shed: ${names(greedy).join(", ")} can take all of ${slots} slots; the others need about ${needed.toFixed(1)} at once`;
  return {
    findings: [{ kind: "throttles-well-behaved", place, tenants: names(others), why }],
    proposals: greedy.flatMap(({ inForce }): Proposal[] => {
      if (inForce === undefined || inForce.byApi || inForce.anonymous) return [];
      if (inForce.concurrency !== undefined && inForce.concurrency.slots <= cap) return [];
      return [{ kind: "slots", place: ["tenants", inForce.tenant, "concurrency"], slots: cap }];
    }),
  };
}

function widen(demand: RecordedOrigin, { slots, place }: SlotsInForce): Outcome {
  const recommended = recommendConcurrency(demand);
  if (recommended <= slots) return NOTHING;
  const why = `${demand.shed} calls were shed, and no tenant takes far more than the others: ${slots} slots are too few; raise them if the origin can bear it`;
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
  const place = ["origins", inForce.origin, "concurrencyPerTenant"];
  const why = `the limits of ${able.length} tenant(s) let each of them alone take all of ${slots} slots`;
  const finding: Finding = { kind: "isolates-nobody", place, tenants: names(able), why };
  const most = stepUp(Math.max(0, ...judged.map(({ demand }) => atMostAtOnce(callsAtOnce(demand)))));
  return { findings: [finding], proposals: tighten && most < slots ? [{ kind: "slots", place, slots: most }] : [] };
}

/** Calls at once that its limits allow, by the time that its requests take. Callers by address have no limit in common. */
function mayTake(one: Judged): number {
  const { demand, inForce } = one;
  if (inForce === undefined || inForce.anonymous || demand.p99 === 0) return 0;
  const byRate = (callsAtOnce(demand) / demand.p99) * allowedRate(one);
  return Math.min(byRate, inForce.concurrency?.slots ?? Number.POSITIVE_INFINITY);
}
