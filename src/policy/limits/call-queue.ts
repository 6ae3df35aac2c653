/**
 * A lessee's conversation with its coordinator: requests that wait, the one call under way, what its reply settles.
 *
 * One call at a time carries everybody who waits: requests charged alike form a group that is answered in order of
 * arrival. A reply counts only for the call under way; a call given up is forgotten, and its reply never used. Those the
 * coordinator could not admit try the new stock and are refused by it, or wait for the next call.
 * Bounds: MAX_ITEMS partitions and MAX_WAITING_GROUPS groups in a call (the rest waits for the next), MAX_OWED requests
 * that were admitted without the coordinator and are still to be paid for. Times in milliseconds of this isolate.
 * Source: DESIGN section 4.
 */
import { composeItem, type Holding, occupySlots, receive, spend, type Spending } from "./lessee.ts";
import type { LeaseCall, LeaseDecision, WaitingGroup } from "./types.ts";

/** Bounds of one call. */
export const MAX_ITEMS = 64;
export const MAX_WAITING_GROUPS = 16;
/** A call that has not returned by then is given up. */
export const CALL_ABANDONED_MS = 2_000;
/** Requests admitted by their fail mode, or charged in shadow, that are still to be paid for; more are let go. */
export const MAX_OWED = 1_000;
/** Weight of the newest round trip in the estimate. */
const ROUND_TRIP_GAIN = 0.25;
const FIRST_ROUND_TRIP_MS = 50;

/** What one request is charged with; requests that are charged alike share one. */
export interface Charge {
  readonly all: readonly Holding[];
  readonly enforced: readonly Holding[];
  readonly shadow: readonly Holding[];
}

export interface Waiter {
  readonly charge: Charge;
  readonly costMicro: number;
  /** Answered already? "owed": admitted by its fail mode, and still to be paid for at the coordinator. */
  settled: "no" | "admitted" | "refused" | "owed";
  /** Undefined: the coordinator is out of reach. Sets `settled`. */
  settle(verdict: WaiterVerdict | undefined): void;
}

export type WaiterVerdict =
  | { readonly admitted: true; readonly decidedBy: "lease" | "coordinator"; readonly decidedAtMs: number }
  | { readonly admitted: false };

export interface CallUnderWay {
  readonly call: LeaseCall;
  readonly holdings: readonly Holding[];
  readonly groups: readonly (readonly Waiter[])[];
  readonly sentAtMs: number;
}

export interface CallQueue {
  readonly lesseeId: string;
  waiting: Waiter[];
  underWay: CallUnderWay | undefined;
  seq: number;
  roundTripMs: number;
  /** This shadow holding would have refused so many requests. */
  readonly onShadowRefused: (holding: Holding, count: number) => void;
  readonly shadowCharges: WeakMap<Holding, Charge>;
}

export function newCallQueue(lesseeId: string, onShadowRefused: CallQueue["onShadowRefused"]): CallQueue {
  return {
    lesseeId,
    waiting: [],
    underWay: undefined,
    seq: 0,
    roundTripMs: FIRST_ROUND_TRIP_MS,
    onShadowRefused,
    shadowCharges: new WeakMap(),
  };
}

export function isCalling(queue: CallQueue, nowMs: number): boolean {
  return queue.underWay !== undefined && nowMs - queue.underWay.sentAtMs < CALL_ABANDONED_MS;
}

const isUnpaid = (waiter: Waiter): boolean => waiter.settled === "no" || waiter.settled === "owed";

export function hasWaiting(queue: CallQueue): boolean {
  return queue.waiting.some(isUnpaid);
}

/** Begins a call for those who wait, and for `prefetched`. It is under way until its reply, its failure, or the next. */
export function beginCall(
  queue: CallQueue,
  configVersion: number,
  prefetched: Charge | undefined,
  nowMs: number,
): CallUnderWay {
  const holdings = new Map<Holding, number>();
  const groups = takeGroups(queue, holdings);
  for (const holding of prefetched?.all ?? []) indexOf(holdings, holding);
  const waiting = groups.flatMap((group): WaitingGroup[] => {
    const [first] = group;
    if (first === undefined) return [];
    return [
      {
        count: group.length,
        costMicro: first.costMicro,
        enforced: first.charge.enforced.map((holding) => indexOf(holdings, holding)),
        shadow: first.charge.shadow.map((holding) => indexOf(holdings, holding)),
      },
    ];
  });
  const named = [...holdings.keys()];
  const needs = needsOf(groups);
  queue.seq++;
  queue.underWay = {
    holdings: named,
    groups,
    sentAtMs: nowMs,
    call: {
      lesseeId: queue.lesseeId,
      seq: queue.seq,
      configVersion,
      items: named.map((holding) => composeItem(holding, needs.get(holding) ?? 0, nowMs)),
      waiting,
    },
  };
  return queue.underWay;
}

/** What those who wait will be charged, by holding: tokens, not slots. */
function needsOf(groups: readonly (readonly Waiter[])[]): Map<Holding, number> {
  const needs = new Map<Holding, number>();
  for (const { charge, costMicro } of groups.flat()) {
    for (const holding of charge.all) {
      if (holding.spec.kind !== "slots") needs.set(holding, (needs.get(holding) ?? 0) + costMicro);
    }
  }
  return needs;
}

function indexOf(holdings: Map<Holding, number>, holding: Holding): number {
  const known = holdings.get(holding);
  if (known !== undefined) return known;
  holdings.set(holding, holdings.size);
  return holdings.size - 1;
}

/** Takes those who wait off the queue, grouped by what they are charged with; what does not fit stays. */
function takeGroups(queue: CallQueue, holdings: Map<Holding, number>): Waiter[][] {
  const groups: Waiter[][] = [];
  const left: Waiter[] = [];
  const groupOf = new Map<Charge, Map<number, Waiter[]>>();
  for (const waiter of queue.waiting) {
    if (!isUnpaid(waiter)) continue;
    const byCost = groupOf.get(waiter.charge) ?? new Map<number, Waiter[]>();
    groupOf.set(waiter.charge, byCost);
    const group = byCost.get(waiter.costMicro);
    if (group !== undefined) group.push(waiter);
    else if (groups.length < MAX_WAITING_GROUPS && holdings.size + waiter.charge.all.length <= MAX_ITEMS) {
      const begun = [waiter];
      byCost.set(waiter.costMicro, begun);
      groups.push(begun);
      for (const holding of waiter.charge.all) indexOf(holdings, holding);
    } else left.push(waiter);
  }
  queue.waiting = left;
  return groups;
}

/** False: this call was given up meanwhile, and its reply is not used. */
export function takeReply(queue: CallQueue, answered: CallUnderWay, decision: LeaseDecision, nowMs: number): boolean {
  if (queue.underWay !== answered) return false;
  queue.underWay = undefined;
  queue.roundTripMs += ROUND_TRIP_GAIN * (nowMs - answered.sentAtMs - queue.roundTripMs);
  receive(answered.holdings, decision, answered.sentAtMs, nowMs);
  for (const [index, group] of answered.groups.entries()) {
    const result = decision.waiting[index];
    if (result !== undefined) settleGroup(queue, group, result, decision.decidedAtMs, nowMs);
  }
  serveFromStock(queue, nowMs);
  return true;
}

/** Whom the coordinator did not admit may still find room in the new stock; nobody is asked for twice. */
function settleGroup(
  queue: CallQueue,
  group: readonly Waiter[],
  result: LeaseDecision["waiting"][number],
  decidedAtMs: number,
  nowMs: number,
): void {
  for (const [index, count] of result.shadowRefused.entries()) {
    const holding = group[0]?.charge.shadow[index];
    if (holding !== undefined && count > 0) queue.onShadowRefused(holding, count);
  }
  let { admitted } = result;
  for (const waiter of group) {
    if (!isUnpaid(waiter)) continue;
    if (admitted > 0) {
      admitted--;
      if (waiter.settled === "no") occupySlots(waiter.charge.enforced, true);
      waiter.settle({ admitted: true, decidedBy: "coordinator", decidedAtMs });
    } else if (waiter.settled === "no" && serve(queue, waiter, nowMs) !== "admitted")
      waiter.settle({ admitted: false });
  }
}

/** Admits one who waits out of the stock, if it can. */
function serve(queue: CallQueue, waiter: Waiter, nowMs: number): Spending {
  const { charge, costMicro } = waiter;
  const spending = spend(charge.enforced, costMicro, nowMs);
  if (spending === "admitted") {
    waiter.settle({ admitted: true, decidedBy: "lease", decidedAtMs: nowMs });
    chargeShadow(queue, charge, costMicro, nowMs);
  }
  return spending;
}

/** The call got no reply: those in it and those behind it go to their fail mode; what that admits is owed. */
export function takeFailure(queue: CallQueue, failed: CallUnderWay): void {
  if (queue.underWay === failed) queue.underWay = undefined;
  const waiters = [...failed.groups.flat(), ...queue.waiting];
  for (const waiter of waiters) if (waiter.settled === "no") waiter.settle(undefined);
  queue.waiting = waiters.filter((waiter) => waiter.settled === "owed").slice(0, MAX_OWED);
}

/** Those who came while the call was under way: out of the new stock, or refused by it; the rest asks next. */
function serveFromStock(queue: CallQueue, nowMs: number): void {
  const waiting = queue.waiting.filter(isUnpaid);
  queue.waiting = [];
  for (const waiter of waiting) {
    // Only charged in shadow: not a request, so nothing here can serve it.
    if (isShadowOnly(waiter.charge)) {
      queue.waiting.push(waiter);
      continue;
    }
    const spending = serve(queue, waiter, nowMs);
    if (spending === "ask") queue.waiting.push(waiter);
    else if (spending === "refused") waiter.settle({ admitted: false });
  }
}

const isShadowOnly = (charge: Charge): boolean => charge.enforced.length === 0 && charge.shadow.length > 0;

/**
 * A shadow limit never holds a request up: what its lease cannot pay is charged behind it. True: something now waits to
 * be charged, so a call should follow.
 */
export function chargeShadow(queue: CallQueue, charge: Charge, costMicro: number, nowMs: number): boolean {
  let owed = false;
  for (const holding of charge.shadow) {
    let alone = queue.shadowCharges.get(holding);
    if (alone === undefined) {
      alone = { all: [holding], enforced: [], shadow: [holding] };
      queue.shadowCharges.set(holding, alone);
    }
    const spending = spend(alone.shadow, costMicro, nowMs);
    if (spending === "refused") queue.onShadowRefused(holding, 1);
    else if (spending === "ask" && queue.waiting.length < MAX_OWED) {
      owed = true;
      queue.waiting.push(newOwed(alone, costMicro));
    }
  }
  return owed;
}

/** What was admitted, or is charged in shadow, and waits only to be paid for. */
export function newOwed(charge: Charge, costMicro: number): Waiter {
  return { charge, costMicro, settled: "owed", settle: () => undefined };
}
