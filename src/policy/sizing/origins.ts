/**
 * Slots at an origin, which all tenants share. Where calls were shed while a noisy tenant asked most, each tenant gets a
 * cap there (`concurrencyPerTenant`) that leaves the others what they need; where there is no noisy one, the slots are too
 * few. Where nothing was shed, a tenant whose limits let it take all the slots is still worth knowing of.
 *
 * What a tenant calls is not recorded by origin: each is taken to call every origin with all it asks, so needs err upwards.
 */
import type { Outcome } from "./limits.ts";
import { callsAtOnce, HEADROOM, recommendConcurrency, SHED_FROM_RATIO, stepUp } from "./recommend.ts";
import type { Judged } from "./standing.ts";
import type { Finding, OriginInForce, Proposal, RecordedOrigin } from "./types.ts";

export function sizeOrigin(
  demand: RecordedOrigin,
  inForce: OriginInForce | undefined,
  judged: readonly Judged[],
  tighten: boolean,
): Outcome {
  if (inForce?.concurrency === undefined) return { findings: [], proposals: [] };
  const noisy = judged.filter(({ standing }) => standing === "noisy");
  if (demand.shed === 0) return unguarded(inForce, judged, tighten);
  return noisy.length > 0 ? guard(demand, inForce, judged, noisy) : widen(demand, inForce);
}

/** The noisy ones share what the others' needs leave of the slots below the load at which callers are shed. */
function guard(
  { shed }: RecordedOrigin,
  inForce: OriginInForce,
  judged: readonly Judged[],
  noisy: readonly Judged[],
): Outcome {
  const slots = inForce.concurrency?.slots ?? 0;
  const needs = judged
    .filter(({ standing }) => standing !== "noisy")
    .map(({ demand }) => callsAtOnce(demand) * HEADROOM);
  const needed = needs.reduce((sum, need) => sum + need, 0);
  const left = Math.floor((slots * SHED_FROM_RATIO - needed) / noisy.length);
  const cap = Math.max(stepUp(Math.max(0, ...needs)), left, 1);
  const total = stepUp((needed + cap * noisy.length) / SHED_FROM_RATIO);
  const names = noisy.map(({ demand }) => demand.tenant).join(", ");
  const why = `${shed} calls were shed: ${names} can take all of ${slots} slots; the others need ${needed.toFixed(1)} at once`;
  return {
    findings: [finding("throttles-well-behaved", inForce, judged, why)],
    proposals: [
      ...(inForce.perTenant === undefined || inForce.perTenant.slots > cap ? [perTenant(inForce, cap)] : []),
      ...(total > slots ? raised(inForce, total) : []),
    ],
  };
}

function widen(demand: RecordedOrigin, inForce: OriginInForce): Outcome {
  const slots = inForce.concurrency?.slots ?? 0;
  const recommended = recommendConcurrency(demand);
  if (recommended <= slots) return { findings: [], proposals: [] };
  const why = `${demand.shed} calls were shed, and no tenant asks far more than its peers: at p99 ${demand.concurrencyP99.toFixed(1)} are at once, ${slots} slots are too few; raise them if the origin can bear it`;
  return {
    findings: [finding("throttles-well-behaved", inForce, [], why)],
    proposals: raised(inForce, recommended),
  };
}

function unguarded(inForce: OriginInForce, judged: readonly Judged[], tighten: boolean): Outcome {
  const slots = inForce.concurrency?.slots ?? 0;
  if (inForce.perTenant !== undefined && inForce.perTenant.slots < slots) return { findings: [], proposals: [] };
  const able = judged.filter((one) => mayTake(one) >= slots);
  if (able.length === 0) return { findings: [], proposals: [] };
  const why = `the limits of ${able.length} tenant(s) let each of them alone take all of ${slots} slots`;
  const most = Math.max(0, ...judged.map(({ demand }) => callsAtOnce(demand) * HEADROOM));
  return {
    findings: [finding("isolates-nobody", inForce, able, why)],
    proposals: tighten && stepUp(most) < slots ? [perTenant(inForce, stepUp(most))] : [],
  };
}

/** Calls at once that its limits allow, by the time that its requests take. Callers by address have no limit in common. */
function mayTake({ demand, inForce }: Judged): number {
  if (inForce === undefined || inForce.anonymous || demand.p99 === 0) return 0;
  const rate = Math.min(Number.POSITIVE_INFINITY, ...inForce.buckets.map(({ ratePerSecond }) => ratePerSecond));
  const byRate = (callsAtOnce(demand) / demand.p99) * rate;
  return Math.min(byRate, inForce.concurrency?.slots ?? Number.POSITIVE_INFINITY);
}

const perTenant = ({ origin }: OriginInForce, slots: number): Proposal => ({
  kind: "slots",
  place: ["origins", origin, "concurrencyPerTenant"],
  slots,
});

const raised = ({ concurrency }: OriginInForce, slots: number): Proposal[] =>
  concurrency === undefined ? [] : [{ kind: "slots", place: concurrency.place, slots }];

function finding(
  kind: Finding["kind"],
  { origin, concurrency }: OriginInForce,
  tenants: readonly Judged[],
  why: string,
): Finding {
  const place = kind === "isolates-nobody" ? ["origins", origin, "concurrencyPerTenant"] : concurrency?.place;
  return {
    kind,
    ...(place === undefined ? {} : { place }),
    tenants: tenants.filter(({ standing }) => standing !== "noisy").map(({ demand }) => demand.tenant),
    why,
  };
}
