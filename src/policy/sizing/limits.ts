/**
 * Limits beside demand, place by place. One that throttles well-behaved tenants, because it is below what they ask, is
 * raised to what is recommended for the one of them that asks most; noisy tenants keep what they had, so that raising a
 * plan is no gift to them. One that is above IDLE times all that its tenants ask isolates nobody.
 *
 * No limit is ever lowered by a proposal, unless `tighten`. Cost: tenants × their limits.
 */
import { recommend } from "./recommend.ts";
import type { Judged } from "./standing.ts";
import type { BucketInForce, Finding, Place, Proposal, SlotsInForce } from "./types.ts";

const IDLE = 10;

export interface Outcome {
  readonly findings: readonly Finding[];
  readonly proposals: readonly Proposal[];
}

interface Shared<Limit> {
  readonly limit: Limit;
  readonly users: Judged[];
}

export function sizeLimits(judged: readonly Judged[], tighten: boolean): Outcome {
  const buckets = [...byPlace(judged, (one) => one.inForce?.buckets ?? [])].map((shared) =>
    sizeBucket(shared, tighten),
  );
  const slots = [
    ...byPlace(judged, ({ inForce }) => (inForce?.concurrency === undefined ? [] : [inForce.concurrency])),
  ];
  const outcomes = [...buckets, ...slots.map(sizeSlots)];
  const findings = outcomes.flatMap((outcome) => outcome.findings);
  const explained = new Set(
    findings.flatMap(({ kind, tenants }) => (kind === "throttles-well-behaved" ? tenants : [])),
  );
  const unexplained = judged.filter((one) => suffers(one) && !explained.has(one.demand.tenant)).map(nameOf);
  return {
    findings: [...findings, ...(unexplained.length === 0 ? [] : [elsewhere(unexplained)]), ...anonymous(judged)],
    proposals: outcomes.flatMap((outcome) => outcome.proposals),
  };
}

function* byPlace<Limit extends { readonly place: Place }>(
  judged: readonly Judged[],
  limitsOf: (one: Judged) => readonly Limit[],
): Iterable<Shared<Limit>> {
  const shared = new Map<string, Shared<Limit>>();
  for (const one of judged) {
    if (one.inForce?.anonymous !== false) continue;
    for (const limit of limitsOf(one)) {
      const key = JSON.stringify(limit.place);
      const known = shared.get(key) ?? { limit, users: [] };
      shared.set(key, known);
      known.users.push(one);
    }
  }
  yield* shared.values();
}

const nameOf = ({ demand }: Judged): string => demand.tenant;
const suffers = ({ standing, demand }: Judged): boolean => standing === "well-behaved" && demand.throttled > 0;
const most = (values: readonly number[]): number => Math.max(0, ...values);

function sizeBucket({ limit, users }: Shared<BucketInForce>, tighten: boolean): Outcome {
  const { place, ratePerSecond, burstTokens } = limit;
  const suffering = users.filter(suffers);
  const sizes = users.filter(({ standing }) => standing === "well-behaved").map(({ demand }) => recommend(demand));
  const needed = {
    ratePerSecond: Math.max(ratePerSecond, most(sizes.map((size) => size.ratePerSecond))),
    burstTokens: Math.max(burstTokens, most(sizes.map((size) => size.burstTokens))),
  };
  if (suffering.length > 0 && (needed.ratePerSecond > ratePerSecond || needed.burstTokens > burstTokens)) {
    const why = `${suffering.length} of ${users.length} tenants are throttled though they ask no more than their peers: ${ratePerSecond}/s, burst ${burstTokens} is below what they need`;
    return {
      findings: [{ kind: "throttles-well-behaved", place, tenants: suffering.map(nameOf), why }],
      proposals: [{ kind: "bucket", place, ...needed }, ...keeping(limit, users)],
    };
  }
  const asked = recommend({
    tenant: "",
    p50: 0,
    p95: 0,
    p99: most(users.map(({ demand }) => demand.p99)),
    peakTokens: most(users.map(({ demand }) => demand.peakTokens)),
    admitted: 0,
    throttled: 0,
    meanSeconds: 0,
  });
  const isIdle =
    users.every(({ demand }) => demand.throttled === 0) &&
    ratePerSecond > IDLE * most(users.map(({ demand }) => demand.p99)) &&
    burstTokens > IDLE * most(users.map(({ demand }) => demand.peakTokens));
  if (!isIdle) return NOTHING;
  const why = `${ratePerSecond}/s, burst ${burstTokens} is more than ${IDLE} times what any of its tenants asked for: it stops nobody before others suffer`;
  return {
    findings: [{ kind: "isolates-nobody", place, tenants: users.map(nameOf), why }],
    proposals: tighten
      ? [{ kind: "bucket", place, ratePerSecond: asked.ratePerSecond, burstTokens: asked.burstTokens }]
      : [],
  };
}

const NOTHING: Outcome = { findings: [], proposals: [] };

/** What stands at a tenant itself is nobody else's. */
function keeping({ place, name }: BucketInForce, users: readonly Judged[]): Proposal[] {
  if (place[0] !== "plans") return [];
  return users.flatMap(({ standing, inForce }) =>
    standing === "noisy" && inForce?.byApi === false
      ? [{ kind: "keep" as const, tenant: inForce.tenant, from: place, name }]
      : [],
  );
}

/** A tenant's own requests at once. Noisy tenants keep theirs by the rate. */
function sizeSlots({ limit, users }: Shared<SlotsInForce>): Outcome {
  const { place, slots } = limit;
  const suffering = users.filter(suffers);
  const needed = most(
    users.filter(({ standing }) => standing === "well-behaved").map(({ demand }) => recommend(demand).concurrency),
  );
  if (suffering.length === 0 || needed <= slots) return NOTHING;
  const why = `${suffering.length} of ${users.length} tenants are throttled though they ask no more than their peers: at p99 they need ${needed} requests at once, and have ${slots}`;
  return {
    findings: [{ kind: "throttles-well-behaved", place, tenants: suffering.map(nameOf), why }],
    proposals: [{ kind: "slots", place, slots: needed }],
  };
}

const elsewhere = (tenants: readonly string[]): Finding => ({
  kind: "throttles-well-behaved",
  tenants,
  why: "throttled, though the limits that count the tenant as one cover what it asked for: limits of routes, of single callers, or its slots at an origin (weir limits TENANT, weir tail --tenant TENANT --status 429)",
});

function anonymous(judged: readonly Judged[]): Finding[] {
  return judged.flatMap(({ standing, demand }): Finding[] => {
    if (standing !== "anonymous" || demand.throttled === 0) return [];
    const why = `${demand.throttled} requests by address were throttled: addresses share 4,096 partitions, so some are held for what others ask; give those that matter a key`;
    return [{ kind: "throttles-well-behaved", tenants: [demand.tenant], why }];
  });
}
