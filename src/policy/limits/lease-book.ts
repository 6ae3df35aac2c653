/**
 * The coordinator's side of the escrow lease: decides one call of one lessee over all partitions it names.
 *
 * In order: bring each partition to now; settle what the lessee spent, returned, owes or gets back; admit waiting requests,
 * each group all or nothing over its enforced partitions; then lease extra tokens. Waiting requests are debited as spent;
 * extra tokens move from free to outstanding. Guarantee: `free + outstanding <= capacity` stays, a refused request debits
 * nothing anywhere, nothing is ever credited but returned tokens, refunded quota and refill.
 *
 * Who gets how much is in `shares.ts`. Below LOW_RATE_PER_LESSEE, and where a bucket is too small for what is on its way,
 * nothing is leased ahead: lessees ask for each request. A lessee that got less than it wanted is told when to come back
 * (PACE_*): that, not a call per request, is what an overloaded tenant costs.
 *
 * Changes `partitions` in place. Cost: O(items × active lessees × log). Source: DESIGN section 4, `docs/limits.md`.
 */
import {
  adoptSpec,
  advance,
  capacityMicro,
  chargeDebt,
  countFreeSlots,
  giveBack,
  isUntouched,
  type Lease,
  newLease,
  newPartition,
  type Partition,
  refillPerSecond,
  refundQuota,
} from "./partition.ts";
import { type Crowd, crowdOf, earnCredit, entitlementMicro, spareMicro } from "./shares.ts";
import {
  type LeaseCall,
  type LeaseDecision,
  type LeaseGrant,
  type LeaseItem,
  type LimitSpec,
  MICRO_TOKENS_PER_TOKEN,
  SLOT_MICRO,
  type WaitingGroup,
  type WaitingResult,
} from "./types.ts";

/** A lease of a bucket lives for so many horizons, and not shorter than BUCKET_TTL_MS; it melts in the last part. */
const TTL_HORIZONS = 2;
export const BUCKET_TTL_MS = 1_000;
const MELTING_RATIO = 0.5;
/** Quotas do not refill, so a lease that is written off is lost to the tenant: it lives longer. */
export const QUOTA_TTL_MS = 30_000;
/** A slot of an isolate that is gone is free again after so long; those in use are renewed well before. */
export const SLOTS_TTL_MS = 10_000;
/** Longer than any, so that a clock that stepped back makes no lease live for ever. */
const LONGEST_TTL_MS = QUOTA_TTL_MS;
/** Partitions of one tenant object. Full ones make room; when none is full, new ones are refused. */
export const MAX_PARTITIONS = 10_000;
/** Tokens per second (or slots) and active lessee below which nothing is leased ahead. */
const LOW_RATE_PER_LESSEE = 3;
/** Less than this is not worth leasing ahead: it would be spent before the reply is there. */
const LEAST_LEASE_MICRO = 3 * MICRO_TOKENS_PER_TOKEN;
/** A starved lessee comes back after about so many requests of its own, ... */
const PACE_REQUESTS = 16;
/** ... not sooner than this, ... */
const PACE_MIN_MS = 100;
/** ... and not later: a bucket must not fill up while it waits, ... */
const PACE_MAX_MS = 1_000;
/** ... not even by this part for each multiple of the rate that is wanted (the bucket is the emptier for it), ... */
const PACE_FILL_RATIO = 0.2;
/** ... and never by more than this. */
const PACE_FILL_AT_MOST_RATIO = 0.5;
/** An exhausted quota is asked for again this often, so that a changed limit comes through. */
const QUOTA_PACE_MS = 10_000;
/** When no slot is free, the next is asked for after so long, and a caller is told to come back after a second. */
const SLOTS_PACE_MS = 50;
const SLOTS_RETRY_MS = 1_000;
/** Of all slots: when fewer are free, they are handed out one by one. */
const SCARCE_SLOTS_RATIO = 0.25;
const LEAST_RETRY_MS = 50;

interface Seat {
  readonly item: LeaseItem;
  readonly partition: Partition;
  readonly lease: Lease;
  readonly crowd: Crowd;
  /** Some waiting request found this partition short. */
  short: boolean;
}

export function decideLease(partitions: Map<string, Partition>, call: LeaseCall, nowMs: number): LeaseDecision {
  const seats = call.items.map((item) => takeSeat(partitions, item, call, nowMs));
  const waiting = call.waiting.map((group) => admitWaiting(group, seats, nowMs));
  const grants = seats.map((seat) => grantExtra(seat, nowMs));
  return { decidedAtMs: nowMs, grants, waiting };
}

/** Removes full partitions when the call's new ones find no room. The names removed; undefined: still no room. */
export function makeRoom(
  partitions: Map<string, Partition>,
  call: LeaseCall,
  nowMs: number,
): readonly string[] | undefined {
  const coming = call.items.filter((item) => !partitions.has(item.partition)).length;
  const removed: string[] = [];
  for (const [name, partition] of partitions) {
    if (partitions.size - removed.length + coming <= MAX_PARTITIONS) break;
    advance(partition, nowMs);
    if (isUntouched(partition) && !call.items.some((item) => item.partition === name)) removed.push(name);
  }
  // Not one less than needed: the caller removes from storage what is removed here, or nothing at all.
  if (partitions.size - removed.length + coming > MAX_PARTITIONS) return undefined;
  for (const name of removed) partitions.delete(name);
  return removed;
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
    lease = newLease(nowMs);
    partition.leases.set(call.lesseeId, lease);
  }
  settle(partition, lease, item);
  if (item.refundMicro !== undefined) refundQuota(partition, item.refundMicro, item.epoch ?? 0);
  if (item.debtMicro !== undefined) chargeDebt(partition, item.debtMicro);
  lease.demandMicroPerSecond = item.demandMicroPerSecond;
  lease.heardAtMs = nowMs;
  earnCredit(partition, lease, nowMs);
  return { item, partition, lease, crowd: crowdOf(partition, nowMs), short: false };
}

/**
 * Books what the lessee spent and returned. It may claim more than is left here, when the call was long under way or the
 * lease was written off: only what is left counts, and its reply says so. Slots in use there are taken again, if free.
 */
function settle(partition: Partition, lease: Lease, item: LeaseItem): void {
  const before = lease.remainingMicro;
  const isSlots = partition.spec.kind === "slots";
  const most = isSlots ? before + partition.freeMicro : before;
  lease.remainingMicro = Math.min(item.heldMicro, most);
  partition.outstandingMicro += lease.remainingMicro - before;
  if (isSlots) countFreeSlots(partition);
  else giveBack(partition, Math.min(item.returnMicro, before - lease.remainingMicro));
}

/** One request takes one slot, whatever it costs in tokens. */
const costOf = (spec: LimitSpec, costMicro: number): number => (spec.kind === "slots" ? SLOT_MICRO : costMicro);

function admitWaiting(group: WaitingGroup, seats: readonly Seat[], nowMs: number): WaitingResult {
  const enforced = seatsOf(group.enforced, seats);
  let admitted = group.count;
  for (const seat of enforced) admitted = Math.min(admitted, affordable(seat, group));
  const violated: number[] = [];
  if (admitted < group.count) {
    for (const index of group.enforced) {
      const seat = seats[index];
      if (seat === undefined || affordable(seat, group) > admitted) continue;
      seat.short = true;
      violated.push(index);
    }
  }
  for (const seat of enforced) pay(seat, admitted, group.costMicro);
  const shadowRefused = seatsOf(group.shadow, seats).map((seat) => {
    const { freeMicro, spec } = seat.partition;
    const paid = Math.min(admitted, Math.floor(freeMicro / costOf(spec, group.costMicro)));
    pay(seat, paid, group.costMicro);
    if (paid < admitted) seat.short = true;
    return admitted - paid;
  });
  return { admitted, shadowRefused, violated, retryAfterMs: retryAfter(violated, seats, group.costMicro, nowMs) };
}

/** Tokens are spent with that; a slot is leased until it comes back. */
function pay({ partition, lease }: Seat, requests: number, costMicro: number): void {
  const amount = requests * costOf(partition.spec, costMicro);
  partition.freeMicro -= amount;
  lease.creditMicro -= amount;
  if (partition.spec.kind !== "slots") return;
  partition.outstandingMicro += amount;
  lease.remainingMicro += amount;
}

function seatsOf(indexes: readonly number[], seats: readonly Seat[]): Seat[] {
  return indexes.flatMap((index) => seats[index] ?? []);
}

/** How many of the group this partition can pay for. With more wanted than comes in: of its share, and one at least. */
function affordable({ partition, lease, crowd }: Seat, group: WaitingGroup): number {
  const costMicro = costOf(partition.spec, group.costMicro);
  const all = Math.min(group.count, Math.floor(partition.freeMicro / costMicro));
  if (!crowd.overloaded || all <= 1) return all;
  return Math.min(all, Math.max(1, Math.floor(entitlementMicro(partition, lease, crowd) / costMicro)));
}

function grantExtra(seat: Seat, nowMs: number): LeaseGrant {
  const { partition, lease, crowd } = seat;
  const { spec } = partition;
  const direct = isDirect(partition, crowd);
  const wantMicro = direct || seat.short ? 0 : wanted(seat);
  const grantedMicro = wholeTokens(Math.min(wantMicro, share(seat, wantMicro, nowMs)));
  partition.freeMicro -= grantedMicro;
  partition.outstandingMicro += grantedMicro;
  lease.remainingMicro += grantedMicro;
  lease.creditMicro -= grantedMicro;
  // Not shorter than the lease before: its lessee lives by that until it has this reply, which may be lost.
  const ttlMs = Math.max(lifeMs(spec, crowd), Math.min(LONGEST_TTL_MS, lease.expiresAtMs - nowMs));
  lease.expiresAtMs = nowMs + ttlMs;
  lease.lineMicro = lease.remainingMicro;
  lease.meltMs = spec.kind === "bucket" ? Math.round(ttlMs * MELTING_RATIO) : 0;
  const starved = seat.short || (crowd.overloaded && grantedMicro < wantMicro);
  return {
    epoch: partition.epoch,
    grantedMicro,
    leasedMicro: lease.remainingMicro,
    ttlMs,
    meltMs: lease.meltMs,
    horizonMs: crowd.horizonMs,
    askAgainMs: starved ? pace(seat, direct) : 0,
    direct,
    freeMicro: partition.freeMicro,
    resetMs: resetAfter(partition, nowMs),
    activeLessees: crowd.activeLessees,
  };
}

/** Too little for each to lease ahead: every request asks. Of slots also when few are left: none is to lie idle elsewhere. */
function isDirect({ spec, freeMicro }: Partition, { activeLessees }: Crowd): boolean {
  if (spec.kind === "quota") return false;
  const perSecond = spec.kind === "slots" ? spec.slotsMicro : refillPerSecond(spec);
  const scarce = spec.kind === "slots" && freeMicro < spec.slotsMicro * SCARCE_SLOTS_RATIO;
  return scarce || perSecond < LOW_RATE_PER_LESSEE * activeLessees * MICRO_TOKENS_PER_TOKEN;
}

/** What to lease ahead: all that the lessee asks for while there is plenty, else what it will use within the horizon. */
function wanted({ item, partition, crowd }: Seat): number {
  const { spec, freeMicro } = partition;
  const plenty = !crowd.overloaded && crowd.horizonMs >= 1_000 && freeMicro > capacityMicro(spec) / 2;
  if (spec.kind !== "bucket" || plenty) return item.wantMicro;
  const expected = (item.demandMicroPerSecond * crowd.horizonMs) / 1_000;
  return expected < LEAST_LEASE_MICRO ? 0 : wholeTokens(Math.min(item.wantMicro, expected - item.heldMicro));
}

function share({ partition, lease, crowd }: Seat, wantMicro: number, nowMs: number): number {
  const entitled = entitlementMicro(partition, lease, crowd);
  return crowd.overloaded ? entitled : Math.max(entitled, spareMicro(partition, lease, wantMicro, nowMs));
}

const wholeTokens = (micro: number): number =>
  Math.max(0, Math.floor(micro / MICRO_TOKENS_PER_TOKEN)) * MICRO_TOKENS_PER_TOKEN;

function lifeMs(spec: LimitSpec, { horizonMs }: Crowd): number {
  switch (spec.kind) {
    case "bucket":
      return Math.round(Math.max(BUCKET_TTL_MS, TTL_HORIZONS * horizonMs));
    case "quota":
      return QUOTA_TTL_MS;
    case "slots":
      return SLOTS_TTL_MS;
  }
}

/** When a lessee that got too little may come again. */
function pace({ item, partition, crowd }: Seat, direct: boolean): number {
  const { spec } = partition;
  if (spec.kind === "slots") return SLOTS_PACE_MS;
  if (spec.kind === "quota") return QUOTA_PACE_MS;
  const ratePerSecond = refillPerSecond(spec);
  const ownMs = (PACE_REQUESTS * MICRO_TOKENS_PER_TOKEN * 1_000) / Math.max(1, item.demandMicroPerSecond);
  const fillRatio = Math.min(PACE_FILL_AT_MOST_RATIO, PACE_FILL_RATIO * Math.max(1, crowd.pressureRatio));
  const fillMs = (capacityMicro(spec) * 1_000 * fillRatio) / ratePerSecond;
  const latestMs = direct ? Math.max(PACE_MIN_MS, (MICRO_TOKENS_PER_TOKEN * 1_000) / ratePerSecond) : PACE_MAX_MS;
  return Math.ceil(Math.max(Math.min(PACE_MIN_MS, fillMs), Math.min(ownMs, fillMs, latestMs)));
}

/** Until the bucket is full, or the quota's period ends. */
function resetAfter({ spec, freeMicro, debtMicro, periodEndsAtMs }: Partition, nowMs: number): number {
  switch (spec.kind) {
    case "slots":
      return 0;
    case "quota":
      return Math.max(0, periodEndsAtMs - nowMs);
    case "bucket":
      return Math.ceil(((spec.burstMicro + debtMicro - freeMicro) * 1_000) / refillPerSecond(spec));
  }
}

/** Until the cost is there in all of the violated partitions. */
function retryAfter(violated: readonly number[], seats: readonly Seat[], costMicro: number, nowMs: number): number {
  let waitMs = LEAST_RETRY_MS;
  for (const { partition } of seatsOf(violated, seats)) {
    waitMs = Math.max(waitMs, untilAffordable(partition, costMicro, nowMs));
  }
  return Math.ceil(waitMs);
}

function untilAffordable({ spec, freeMicro, debtMicro, periodEndsAtMs }: Partition, costMicro: number, nowMs: number) {
  switch (spec.kind) {
    case "slots":
      return SLOTS_RETRY_MS;
    case "quota":
      return periodEndsAtMs - nowMs;
    case "bucket":
      return (Math.max(0, costMicro + debtMicro - freeMicro) * 1_000) / refillPerSecond(spec);
  }
}
