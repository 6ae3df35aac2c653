/** What the tests of limits build from: specs, calls, replies, holdings; each with what a test does not care about. */
import { type CallQueue, type Charge, newCallQueue, type Waiter } from "../../../src/policy/limits/call-queue.ts";
import { decideLease } from "../../../src/policy/limits/lease-book.ts";
import { type Holding, newHolding } from "../../../src/policy/limits/lessee.ts";
import { type Lease, newLease, newPartition, type Partition } from "../../../src/policy/limits/partition.ts";
import {
  type LeaseCall,
  type LeaseDecision,
  type LeaseGrant,
  type LeaseItem,
  type LimitSpec,
  MICRO_TOKENS_PER_TOKEN,
  type QuotaPeriod,
  type WaitingGroup,
} from "../../../src/policy/limits/types.ts";

export const TOKEN = MICRO_TOKENS_PER_TOKEN;
/** All instants of a test are counted from here: no instant is near 0, where a clock can be mistaken for a length. */
export const T0 = 1_000_000_000;

/** Random tests print it, and take it from the environment to run again. */
export const SEED = process.env["FC_SEED"] === undefined ? Date.now() % 1_000_000 : Number(process.env["FC_SEED"]);
/** Under mutation each property runs a part of its runs: there it judges a thousand programs, not one. */
export const IS_MUTATED = process.env["FC_RUNS_RATIO"] !== undefined;
export const runs = (count: number): number => Math.ceil(count * Number(process.env["FC_RUNS_RATIO"] ?? 1));

export function bucket(ratePerSecond: number, burst: number): LimitSpec {
  return { kind: "bucket", refillNumerator: ratePerSecond * 1_000, refillDenominator: 1, burstMicro: burst * TOKEN };
}

export function quota(tokens: number, period: QuotaPeriod = "day"): LimitSpec {
  return { kind: "quota", quotaMicro: tokens * TOKEN, period, timeZone: "UTC" };
}

export function slots(count: number): LimitSpec {
  return { kind: "slots", slotsMicro: count * TOKEN };
}

export function partition(spec: LimitSpec, change: Partial<Partition> = {}): Partition {
  return { ...newPartition(spec, 1, T0), ...change };
}

/** Leased to `lesseeId`, and counted as outstanding. Free stays as it is. */
export function leaseTo(into: Partition, lesseeId: string, change: Partial<Lease> = {}): Lease {
  const lease = { ...newLease(T0), expiresAtMs: T0 + 60_000, ...change };
  if (change.remainingMicro !== undefined) {
    lease.lineMicro = change.lineMicro ?? change.remainingMicro;
    into.outstandingMicro += change.remainingMicro;
  }
  into.leases.set(lesseeId, lease);
  return lease;
}

export function item(spec: LimitSpec, change: Partial<LeaseItem> = {}): LeaseItem {
  return {
    partition: "requests",
    spec,
    heldMicro: 0,
    returnMicro: 0,
    demandMicroPerSecond: 0,
    wantMicro: 0,
    ...change,
  };
}

export function group(count: number, change: Partial<WaitingGroup> = {}): WaitingGroup {
  return { count, costMicro: TOKEN, enforced: [0], shadow: [], ...change };
}

export function leaseCall(items: readonly LeaseItem[], change: Partial<LeaseCall> = {}): LeaseCall {
  return { lesseeId: "edge", seq: 1, configVersion: 1, items, waiting: [], ...change };
}

/** One call with one item; its grant. */
export function grantOf(
  partitions: Map<string, Partition>,
  asked: LeaseItem,
  change: Partial<LeaseCall> = {},
  nowMs = T0,
): LeaseGrant {
  const [grant] = decideLease(partitions, leaseCall([asked], change), nowMs).grants;
  if (grant === undefined) throw new Error("no grant");
  return grant;
}

export function holding(spec: LimitSpec, change: Partial<Holding> = {}): Holding {
  return { ...newHolding("requests", spec, T0), ...change };
}

/** Leased for a minute, all at its disposal. */
export function stocked(spec: LimitSpec, tokens: number, change: Partial<Holding> = {}): Holding {
  return holding(spec, {
    stockMicro: tokens * TOKEN,
    filledMicro: tokens * TOKEN,
    lineMicro: tokens * TOKEN,
    expiresAtMs: T0 + 60_000,
    ttlMs: 60_000,
    epoch: 1,
    ...change,
  });
}

export function grant(change: Partial<LeaseGrant> = {}): LeaseGrant {
  return {
    epoch: 1,
    grantedMicro: 0,
    leasedMicro: change.grantedMicro ?? 0,
    ttlMs: 2_000,
    meltMs: 0,
    horizonMs: 1_000,
    askAgainMs: 0,
    direct: false,
    freeMicro: 0,
    resetMs: 0,
    activeLessees: 1,
    ...change,
  };
}

export function decision(grants: readonly LeaseGrant[], change: Partial<LeaseDecision> = {}): LeaseDecision {
  return { decidedAtMs: T0, grants, waiting: [], ...change };
}

export function charged(enforced: readonly Holding[], shadow: readonly Holding[] = []): Charge {
  return { all: [...enforced, ...shadow], enforced, shadow };
}

export function queueOf(onShadowRefused: CallQueue["onShadowRefused"] = () => undefined): CallQueue {
  return newCallQueue("edge", onShadowRefused);
}

/** A request that waits, and notes each verdict. `failMode`: what it is when the coordinator is out of reach. */
export interface Waiting extends Waiter {
  readonly verdicts: Parameters<Waiter["settle"]>[0][];
}

export function waiter(charge: Charge, tokens = 1, failMode: "owed" | "refused" = "refused"): Waiting {
  const one: Waiting = {
    charge,
    costMicro: tokens * TOKEN,
    settled: "no",
    verdicts: [],
    settle: (verdict) => {
      if (one.settled !== "no") return;
      one.verdicts.push(verdict);
      one.settled = verdict === undefined ? failMode : verdict.admitted ? "admitted" : "refused";
    },
  };
  return one;
}
