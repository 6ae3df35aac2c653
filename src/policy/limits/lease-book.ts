/**
 * The coordinator's side of the escrow lease: decides one call of one lessee over all partitions it names.
 *
 * In order: bring each partition to now; settle what the lessee held (spent, returned, or void); admit waiting requests,
 * each group all or nothing over its enforced partitions; then lease extra tokens. Waiting requests are debited as
 * spent; extra tokens move from free to outstanding. Guarantee: `free + outstanding <= capacity` stays, a refused
 * request debits nothing anywhere, nothing is ever credited but returned tokens and refill.
 *
 * Shares are max-min fair among active lessees by the demand they report; a lessee leases at most half of what is free,
 * so leases shrink as a bucket empties and no PoP can drain it. Below LOW_RATE_PER_LESSEE nothing is leased ahead:
 * lessees ask for each request. A lessee that got less than it wanted is told when to come back (PACE_*): that, not a
 * call per request, is what an overloaded tenant costs.
 *
 * Changes `partitions` in place. Cost: O(items × active lessees). Source: DESIGN section 4, `docs/limits.md`.
 */
import { fairShare } from "./fair-share.ts";
import {
  ACTIVE_FOR_MS,
  adoptSpec,
  advance,
  capacityMicro,
  isUntouched,
  type Lease,
  newPartition,
  type Partition,
  refillPerSecond,
} from "./partition.ts";
import {
  type LeaseCall,
  type LeaseDecision,
  type LeaseGrant,
  type LeaseItem,
  MICRO_TOKENS_PER_TOKEN,
  type WaitingGroup,
  type WaitingResult,
} from "./types.ts";

export const BUCKET_TTL_MS = 2_000;
/** Quotas do not refill, so a lease that is written off is lost to the tenant: it lives longer. */
export const QUOTA_TTL_MS = 30_000;
/** Partitions of one tenant object. Full ones make room; when none is full, new ones are refused. */
export const MAX_PARTITIONS = 10_000;
/** How far ahead a lessee's reported demand is reserved for it against others. */
const HORIZON_SECONDS = 1;
/** A lessee that expects to use less than this within the horizon is leased to only from a bucket half full. */
const SMALL_DEMAND_MICRO = 3 * MICRO_TOKENS_PER_TOKEN;
/** Tokens per second and active lessee below which nothing is leased ahead. */
const LOW_RATE_PER_LESSEE = 2;
/** A starved lessee comes back after about so many requests of its own, ... */
const PACE_REQUESTS = 16;
/** ... not sooner than this, ... */
const PACE_MIN_MS = 100;
/** ... and not later: a bucket must not fill up while it waits. */
const PACE_MAX_MS = 1_000;
/** The pace as a part of the time a bucket takes to fill. */
const PACE_BRIM_RATIO = 0.3;
const NOISE_DEVIATIONS = 2.5;
/** An exhausted quota is asked for again this often, so that a changed limit comes through. */
const QUOTA_PACE_MS = 10_000;

interface Seat {
  readonly item: LeaseItem;
  readonly partition: Partition;
  readonly lease: Lease;
  readonly heldVoid: boolean;
  /** Some waiting request found this partition short. */
  short: boolean;
}

/** Undefined: a new partition was named and there is no room for it; nothing was changed but expiry and refill. */
export function decideLease(
  partitions: Map<string, Partition>,
  call: LeaseCall,
  nowMs: number,
): LeaseDecision | undefined {
  if (!makeRoom(partitions, call, nowMs)) return undefined;
  const seats = call.items.map((item) => takeSeat(partitions, item, call, nowMs));
  const waiting = call.waiting.map((group) => admitWaiting(group, seats, call.lesseeId, nowMs));
  const grants = seats.map((seat) => grantExtra(seat, call, nowMs));
  return { decidedAtMs: nowMs, grants, waiting };
}

function makeRoom(partitions: Map<string, Partition>, call: LeaseCall, nowMs: number): boolean {
  const coming = call.items.filter((item) => !partitions.has(item.partition)).length;
  if (partitions.size + coming <= MAX_PARTITIONS) return true;
  for (const [name, partition] of partitions) {
    if (partitions.size + coming <= MAX_PARTITIONS) break;
    advance(partition, nowMs);
    if (isUntouched(partition)) partitions.delete(name);
  }
  return partitions.size + coming <= MAX_PARTITIONS;
}

function takeSeat(partitions: Map<string, Partition>, item: LeaseItem, call: LeaseCall, nowMs: number): Seat {
  let partition = partitions.get(item.partition);
  if (partition === undefined) {
    partition = newPartition(item.spec, call.configVersion, nowMs);
    partitions.set(item.partition, partition);
  } else {
    advance(partition, nowMs);
    adoptSpec(partition, item.spec, call.configVersion, nowMs);
  }
  let lease = partition.leases.get(call.lesseeId);
  if (lease === undefined) {
    lease = { remainingMicro: 0, expiresAtMs: nowMs, demandMicroPerSecond: 0, heardAtMs: nowMs };
    partition.leases.set(call.lesseeId, lease);
  }
  const heldVoid = settle(partition, lease, item);
  lease.demandMicroPerSecond = item.demandMicroPerSecond;
  lease.heardAtMs = nowMs;
  return { item, partition, lease, heldVoid, short: false };
}

/** Books what the lessee spent and returned. True: it claims more than it can have; all of it is written off. */
function settle(partition: Partition, lease: Lease, item: LeaseItem): boolean {
  const claimed = item.heldMicro + item.returnMicro;
  const before = lease.remainingMicro;
  const honest = claimed <= before;
  lease.remainingMicro = honest ? item.heldMicro : 0;
  partition.outstandingMicro -= before - lease.remainingMicro;
  if (honest) partition.freeMicro += item.returnMicro;
  return !honest;
}

function admitWaiting(group: WaitingGroup, seats: readonly Seat[], lesseeId: string, nowMs: number): WaitingResult {
  const enforced = seatsOf(group.enforced, seats);
  let admitted = group.count;
  for (const seat of enforced) {
    admitted = Math.min(admitted, affordable(seat, group, lesseeId, nowMs));
  }
  const violated: number[] = [];
  if (admitted < group.count) {
    for (const index of group.enforced) {
      const seat = seats[index];
      if (seat === undefined || affordable(seat, group, lesseeId, nowMs) > admitted) continue;
      seat.short = true;
      violated.push(index);
    }
  }
  for (const seat of enforced) seat.partition.freeMicro -= admitted * group.costMicro;
  const shadowRefused = seatsOf(group.shadow, seats).map((seat) => {
    const paid = Math.min(admitted, Math.floor(seat.partition.freeMicro / group.costMicro));
    seat.partition.freeMicro -= paid * group.costMicro;
    if (paid < admitted) seat.short = true;
    return admitted - paid;
  });
  return { admitted, shadowRefused, violated, retryAfterMs: retryAfter(violated, seats, group.costMicro, nowMs) };
}

function seatsOf(indexes: readonly number[], seats: readonly Seat[]): Seat[] {
  return indexes.flatMap((index) => seats[index] ?? []);
}

/** How many of the group this partition can pay for, others' fair shares left aside; one, if there is one at all. */
function affordable(seat: Seat, group: WaitingGroup, lesseeId: string, nowMs: number): number {
  const { freeMicro } = seat.partition;
  const all = Math.floor(freeMicro / group.costMicro);
  if (all >= group.count && seat.partition.leases.size === 1) return group.count;
  if (all <= 1) return Math.min(all, group.count);
  const wanted = group.count * group.costMicro;
  const share = fairShare(freeMicro, wanted, unmetDemand(seat.partition, lesseeId, nowMs));
  return Math.min(group.count, Math.max(1, Math.floor(share / group.costMicro)));
}

/** What the other active lessees will want within the horizon and do not hold yet. */
function unmetDemand(partition: Partition, lesseeId: string, nowMs: number): number[] {
  const unmet: number[] = [];
  for (const [id, lease] of partition.leases) {
    if (id === lesseeId || nowMs - lease.heardAtMs > ACTIVE_FOR_MS) continue;
    unmet.push(Math.max(0, lease.demandMicroPerSecond * HORIZON_SECONDS - lease.remainingMicro));
  }
  return unmet;
}

function grantExtra(seat: Seat, call: LeaseCall, nowMs: number): LeaseGrant {
  const { item, partition, lease } = seat;
  const { spec } = partition;
  const ratePerSecond = refillPerSecond(spec);
  const { count: activeLessees, demand } = activity(partition, nowMs);
  const direct = spec.kind === "bucket" && ratePerSecond < LOW_RATE_PER_LESSEE * activeLessees * MICRO_TOKENS_PER_TOKEN;
  // Tokens in the hands of a lessee that hardly uses them lie idle: only where there are plenty.
  const idle = item.demandMicroPerSecond * HORIZON_SECONDS < SMALL_DEMAND_MICRO;
  const mayLease = !direct && !seat.short && !(idle && partition.freeMicro < capacityMicro(spec) / 2);
  let grantedMicro = 0;
  if (mayLease && item.wantMicro > 0) {
    const share = fairShare(partition.freeMicro, item.wantMicro, unmetDemand(partition, call.lesseeId, nowMs));
    const tokens = Math.floor(Math.min(share, partition.freeMicro / 2) / MICRO_TOKENS_PER_TOKEN);
    grantedMicro = tokens * MICRO_TOKENS_PER_TOKEN;
    partition.freeMicro -= grantedMicro;
    partition.outstandingMicro += grantedMicro;
    lease.remainingMicro += grantedMicro;
  }
  const ttlMs = spec.kind === "bucket" ? BUCKET_TTL_MS : QUOTA_TTL_MS;
  lease.expiresAtMs = nowMs + ttlMs;
  const overloaded =
    ratePerSecond > 0 && demand > overloadAbove(ratePerSecond) && mayLease && grantedMicro < item.wantMicro;
  return {
    epoch: partition.epoch,
    grantedMicro,
    heldVoid: seat.heldVoid,
    ttlMs,
    askAgainMs: seat.short || overloaded ? pace(seat, ratePerSecond, direct) : 0,
    direct,
    freeMicro: partition.freeMicro,
    resetMs: resetAfter(partition, ratePerSecond, nowMs),
    activeLessees,
  };
}

function resetAfter(partition: Partition, ratePerSecond: number, nowMs: number): number {
  if (ratePerSecond === 0) return Math.max(0, partition.periodEndsAtMs - nowMs);
  return Math.ceil(((capacityMicro(partition.spec) - partition.freeMicro) * 1_000) / ratePerSecond);
}

function activity(partition: Partition, nowMs: number): { count: number; demand: number } {
  let count = 0;
  let demand = 0;
  for (const lease of partition.leases.values()) {
    if (nowMs - lease.heardAtMs > ACTIVE_FOR_MS) continue;
    count++;
    demand += lease.demandMicroPerSecond;
  }
  return { count: Math.max(1, count), demand };
}

/** Demand is measured over about a second, so a steady stream at the rate looks this much higher now and then. */
function overloadAbove(ratePerSecond: number): number {
  const tokens = ratePerSecond / MICRO_TOKENS_PER_TOKEN;
  return (tokens + NOISE_DEVIATIONS * Math.sqrt(tokens / 2)) * MICRO_TOKENS_PER_TOKEN;
}

function pace(seat: Seat, ratePerSecond: number, direct: boolean): number {
  const { item, partition } = seat;
  if (ratePerSecond === 0) return QUOTA_PACE_MS;
  const ownMs = (PACE_REQUESTS * MICRO_TOKENS_PER_TOKEN * 1_000) / Math.max(1, item.demandMicroPerSecond);
  // What is free and what is leased grow with the pace; together they must stay below the brim.
  const brimMs = (capacityMicro(partition.spec) * 1_000 * PACE_BRIM_RATIO) / ratePerSecond;
  const latestMs = direct ? Math.max(PACE_MIN_MS, (MICRO_TOKENS_PER_TOKEN * 1_000) / ratePerSecond) : PACE_MAX_MS;
  return Math.ceil(Math.max(Math.min(PACE_MIN_MS, brimMs), Math.min(ownMs, brimMs, latestMs)));
}

/** Until the cost is there in the shortest of the violated partitions; at least 50 ms. */
function retryAfter(violated: readonly number[], seats: readonly Seat[], costMicro: number, nowMs: number): number {
  let waitMs = 0;
  for (const { partition } of seatsOf(violated, seats)) {
    const missing = Math.max(0, costMicro - partition.freeMicro);
    const ratePerSecond = refillPerSecond(partition.spec);
    const untilMs = ratePerSecond === 0 ? partition.periodEndsAtMs - nowMs : (missing * 1_000) / ratePerSecond;
    waitMs = Math.max(waitMs, untilMs);
  }
  return Math.max(50, Math.ceil(waitMs));
}
