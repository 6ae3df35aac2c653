/**
 * The isolate's side of the escrow lease: spends what the coordinator has already debited, without asking.
 *
 * Guarantee: never more is spent than was granted, and nothing after the lease's life, which is counted from the moment
 * the request for it was *sent*, so it always ends before the coordinator writes the lease off. Check and debit are one
 * synchronous step over all partitions of a request: all or nothing. A reply counts only if it answers the call under
 * way. When told to come back later it refuses locally until then, so a flood costs no calls.
 * Amounts in micro-tokens, times in milliseconds of this isolate's clock. Source: DESIGN section 4.
 */
import { addToRate, type DecayedRate, newDecayedRate, readRate } from "../kernel/decayed-rate.ts";
import {
  type LeaseDecision,
  type LeaseGrant,
  type LeaseItem,
  type LimitSpec,
  MICRO_TOKENS_PER_TOKEN,
} from "./types.ts";

/** How far back demand is remembered, and how far ahead it is leased for. */
export const DEMAND_TIME_CONSTANT_MS = 1_000;
/** The least to ask for; a lessee that expects to use less within a second gets it only from a bucket half full. */
const LEAST_LEASE_MICRO = 4 * MICRO_TOKENS_PER_TOKEN;
/** Asks for more when what is left lasts shorter than this many round trips. */
const PREFETCH_ROUND_TRIPS = 1.5;
/** A lease is renewed when less than this part of its life is left. */
const RENEW_LIFE_RATIO = 0.25;

/** What this isolate holds of one partition. */
export interface Holding {
  readonly partition: string;
  spec: LimitSpec;
  stockMicro: number;
  expiresAtMs: number;
  ttlMs: number;
  epoch: number;
  readonly demand: DecayedRate;
  /** Dry requests are refused locally until then. */
  askAgainAtMs: number;
  direct: boolean;
  /** When a refused caller may come back. */
  retryAtMs: number;
  /** The coordinator's last word: for the RateLimit fields and for the fail mode `local`. */
  freeMicro: number;
  resetAtMs: number;
  activeLessees: number;
}

export function newHolding(partition: string, spec: LimitSpec, nowMs: number): Holding {
  return {
    partition,
    spec,
    stockMicro: 0,
    expiresAtMs: 0,
    ttlMs: 0,
    epoch: 0,
    demand: newDecayedRate(nowMs),
    askAgainAtMs: 0,
    direct: false,
    retryAtMs: 0,
    freeMicro: 0,
    resetAtMs: 0,
    activeLessees: 0,
  };
}

export type Spending = "admitted" | "refused" | "ask";

/** Notes the demand of one request; once for each, however often it is tried. */
export function noteDemand(holdings: readonly Holding[], costMicro: number, nowMs: number): void {
  for (const holding of holdings) addToRate(holding.demand, costMicro, nowMs, DEMAND_TIME_CONSTANT_MS);
}

/** Spends `costMicro` of every enforced holding, or of none. */
export function spend(enforced: readonly Holding[], costMicro: number, nowMs: number): Spending {
  let dry = false;
  for (const holding of enforced) {
    if (stock(holding, nowMs) >= costMicro) continue;
    if (nowMs < holding.askAgainAtMs) return "refused";
    dry = true;
  }
  if (dry) return "ask";
  for (const holding of enforced) holding.stockMicro -= costMicro;
  return "admitted";
}

/** What may still be spent; forgets a lease whose life is over. */
export function stock(holding: Holding, nowMs: number): number {
  if (holding.stockMicro > 0 && nowMs >= holding.expiresAtMs) holding.stockMicro = 0;
  return holding.stockMicro;
}

/** True: ask behind the request, before the next one finds the stock dry. */
export function wantsPrefetch(holding: Holding, roundTripMs: number, nowMs: number): boolean {
  if (holding.direct || nowMs < holding.askAgainAtMs) return false;
  const demand = readRate(holding.demand, nowMs, DEMAND_TIME_CONSTANT_MS);
  if ((demand * DEMAND_TIME_CONSTANT_MS) / 1_000 < LEAST_LEASE_MICRO) return false;
  const left = stock(holding, nowMs);
  // At the latest when the last token went: the next request should not be the one that finds out.
  if (left < Math.max(MICRO_TOKENS_PER_TOKEN, (PREFETCH_ROUND_TRIPS * demand * roundTripMs) / 1_000)) return true;
  return holding.expiresAtMs - nowMs < holding.ttlMs * RENEW_LIFE_RATIO;
}

/** What to say of this holding in the next call. Tokens far beyond the demand are given back, here and now. */
export function composeItem(holding: Holding, nowMs: number): LeaseItem {
  const demand = readRate(holding.demand, nowMs, DEMAND_TIME_CONSTANT_MS);
  const expected = Math.ceil((demand * DEMAND_TIME_CONSTANT_MS) / 1_000);
  const held = stock(holding, nowMs);
  const surplus = held - Math.max(2 * expected, LEAST_LEASE_MICRO);
  const returnMicro = surplus > 0 ? surplus : 0;
  holding.stockMicro = held - returnMicro;
  return {
    partition: holding.partition,
    spec: holding.spec,
    heldMicro: holding.stockMicro,
    returnMicro,
    demandMicroPerSecond: demand,
    wantMicro: Math.max(0, Math.max(expected, LEAST_LEASE_MICRO) - holding.stockMicro),
  };
}

/** Takes the reply to the call sent at `sentAtMs`, which named these holdings in this order. */
export function receive(holdings: readonly Holding[], decision: LeaseDecision, sentAtMs: number, nowMs: number): void {
  for (const [index, holding] of holdings.entries()) {
    const grant = decision.grants[index];
    if (grant !== undefined) receiveGrant(holding, grant, sentAtMs, nowMs);
  }
  for (const { violated, retryAfterMs } of decision.waiting) {
    for (const index of violated) {
      const holding = holdings[index];
      if (holding !== undefined) holding.retryAtMs = Math.max(holding.retryAtMs, nowMs + retryAfterMs);
    }
  }
}

function receiveGrant(holding: Holding, grant: LeaseGrant, sentAtMs: number, nowMs: number): void {
  const left = grant.heldVoid ? 0 : stock(holding, nowMs);
  holding.expiresAtMs = sentAtMs + grant.ttlMs;
  holding.ttlMs = grant.ttlMs;
  holding.stockMicro = nowMs < holding.expiresAtMs ? left + grant.grantedMicro : 0;
  holding.epoch = grant.epoch;
  holding.direct = grant.direct;
  holding.askAgainAtMs = grant.askAgainMs === 0 ? 0 : nowMs + grant.askAgainMs;
  holding.retryAtMs = holding.askAgainAtMs;
  holding.freeMicro = grant.freeMicro;
  holding.resetAtMs = nowMs + grant.resetMs;
  holding.activeLessees = grant.activeLessees;
}
