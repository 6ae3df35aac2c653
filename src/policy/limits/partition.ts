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
import type { LimitSpec } from "./types.ts";

/** Tokens a lessee holds: debited here, spent there until the expiry. */
export interface Lease {
  remainingMicro: number;
  expiresAtMs: number;
  /** What the lessee last said it uses, micro-tokens per second. */
  demandMicroPerSecond: number;
  heardAtMs: number;
}

export interface Partition {
  spec: LimitSpec;
  /** Config version the spec came with, and when it was last heard. */
  specVersion: number;
  specSeenAtMs: number;
  /** Grows when the spec changes. */
  epoch: number;
  freeMicro: number;
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
/** A lessee not heard for this long no longer counts as active. */
export const ACTIVE_FOR_MS = 3_000;
const CLOCK_STEP_MS = 1_000;
/** An older config version is taken again when the newer has not been heard for this long (a rolled-back deploy). */
const SPEC_FORGOTTEN_MS = 60_000;

export function capacityMicro(spec: LimitSpec): number {
  return spec.kind === "bucket" ? spec.burstMicro : spec.quotaMicro;
}

/** A partition nobody has used: full. Only for one that has no stored row. */
export function newPartition(spec: LimitSpec, specVersion: number, nowMs: number): Partition {
  return {
    spec,
    specVersion,
    specSeenAtMs: nowMs,
    epoch: 1,
    freeMicro: capacityMicro(spec),
    outstandingMicro: 0,
    refilledAtMs: nowMs,
    carry: 0,
    periodEndsAtMs: spec.kind === "quota" ? periodEndMs(nowMs, spec.period, spec.timeZone) : 0,
    leases: new Map(),
  };
}

/** Brings the partition to `nowMs`: leases that ran out are written off, then tokens come in. */
export function advance(partition: Partition, nowMs: number): void {
  expireLeases(partition, nowMs);
  refill(partition, nowMs);
}

function expireLeases(partition: Partition, nowMs: number): void {
  for (const [lesseeId, lease] of partition.leases) {
    if (lease.remainingMicro > 0 && nowMs > lease.expiresAtMs + LEASE_GRACE_MS) {
      // Written off: it may have been spent, so it never comes back.
      partition.outstandingMicro -= lease.remainingMicro;
      lease.remainingMicro = 0;
    }
    if (lease.remainingMicro === 0 && nowMs - lease.heardAtMs > ACTIVE_FOR_MS) partition.leases.delete(lesseeId);
  }
}

function refill(partition: Partition, nowMs: number): void {
  if (nowMs < partition.refilledAtMs - CLOCK_STEP_MS) partition.refilledAtMs = nowMs;
  const elapsedMs = nowMs - partition.refilledAtMs;
  if (elapsedMs <= 0) return;
  const { spec } = partition;
  const room = Math.max(0, capacityMicro(spec) - partition.outstandingMicro - partition.freeMicro);
  partition.refilledAtMs = nowMs;
  if (spec.kind === "quota") {
    if (nowMs < partition.periodEndsAtMs) return;
    partition.freeMicro += room;
    partition.periodEndsAtMs = periodEndMs(nowMs, spec.period, spec.timeZone);
    return;
  }
  // Below the time to full, elapsed × numerator stays a safe integer (config/units.ts, isExact).
  const fullAfterMs = Math.ceil((room * spec.refillDenominator - partition.carry) / spec.refillNumerator);
  if (elapsedMs >= fullAfterMs) {
    partition.freeMicro += room;
    partition.carry = 0;
    return;
  }
  const parts = elapsedMs * spec.refillNumerator + partition.carry;
  const gain = Math.floor(parts / spec.refillDenominator);
  partition.freeMicro += gain;
  partition.carry = parts - gain * spec.refillDenominator;
}

/** Takes a changed spec: what is free shrinks with the capacity and never grows with it. */
export function adoptSpec(partition: Partition, spec: LimitSpec, specVersion: number, nowMs: number): void {
  if (specVersion < partition.specVersion && nowMs - partition.specSeenAtMs <= SPEC_FORGOTTEN_MS) return;
  partition.specVersion = specVersion;
  partition.specSeenAtMs = nowMs;
  if (sameSpec(partition.spec, spec)) return;
  partition.spec = spec;
  partition.epoch++;
  partition.carry = 0;
  partition.refilledAtMs = nowMs;
  partition.periodEndsAtMs = spec.kind === "quota" ? periodEndMs(nowMs, spec.period, spec.timeZone) : 0;
  const room = Math.max(0, capacityMicro(spec) - partition.outstandingMicro);
  partition.freeMicro = Math.min(partition.freeMicro, room);
}

export function sameSpec(a: LimitSpec, b: LimitSpec): boolean {
  if (a.kind === "bucket" && b.kind === "bucket") {
    return (
      a.burstMicro === b.burstMicro &&
      a.refillNumerator === b.refillNumerator &&
      a.refillDenominator === b.refillDenominator
    );
  }
  return (
    a.kind === "quota" &&
    b.kind === "quota" &&
    a.quotaMicro === b.quotaMicro &&
    a.period === b.period &&
    a.timeZone === b.timeZone
  );
}

/** Full and nothing leased: its row may go, because a missing row means a full partition. */
export function isUntouched(partition: Partition): boolean {
  return partition.outstandingMicro === 0 && partition.freeMicro >= capacityMicro(partition.spec);
}

/** Micro-tokens per second; 0 for quotas. */
export function refillPerSecond(spec: LimitSpec): number {
  return spec.kind === "bucket" ? (spec.refillNumerator * 1_000) / spec.refillDenominator : 0;
}
