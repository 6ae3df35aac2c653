/**
 * One partition as its coordinator keeps it: free tokens, what is leased and unspent, and the exact rest of the refill.
 *
 * Guarantee: `freeMicro + outstandingMicro <= capacity` after every function here, all amounts non-negative integers;
 * so in every window (s, t] at most capacity + rate·(t−s) can be admitted. Refill is exact: the fraction that a refill
 * leaves over is carried, never lost and never rounded up. Time never goes backwards; after a clock stepped back by more
 * than CLOCK_STEP_MS the partition starts counting anew from there, without refill for the time in between.
 * Cost: O(1) for refill, O(leases) for expiry. Source: DESIGN section 4.
 */
import { periodEndMs } from "./calendar.ts";
import type { LimitSpec, TokenBucketSpec } from "./types.ts";

/** Tokens a lessee holds: debited here, spent there until the expiry. */
export interface Lease {
  /** Upper bound of what the lessee may still spend. */
  remainingMicro: number;
  expiresAtMs: number;
  /** In the last `meltMs` of its life no more is left than an even part of `lineMicro`; 0: it all ends at once. */
  lineMicro: number;
  meltMs: number;
  /** What the lessee last said it uses, micro-tokens per second. */
  demandMicroPerSecond: number;
  heardAtMs: number;
  /** Of its fair share, what it has not used lately; counted up to `sharedAtMs`. Only an order among lessees. */
  creditMicro: number;
  sharedAtMs: number;
}

export interface Partition {
  spec: LimitSpec;
  /** Config version the spec came with, and when it was last heard. */
  specVersion: number;
  specSeenAtMs: number;
  /** Grows when the spec changes. */
  epoch: number;
  freeMicro: number;
  /** Costs known after the response that free tokens could not pay: refill pays them first. At most the capacity. */
  debtMicro: number;
  /** Quotas: written off with leases that ran out, in this period. */
  writtenOffMicro: number;
  /** Always the sum of the leases' `remainingMicro`. */
  outstandingMicro: number;
  refilledAtMs: number;
  /** Rest of the refill fraction, 0 <= carry < refillDenominator. */
  carry: number;
  /** Quotas: when the period ends; 0 for buckets. */
  periodEndsAtMs: number;
  readonly leases: Map<string, Lease>;
}

/** The lessee stops by its own clock before this is over; covers its frozen clock within one event. */
export const LEASE_GRACE_MS = 250;
/** A lease with nothing left is forgotten after so long: until then it says what its lessee wants. */
const LEASE_FORGOTTEN_MS = 3_000;
const CLOCK_STEP_MS = 1_000;
/** An older config version is taken again when the newer has not been heard for this long (a rolled-back deploy). */
const SPEC_FORGOTTEN_MS = 60_000;

export function capacityMicro(spec: LimitSpec): number {
  switch (spec.kind) {
    case "bucket":
      return spec.burstMicro;
    case "quota":
      return spec.quotaMicro;
    case "slots":
      return spec.slotsMicro;
  }
}

/** A partition nobody has used: full. Only for one that has no stored row. */
export function newPartition(spec: LimitSpec, specVersion: number, nowMs: number): Partition {
  return {
    spec,
    specVersion,
    specSeenAtMs: nowMs,
    epoch: 1,
    freeMicro: capacityMicro(spec),
    debtMicro: 0,
    writtenOffMicro: 0,
    outstandingMicro: 0,
    refilledAtMs: nowMs,
    carry: 0,
    periodEndsAtMs: spec.kind === "quota" ? periodEndMs(nowMs, spec.period, spec.timeZone) : 0,
    leases: new Map(),
  };
}

export function newLease(nowMs: number): Lease {
  return {
    remainingMicro: 0,
    expiresAtMs: nowMs,
    lineMicro: 0,
    meltMs: 0,
    demandMicroPerSecond: 0,
    heardAtMs: nowMs,
    creditMicro: 0,
    sharedAtMs: nowMs,
  };
}

/** Brings the partition to `nowMs`: leases that ran out are written off, then tokens come in. */
export function advance(partition: Partition, nowMs: number): void {
  expireLeases(partition, nowMs);
  refill(partition, nowMs);
}

function expireLeases(partition: Partition, nowMs: number): void {
  for (const [lesseeId, lease] of partition.leases) {
    const left = leftOfLease(lease, nowMs - LEASE_GRACE_MS);
    if (left < lease.remainingMicro) {
      const gone = lease.remainingMicro - left;
      partition.outstandingMicro -= gone;
      // Written off: it may have been spent, so it never comes back. Slots do: nothing is spent of them.
      if (partition.spec.kind === "quota") partition.writtenOffMicro += gone;
      lease.remainingMicro = left;
    }
    if (lease.remainingMicro === 0 && nowMs - lease.heardAtMs > LEASE_FORGOTTEN_MS) partition.leases.delete(lesseeId);
  }
  countFreeSlots(partition);
}

/** What may be left at `atMs`. Its lessee counts the same from an earlier moment, so it never has more. */
function leftOfLease({ remainingMicro, expiresAtMs, lineMicro, meltMs }: Lease, atMs: number): number {
  return Math.min(remainingMicro, mostLeft(lineMicro, meltMs, expiresAtMs - atMs));
}

/**
 * The most that may be left of a lease of `lineMicro` with `leftMs` of its life to go. A lease that melts makes room for
 * refill bit by bit, instead of all at once when it ends.
 */
export function mostLeft(lineMicro: number, meltMs: number, leftMs: number): number {
  if (leftMs <= 0) return 0;
  return leftMs >= meltMs ? lineMicro : Math.floor((lineMicro * leftMs) / meltMs);
}

/** Slots are not used up: what is not leased is free. Nothing to do for tokens. */
export function countFreeSlots(partition: Partition): void {
  const { spec, outstandingMicro } = partition;
  if (spec.kind === "slots") partition.freeMicro = Math.max(0, spec.slotsMicro - outstandingMicro);
}

function refill(partition: Partition, nowMs: number): void {
  if (nowMs < partition.refilledAtMs - CLOCK_STEP_MS) partition.refilledAtMs = nowMs;
  const elapsedMs = nowMs - partition.refilledAtMs;
  if (elapsedMs <= 0) return;
  const { spec } = partition;
  partition.refilledAtMs = nowMs;
  switch (spec.kind) {
    case "slots":
      return;
    case "quota":
      if (nowMs >= partition.periodEndsAtMs) beginPeriod(partition, periodEndMs(nowMs, spec.period, spec.timeZone));
      return;
    case "bucket":
      refillBucket(partition, spec, elapsedMs);
  }
}

/** The budget anew, but for what is still leased and what is owed. Refunds of the period before no longer count. */
function beginPeriod(partition: Partition, endsAtMs: number): void {
  partition.periodEndsAtMs = endsAtMs;
  partition.epoch++;
  partition.writtenOffMicro = 0;
  credit(partition, roomMicro(partition));
}

function refillBucket(partition: Partition, spec: TokenBucketSpec, elapsedMs: number): void {
  const room = roomMicro(partition);
  // Below the time to full, elapsed × numerator stays a safe integer (config/units.ts, isExact).
  const fullAfterMs = Math.ceil((room * spec.refillDenominator - partition.carry) / spec.refillNumerator);
  if (elapsedMs >= fullAfterMs) {
    credit(partition, room);
    partition.carry = 0;
    return;
  }
  const parts = elapsedMs * spec.refillNumerator + partition.carry;
  const gain = Math.floor(parts / spec.refillDenominator);
  credit(partition, gain);
  partition.carry = parts - gain * spec.refillDenominator;
}

/** What may come in until the partition is full: free, leased and owed add up to the capacity then. */
function roomMicro(partition: Partition): number {
  const { freeMicro, outstandingMicro, debtMicro } = partition;
  return Math.max(0, capacityMicro(partition.spec) - outstandingMicro - freeMicro) + debtMicro;
}

/** What comes in pays what is owed, then is free. */
function credit(partition: Partition, amountMicro: number): void {
  const paid = Math.min(partition.debtMicro, amountMicro);
  partition.debtMicro -= paid;
  partition.freeMicro += amountMicro - paid;
}

/** Takes tokens back that were leased: they pay what is owed, then are free; not beyond a limit that has shrunk. */
export function giveBack(partition: Partition, amountMicro: number): void {
  credit(partition, Math.min(amountMicro, roomMicro(partition)));
}

/** Charges a cost that is known only now: free tokens pay, the rest is owed, up to the capacity. */
export function chargeDebt(partition: Partition, costMicro: number): void {
  const paid = Math.min(partition.freeMicro, costMicro);
  partition.freeMicro -= paid;
  partition.debtMicro = Math.min(capacityMicro(partition.spec), partition.debtMicro + costMicro - paid);
}

/** Gives quota back for an origin call that failed, in the period it was spent in; never beyond the quota. */
export function refundQuota(partition: Partition, amountMicro: number, epoch: number): void {
  if (partition.spec.kind !== "quota" || epoch !== partition.epoch) return;
  giveBack(partition, amountMicro);
}

/** Takes a changed spec: what is free shrinks with the capacity and never grows with it. */
export function adoptSpec(partition: Partition, spec: LimitSpec, specVersion: number, nowMs: number): void {
  if (specVersion < partition.specVersion && nowMs - partition.specSeenAtMs <= SPEC_FORGOTTEN_MS) return;
  partition.specVersion = specVersion;
  partition.specSeenAtMs = nowMs;
  if (sameSpec(partition.spec, spec)) return;
  // Free slots are no tokens: a bucket that was slots for a while would come back full.
  if (partition.spec.kind === "slots" && spec.kind !== "slots") partition.freeMicro = 0;
  partition.spec = spec;
  partition.epoch++;
  partition.carry = 0;
  partition.refilledAtMs = nowMs;
  partition.periodEndsAtMs = spec.kind === "quota" ? periodEndMs(nowMs, spec.period, spec.timeZone) : 0;
  const capacity = capacityMicro(spec);
  partition.freeMicro = Math.min(partition.freeMicro, Math.max(0, capacity - partition.outstandingMicro));
  partition.debtMicro = Math.min(partition.debtMicro, capacity);
  countFreeSlots(partition);
}

export function sameSpec(a: LimitSpec, b: LimitSpec): boolean {
  if (a.kind === "bucket" && b.kind === "bucket") {
    return (
      a.burstMicro === b.burstMicro &&
      a.refillNumerator === b.refillNumerator &&
      a.refillDenominator === b.refillDenominator
    );
  }
  if (a.kind === "quota" && b.kind === "quota") {
    return a.quotaMicro === b.quotaMicro && a.period === b.period && a.timeZone === b.timeZone;
  }
  return a.kind === "slots" && b.kind === "slots" && a.slotsMicro === b.slotsMicro;
}

/** Full and nothing leased: its row may go, because a missing row means a full partition. */
export function isUntouched(partition: Partition): boolean {
  const { outstandingMicro, debtMicro, freeMicro, spec } = partition;
  return outstandingMicro === 0 && debtMicro === 0 && freeMicro >= capacityMicro(spec);
}

/** Micro-tokens per second; 0 for quotas and slots. */
export function refillPerSecond(spec: LimitSpec): number {
  return spec.kind === "bucket" ? (spec.refillNumerator * 1_000) / spec.refillDenominator : 0;
}
