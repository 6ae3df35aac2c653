/**
 * Who may have how much of a partition: the demand of all active lessees together, the max-min fair share of each, and how
 * far ahead it is worth leasing. Only an order among lessees: nothing here creates or debits a token.
 *
 * The crowd is overloaded when the active lessees report more demand than comes in (and more than chance explains). Then
 * each earns credit at its max-min fair part of the rate, and takes no more than that and an equal part of what is free. The horizon is how long all leases
 * together may last without filling the bucket: what is leased cannot be refilled until it is reported spent.
 * Inputs in micro-tokens, milliseconds, per second. Cost: O(active lessees × log) for each item of a call.
 */
import { fairShare } from "./fair-share.ts";
import { capacityMicro, type Lease, type Partition, refillPerSecond } from "./partition.ts";
import { MICRO_TOKENS_PER_TOKEN } from "./types.ts";

/** A lessee not heard for this long no longer counts as active. */
export const ACTIVE_FOR_MS = 3_000;
/** Nobody leases further ahead than this: what an isolate that dies takes with it. */
const LONGEST_HORIZON_MS = 1_500;
/** How far above the rate demand has to be, in standard deviations of what a second of a steady stream looks like. */
const NOISE_DEVIATIONS = 2.5;
/** Credit is earned a little faster than the fair share, so that rounding leaves nothing over. */
const CREDIT_MARGIN = 1.1;

/** Who is active, and how much they want, together. */
export interface Crowd {
  readonly activeLessees: number;
  /** Demand as a multiple of the rate; 0 where there is no rate. */
  readonly pressureRatio: number;
  /** More is wanted than comes in. */
  readonly overloaded: boolean;
  readonly horizonMs: number;
}

const isActive = (lease: Lease, nowMs: number): boolean => nowMs - lease.heardAtMs <= ACTIVE_FOR_MS;

export function crowdOf(partition: Partition, nowMs: number): Crowd {
  let activeLessees = 0;
  let demand = 0;
  for (const lease of partition.leases.values()) {
    if (!isActive(lease, nowMs)) continue;
    activeLessees++;
    demand += lease.demandMicroPerSecond;
  }
  const rate = refillPerSecond(partition.spec);
  const used = Math.min(demand, rate);
  const fillsMs = used === 0 ? Number.POSITIVE_INFINITY : (capacityMicro(partition.spec) * 1_000) / used;
  return {
    activeLessees: Math.max(1, activeLessees),
    pressureRatio: rate === 0 ? 0 : demand / rate,
    overloaded: rate > 0 && demand > rate + noiseOf(rate),
    horizonMs: Math.min(LONGEST_HORIZON_MS, fillsMs),
  };
}

/** Demand is measured over about a second: by so much a stream of this rate looks higher now and then. */
function noiseOf(ratePerSecond: number): number {
  const tokens = ratePerSecond / MICRO_TOKENS_PER_TOKEN;
  return NOISE_DEVIATIONS * Math.sqrt(tokens / 2) * MICRO_TOKENS_PER_TOKEN;
}

/** Counts the lessee's credit up to now: at its max-min fair part of the rate, at most a second's worth or one token. */
export function earnCredit(partition: Partition, lease: Lease, nowMs: number): void {
  const sinceMs = nowMs - lease.sharedAtMs;
  lease.sharedAtMs = nowMs;
  const others = othersOf(partition, lease, nowMs, (other) => other.demandMicroPerSecond);
  const perSecond = fairShare(refillPerSecond(partition.spec), lease.demandMicroPerSecond, others);
  const earned = Math.max(0, lease.creditMicro) + (perSecond * sinceMs * CREDIT_MARGIN) / 1_000;
  lease.creditMicro = Math.min(Math.max(perSecond, MICRO_TOKENS_PER_TOKEN), earned);
}

/** What the lessee may have when there is not enough for all: its credit, and an equal part of what is free. */
export function entitlementMicro(partition: Partition, lease: Lease, crowd: Crowd): number {
  return Math.min(partition.freeMicro, lease.creditMicro + partition.freeMicro / crowd.activeLessees);
}

/** What it may have when there is enough: up to half of what is free, if others will not need it within a second. */
export function spareMicro(partition: Partition, lease: Lease, wantMicro: number, nowMs: number): number {
  const unmet = othersOf(partition, lease, nowMs, (other) =>
    Math.max(0, other.demandMicroPerSecond - other.remainingMicro),
  );
  return Math.min(partition.freeMicro / 2, fairShare(partition.freeMicro, wantMicro, unmet));
}

function othersOf(partition: Partition, mine: Lease, nowMs: number, of: (lease: Lease) => number): number[] {
  const amounts: number[] = [];
  for (const lease of partition.leases.values()) {
    if (lease !== mine && isActive(lease, nowMs)) amounts.push(of(lease));
  }
  return amounts;
}
