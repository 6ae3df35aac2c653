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
  SLOT_MICRO,
} from "./types.ts";
import { capacityMicro, mostLeft } from "./partition.ts";

/** How far back demand is remembered, and how far ahead it is leased for. */
export const DEMAND_TIME_CONSTANT_MS = 1_000;
/** The least to ask for; a lessee that expects to use less within a second gets it only from a bucket half full. */
const LEAST_LEASE_MICRO = 4 * MICRO_TOKENS_PER_TOKEN;
/** Asks for more when what is left lasts shorter than this many round trips. */
const PREFETCH_ROUND_TRIPS = 1.3;
/** ... and not before this part of the last lease is gone, so that a small one does not lead to a call for each request. */
const PREFETCH_LEFT_RATIO = 0.5;
/** A lease is renewed when less than this part of its life is left. */
const RENEW_LIFE_RATIO = 0.25;
/** The youngest age that demand is judged by. */
const YOUNG_MS = 500;
const SLOTS_HEADROOM = 1.25;

/** What this isolate holds of one partition. */
export interface Holding {
  readonly partition: string;
  /** As configured here; `override` is what the coordinator says is in force instead. */
  spec: LimitSpec;
  override: LimitSpec | undefined;
  /** To be spent; of slots: leased and not in use. */
  stockMicro: number;
  /** The stock after the last reply. */
  filledMicro: number;
  /** Slots in use here. */
  busyMicro: number;
  /** Cost known after the response that the stock could not pay: goes with the next call. */
  debtMicro: number;
  /** Quota of origin calls that failed, in this epoch: goes with the next call. */
  refundMicro: number;
  expiresAtMs: number;
  ttlMs: number;
  /** In the last `meltMs` no more may be held than an even part of `lineMicro`. */
  lineMicro: number;
  meltMs: number;
  /** How far ahead to lease. */
  horizonMs: number;
  epoch: number;
  readonly bornAtMs: number;
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
    override: undefined,
    stockMicro: 0,
    filledMicro: 0,
    busyMicro: 0,
    debtMicro: 0,
    refundMicro: 0,
    expiresAtMs: 0,
    ttlMs: 0,
    lineMicro: 0,
    meltMs: 0,
    horizonMs: DEMAND_TIME_CONSTANT_MS,
    epoch: 0,
    bornAtMs: nowMs,
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

/** Notes the demand of one request; once for each, however often it is tried. For slots: the most in use at once. */
export function noteDemand(holdings: readonly Holding[], costMicro: number, nowMs: number): void {
  for (const { demand, spec, busyMicro } of holdings) {
    if (spec.kind !== "slots") addToRate(demand, costMicro, nowMs, DEMAND_TIME_CONSTANT_MS);
    else if (readRate(demand, nowMs, DEMAND_TIME_CONSTANT_MS) < busyMicro + SLOT_MICRO) {
      demand.perSecond = busyMicro + SLOT_MICRO;
      demand.atMs = nowMs;
    }
  }
}

/** Spends `costMicro` of every enforced holding and occupies one slot of those that are slots; or nothing at all. */
export function spend(enforced: readonly Holding[], costMicro: number, nowMs: number): Spending {
  let dry = false;
  for (const holding of enforced) {
    if (stock(holding, nowMs) >= costOf(holding, costMicro) && holding.debtMicro === 0) continue;
    // A refund makes room: worth asking before the time.
    if (nowMs < holding.askAgainAtMs && holding.refundMicro === 0) return "refused";
    dry = true;
  }
  if (dry) return "ask";
  for (const holding of enforced) {
    holding.stockMicro -= costOf(holding, costMicro);
    if (holding.spec.kind === "slots") holding.busyMicro += SLOT_MICRO;
  }
  return "admitted";
}

/** One request takes one slot, whatever it costs in tokens. */
export const costOf = (holding: Holding, costMicro: number): number =>
  holding.spec.kind === "slots" ? SLOT_MICRO : costMicro;

/** The coordinator, or a fail mode, has admitted a request: its slots are in use. */
export function occupySlots(enforced: readonly Holding[], fromStock: boolean): void {
  for (const holding of enforced) {
    if (holding.spec.kind !== "slots") continue;
    holding.busyMicro += SLOT_MICRO;
    if (fromStock) holding.stockMicro = Math.max(0, holding.stockMicro - SLOT_MICRO);
  }
}

/** The request has ended. True: slots are scarce, so this one should go back at once. */
export function releaseSlots(enforced: readonly Holding[], nowMs: number): boolean {
  let scarce = false;
  for (const holding of enforced) {
    if (holding.spec.kind !== "slots" || holding.busyMicro < SLOT_MICRO) continue;
    const leased = holding.stockMicro + holding.busyMicro <= holding.lineMicro;
    holding.busyMicro -= SLOT_MICRO;
    // One beyond the lease (of a fail mode, or taken back meanwhile) is nobody's to use again.
    if (leased && nowMs < holding.expiresAtMs) holding.stockMicro += SLOT_MICRO;
    scarce ||= holding.direct;
  }
  return scarce;
}

/** Charges a cost that became known after the response: the stock pays, the rest is owed. At most the capacity. */
export function settleCost(charged: readonly Holding[], costMicro: number, nowMs: number): void {
  for (const holding of charged) {
    if (holding.spec.kind === "slots") continue;
    const paid = Math.min(stock(holding, nowMs), costMicro);
    holding.stockMicro -= paid;
    holding.debtMicro = Math.min(capacityMicro(holding.spec), holding.debtMicro + costMicro - paid);
  }
}

/** Gives back what a failed origin call cost, of quotas only; `epochs` are those of the admission. */
export function refund(charged: readonly Holding[], epochs: readonly number[], costMicro: number): void {
  for (const [index, holding] of charged.entries()) {
    if (holding.spec.kind !== "quota" || holding.epoch !== epochs[index]) continue;
    holding.refundMicro = Math.min(capacityMicro(holding.spec), holding.refundMicro + costMicro);
  }
}

/** What may still be spent; forgets what has melted, or a lease whose life is over. */
export function stock(holding: Holding, nowMs: number): number {
  if (holding.stockMicro === 0) return 0;
  const leftMs = holding.expiresAtMs - nowMs;
  if (leftMs <= 0) holding.stockMicro = 0;
  else if (leftMs < holding.meltMs) {
    holding.stockMicro = Math.min(holding.stockMicro, mostLeft(holding.lineMicro, holding.meltMs, leftMs));
  }
  return holding.stockMicro;
}

/** Per second. A young holding has seen only a part of what it would remember, so what it saw counts for more. */
function demandOf({ demand, bornAtMs, spec }: Holding, nowMs: number): number {
  const seen = readRate(demand, nowMs, DEMAND_TIME_CONSTANT_MS);
  const ageMs = Math.max(YOUNG_MS, nowMs - bornAtMs);
  if (spec.kind === "slots" || ageMs > 5 * DEMAND_TIME_CONSTANT_MS) return seen;
  return seen / (1 - Math.exp(-ageMs / DEMAND_TIME_CONSTANT_MS));
}

/** True: ask behind the request, before the next one finds the stock dry. */
export function wantsPrefetch(holding: Holding, roundTripMs: number, nowMs: number): boolean {
  if (holding.debtMicro > 0) return true;
  if (holding.direct || nowMs < holding.askAgainAtMs) return false;
  const left = stock(holding, nowMs);
  const renew = holding.expiresAtMs - nowMs < holding.ttlMs * RENEW_LIFE_RATIO;
  if (holding.spec.kind === "slots") return left < SLOT_MICRO || renew;
  const demand = demandOf(holding, nowMs);
  if ((demand * DEMAND_TIME_CONSTANT_MS) / 1_000 < LEAST_LEASE_MICRO) return false;
  // At the latest when the last token went: the next request should not be the one that finds out.
  const underWay = (PREFETCH_ROUND_TRIPS * demand * roundTripMs) / 1_000;
  return (
    left < Math.max(MICRO_TOKENS_PER_TOKEN, Math.min(underWay, holding.filledMicro * PREFETCH_LEFT_RATIO)) || renew
  );
}

/**
 * What to say of this holding in the next call. What goes far beyond the demand is given back, here and now; and what
 * those who wait need of it (`needMicro`), because the coordinator charges all their limits at once, out of what is free.
 */
export function composeItem(holding: Holding, needMicro: number, nowMs: number): LeaseItem {
  const demand = demandOf(holding, nowMs);
  const held = stock(holding, nowMs) + holding.busyMicro;
  const { least, target, most } = targets(holding, demand);
  const returnMicro = Math.max(0, Math.min(holding.stockMicro, Math.max(needMicro, held - most)));
  holding.stockMicro -= returnMicro;
  claim(holding, nowMs);
  const { debtMicro, refundMicro, epoch } = holding;
  holding.debtMicro = 0;
  holding.refundMicro = 0;
  return {
    partition: holding.partition,
    spec: holding.spec,
    heldMicro: held - returnMicro,
    returnMicro,
    demandMicroPerSecond: demand,
    wantMicro: Math.max(0, Math.max(target, least) - held + returnMicro),
    ...(debtMicro === 0 ? {} : { debtMicro }),
    ...(refundMicro === 0 ? {} : { refundMicro, epoch }),
  };
}

/**
 * What the coordinator is told to be held melts there from this amount on: here too, even if the reply never comes. So
 * the line is drawn anew through what is left now, and never beyond it.
 */
function claim(holding: Holding, nowMs: number): void {
  const { spec, stockMicro, busyMicro, lineMicro, meltMs } = holding;
  const leftMs = holding.expiresAtMs - nowMs;
  if (spec.kind === "slots") holding.lineMicro = Math.min(lineMicro, stockMicro + busyMicro);
  else holding.lineMicro = leftMs < meltMs && leftMs > 0 ? Math.ceil((stockMicro * meltMs) / leftMs) : stockMicro;
}

/** How much to hold, and how much is too much. Slots: a quarter more than the most in use lately. */
function targets(holding: Holding, demand: number): { least: number; target: number; most: number } {
  if (holding.spec.kind !== "slots") {
    const expected = Math.ceil((demand * holding.horizonMs) / 1_000);
    return { least: LEAST_LEASE_MICRO, target: expected, most: Math.max(2 * expected, LEAST_LEASE_MICRO) };
  }
  if (holding.direct) return { least: 0, target: 0, most: holding.busyMicro };
  const peak = Math.ceil((demand * SLOTS_HEADROOM) / SLOT_MICRO) * SLOT_MICRO;
  return { least: SLOT_MICRO, target: peak, most: peak };
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
  const left = stock(holding, nowMs);
  holding.expiresAtMs = sentAtMs + grant.ttlMs;
  holding.ttlMs = grant.ttlMs;
  holding.horizonMs = grant.horizonMs;
  holding.lineMicro = grant.leasedMicro;
  holding.meltMs = grant.meltMs;
  // Never more than is leased: what was written off meanwhile is not spent.
  holding.stockMicro =
    holding.spec.kind === "slots"
      ? Math.max(0, grant.leasedMicro - holding.busyMicro)
      : Math.min(left + grant.grantedMicro, grant.leasedMicro);
  holding.filledMicro = stock(holding, nowMs);
  if (holding.epoch !== grant.epoch) holding.refundMicro = 0;
  holding.epoch = grant.epoch;
  holding.override = grant.spec;
  holding.direct = grant.direct;
  holding.askAgainAtMs = grant.askAgainMs === 0 ? 0 : nowMs + grant.askAgainMs;
  holding.retryAtMs = holding.askAgainAtMs;
  holding.freeMicro = grant.freeMicro;
  holding.resetAtMs = nowMs + grant.resetMs;
  holding.activeLessees = grant.activeLessees;
}
