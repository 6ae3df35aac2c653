import { describe, expect, it } from "vitest";
import {
  beginCall,
  CALL_ABANDONED_MS,
  chargeShadow,
  hasWaiting,
  isCalling,
  MAX_ITEMS,
  MAX_OWED,
  MAX_WAITING_GROUPS,
  newCallQueue,
  newOwed,
  takeFailure,
  takeReply,
} from "../../../src/policy/limits/call-queue.ts";
import { newHolding } from "../../../src/policy/limits/lessee.ts";
import type { LeaseDecision, WaitingResult } from "../../../src/policy/limits/types.ts";
import { bucket, charged, decision, grant, holding, queueOf, slots, stocked, T0, TOKEN, waiter } from "./builders.ts";

const FAST = bucket(100, 100);
const named = (name: string) => newHolding(name, FAST, T0);
const result = (admitted: number, change: Partial<WaitingResult> = {}): WaitingResult => ({
  admitted,
  shadowRefused: [],
  violated: [],
  retryAfterMs: 0,
  ...change,
});
const admitting = (admitted: number, change: Partial<LeaseDecision> = {}): LeaseDecision =>
  decision([grant()], { waiting: [result(admitted)], ...change });

describe("a call", () => {
  it("carries everybody who waits, in groups that are charged alike, and what is prefetched", () => {
    const [tenant, route, shadow] = [named("tenant"), named("route"), named("shadow")];
    const both = charged([tenant, route]);
    const one = charged([route], [shadow]);
    const queue = queueOf();
    queue.waiting.push(waiter(both), waiter(one, 2), waiter(both), waiter(both, 3));
    const { call, holdings, groups, sentAtMs } = beginCall(queue, 7, charged([named("other"), tenant]), T0);
    expect(call).toMatchObject({ lesseeId: "edge", seq: 1, configVersion: 7 });
    expect(call.items.map((asked) => asked.partition)).toEqual(["tenant", "route", "shadow", "other"]);
    expect(call.waiting).toEqual([
      { count: 2, costMicro: TOKEN, enforced: [0, 1], shadow: [] },
      { count: 1, costMicro: 2 * TOKEN, enforced: [1], shadow: [2] },
      { count: 1, costMicro: 3 * TOKEN, enforced: [0, 1], shadow: [] },
    ]);
    expect(holdings).toHaveLength(4);
    expect(groups.map((group) => group.length)).toEqual([2, 1, 1]);
    expect(sentAtMs).toBe(T0);
    expect(queue.waiting).toEqual([]);
    expect(beginCall(queue, 7, undefined, T0).call).toMatchObject({ seq: 2, items: [], waiting: [] });
  });

  it("gives back of each stock what those who wait need; of slots nothing", () => {
    const tokens = stocked(FAST, 3);
    const held = stocked(slots(9), 1, { demand: { perSecond: TOKEN, atMs: T0 } });
    const charge = charged([tokens, held]);
    const queue = queueOf();
    queue.waiting.push(waiter(charge, 1), waiter(charge, 1));
    const { items } = beginCall(queue, 1, undefined, T0).call;
    expect(items.map(({ returnMicro, heldMicro }) => [returnMicro, heldMicro])).toEqual([
      [2 * TOKEN, TOKEN],
      [0, TOKEN],
    ]);
  });

  it("does not carry those who were answered meanwhile", () => {
    const charge = charged([named("tenant")]);
    const queue = queueOf();
    const answered = waiter(charge);
    answered.settled = "refused";
    queue.waiting.push(answered);
    expect(hasWaiting(queue)).toBe(false);
    queue.waiting.push(newOwed(charge, TOKEN));
    expect(hasWaiting(queue)).toBe(true);
    queue.waiting.push(waiter(charge));
    expect(beginCall(queue, 1, undefined, T0).call.waiting).toMatchObject([{ count: 2 }]);
    expect(hasWaiting(queue)).toBe(false);
  });

  it(`has at most ${MAX_WAITING_GROUPS} groups: the rest waits for the next, but for those of a group in it`, () => {
    const charges = Array.from({ length: MAX_WAITING_GROUPS + 2 }, () => charged([named("tenant")]));
    const queue = queueOf();
    queue.waiting.push(...charges.map((charge) => waiter(charge)), ...charges.map((charge) => waiter(charge)));
    const { call } = beginCall(queue, 1, undefined, T0);
    expect(call.waiting.map(({ count }) => count)).toEqual(Array.from({ length: MAX_WAITING_GROUPS }, () => 2));
    expect(queue.waiting).toHaveLength(4);
    expect(beginCall(queue, 1, undefined, T0).call.waiting.map(({ count }) => count)).toEqual([2, 2]);
  });

  it(`names at most ${MAX_ITEMS} partitions: the rest waits for the next`, () => {
    const wide = (count: number) => charged(Array.from({ length: count }, (_, index) => named(`limit-${index}`)));
    const queue = queueOf();
    queue.waiting.push(waiter(wide(MAX_ITEMS - 4)), waiter(wide(5)), waiter(wide(4)));
    expect(beginCall(queue, 1, undefined, T0).call.items).toHaveLength(MAX_ITEMS);
    expect(queue.waiting).toHaveLength(1);
    expect(beginCall(queue, 1, undefined, T0).call.items).toHaveLength(5);
  });

  it("is under way until it is given up, to the millisecond", () => {
    const queue = queueOf();
    expect(isCalling(queue, T0)).toBe(false);
    beginCall(queue, 1, undefined, T0);
    expect(isCalling(queue, T0 + CALL_ABANDONED_MS - 1)).toBe(true);
    expect(isCalling(queue, T0 + CALL_ABANDONED_MS)).toBe(false);
  });
});

describe("the reply to a call", () => {
  it("admits the first of a group, serves the others out of the new stock, and refuses the rest", () => {
    const tenant = named("tenant");
    const queue = queueOf();
    const charge = charged([tenant]);
    const same = Array.from({ length: 4 }, () => waiter(charge));
    queue.waiting.push(...same);
    const call = beginCall(queue, 1, undefined, T0);
    const reply = decision([grant({ grantedMicro: TOKEN })], { waiting: [result(2)], decidedAtMs: T0 + 5 });
    expect(takeReply(queue, call, reply, T0 + 10)).toBe(true);
    expect(same.map(({ verdicts }) => verdicts)).toEqual([
      [{ admitted: true, decidedBy: "coordinator", decidedAtMs: T0 + 5 }],
      [{ admitted: true, decidedBy: "coordinator", decidedAtMs: T0 + 5 }],
      [{ admitted: true, decidedBy: "lease", decidedAtMs: T0 + 10 }],
      [{ admitted: false }],
    ]);
    expect(tenant.stockMicro).toBe(0);
    expect([queue.underWay, queue.waiting]).toEqual([undefined, []]);
  });

  it("counts the life of what it grants from the sending", () => {
    const tenant = named("tenant");
    const queue = queueOf();
    const call = beginCall(queue, 1, charged([tenant]), T0);
    takeReply(queue, call, decision([grant({ grantedMicro: TOKEN, ttlMs: 1_000 })]), T0 + 300);
    expect(tenant.expiresAtMs).toBe(T0 + 1_000);
  });

  it("is not used once the call was given up, and none is used twice", () => {
    const tenant = named("tenant");
    const queue = queueOf();
    const first = beginCall(queue, 1, charged([tenant]), T0);
    const second = beginCall(queue, 1, charged([tenant]), T0 + CALL_ABANDONED_MS);
    const reply = decision([grant({ grantedMicro: TOKEN })]);
    expect(takeReply(queue, first, reply, T0 + 2_100)).toBe(false);
    expect([tenant.stockMicro, queue.underWay]).toEqual([0, second]);
    expect(takeReply(queue, second, reply, T0 + 2_100)).toBe(true);
    expect(takeReply(queue, second, reply, T0 + 2_100)).toBe(false);
    expect(tenant.stockMicro).toBe(TOKEN);
  });

  it("moves the estimate of the round trip a quarter of the way", () => {
    const queue = queueOf();
    expect(queue.roundTripMs).toBe(50);
    takeReply(queue, beginCall(queue, 1, undefined, T0), decision([]), T0 + 130);
    expect(queue.roundTripMs).toBe(70);
  });

  it("skips those who were answered meanwhile: what was admitted is for the next in line", () => {
    const charge = charged([named("tenant")]);
    const queue = queueOf();
    const [late, next] = [waiter(charge), waiter(charge)];
    queue.waiting.push(late, next);
    const call = beginCall(queue, 1, undefined, T0);
    late.settle({ admitted: false });
    takeReply(queue, call, admitting(1), T0 + 10);
    expect([late.settled, next.settled]).toEqual(["refused", "admitted"]);
  });

  it("takes the slots of those it admits, but not once more for one whom its fail mode let in", () => {
    const held = holding(slots(9));
    const charge = charged([held]);
    const queue = queueOf();
    queue.waiting.push(waiter(charge), newOwed(charge, TOKEN));
    held.busyMicro = TOKEN;
    const call = beginCall(queue, 1, undefined, T0);
    takeReply(queue, call, decision([grant({ leasedMicro: 3 * TOKEN })], { waiting: [result(2)] }), T0 + 10);
    // One of three is for the request in use since before, one for the one just admitted, one is free.
    expect([held.busyMicro, held.stockMicro]).toEqual([2 * TOKEN, TOKEN]);
  });

  it("lets those who are owed go when it does not pay for them: they are not asked for again", () => {
    const charge = charged([named("tenant")]);
    const queue = queueOf();
    queue.waiting.push(newOwed(charge, TOKEN));
    takeReply(queue, beginCall(queue, 1, undefined, T0), admitting(0), T0 + 10);
    expect(hasWaiting(queue)).toBe(false);
  });

  it("serves those who came meanwhile out of the stock, refuses them or lets them ask", () => {
    const [full, starved, dry] = [named("full"), named("starved"), named("dry")];
    const queue = queueOf();
    const call = beginCall(queue, 1, charged([full, starved, dry]), T0);
    const gone = waiter(charged([full]));
    gone.settled = "refused";
    const waiters = [full, starved, dry].map((one) => waiter(charged([one])));
    queue.waiting.push(gone, ...waiters);
    takeReply(queue, call, decision([grant({ grantedMicro: TOKEN }), grant({ askAgainMs: 100 }), grant()]), T0 + 10);
    expect(waiters.map(({ settled }) => settled)).toEqual(["admitted", "refused", "no"]);
    expect(waiters[0]?.verdicts).toEqual([{ admitted: true, decidedBy: "lease", decidedAtMs: T0 + 10 }]);
    expect(gone.verdicts).toEqual([]);
    expect(queue.waiting).toEqual([waiters[2]]);
  });

  it("charges the shadow limits of one whom the new stock served, and refuses the others by name", () => {
    const [tenant, shadow] = [named("tenant"), stocked(FAST, 5)];
    const charge = charged([tenant], [shadow]);
    const queue = queueOf();
    const [served, short] = [waiter(charge), waiter(charge)];
    queue.waiting.push(served, short);
    const call = beginCall(queue, 1, undefined, T0);
    const granted = decision([grant({ grantedMicro: TOKEN }), grant({ leasedMicro: 5 * TOKEN })], {
      waiting: [result(0)],
    });
    takeReply(queue, call, granted, T0 + 10);
    expect(served.verdicts).toEqual([{ admitted: true, decidedBy: "lease", decidedAtMs: T0 + 10 }]);
    expect(short.verdicts).toEqual([{ admitted: false }]);
    // Two were given back for those who wait; the coordinator charged none, so one of three is spent.
    expect(shadow.stockMicro).toBe(2 * TOKEN);
  });

  it("says so to one who came meanwhile and is refused", () => {
    const starved = named("starved");
    const queue = queueOf();
    const call = beginCall(queue, 1, charged([starved]), T0);
    const late = waiter(charged([starved]));
    queue.waiting.push(late);
    takeReply(queue, call, decision([grant({ askAgainMs: 100 })]), T0 + 10);
    expect(late.verdicts).toEqual([{ admitted: false }]);
  });

  it("serves one that is charged with nothing", () => {
    const queue = queueOf();
    const free = waiter(charged([]));
    queue.waiting.push(free);
    takeReply(queue, beginCall(queue, 1, undefined, T0), decision([], { waiting: [result(0)] }), T0);
    expect(free.settled).toBe("admitted");
    const later = waiter(charged([]));
    const call = beginCall(queue, 1, undefined, T0);
    queue.waiting.push(later);
    takeReply(queue, call, decision([]), T0);
    expect(later.settled).toBe("admitted");
  });

  it("without a word on a group leaves it alone", () => {
    const queue = queueOf();
    const forgotten = waiter(charged([named("tenant")]));
    queue.waiting.push(forgotten);
    takeReply(queue, beginCall(queue, 1, undefined, T0), decision([grant()]), T0);
    expect(forgotten.verdicts).toEqual([]);
  });
});

describe("a call that fails", () => {
  it("sends all who wait to their fail mode; what that admits is still to be paid for", () => {
    const charge = charged([named("tenant")]);
    const queue = queueOf();
    const inCall = [waiter(charge, 1, "owed"), waiter(charge, 1, "refused")];
    queue.waiting.push(...inCall);
    const call = beginCall(queue, 1, undefined, T0);
    const behind = waiter(charge, 1, "owed");
    const done = waiter(charge);
    done.settled = "admitted";
    queue.waiting.push(behind, done);
    takeFailure(queue, call);
    expect([...inCall, behind].map(({ verdicts }) => verdicts)).toEqual([[undefined], [undefined], [undefined]]);
    expect(done.verdicts).toEqual([]);
    expect(queue.waiting).toEqual([inCall[0], behind]);
    expect(queue.underWay).toBeUndefined();
  });

  it("settles nobody a second time", () => {
    const charge = charged([named("tenant")]);
    const queue = queueOf();
    let settled = 0;
    queue.waiting.push({ ...newOwed(charge, TOKEN), settle: () => settled++ });
    takeFailure(queue, beginCall(queue, 1, undefined, T0));
    expect([settled, queue.waiting.length]).toEqual([0, 1]);
  });

  it("does not end a later call", () => {
    const queue = queueOf();
    const first = beginCall(queue, 1, undefined, T0);
    const second = beginCall(queue, 1, undefined, T0 + CALL_ABANDONED_MS);
    takeFailure(queue, first);
    expect(queue.underWay).toBe(second);
  });

  it(`keeps at most ${MAX_OWED} who are still to be paid for`, () => {
    const charge = charged([named("tenant")]);
    const queue = queueOf();
    queue.waiting.push(...Array.from({ length: MAX_OWED + 1 }, () => newOwed(charge, TOKEN)));
    takeFailure(queue, beginCall(queue, 1, undefined, T0));
    expect(queue.waiting).toHaveLength(MAX_OWED);
  });
});

describe("a shadow limit", () => {
  it("is charged out of its stock and holds nobody up", () => {
    const shadow = stocked(FAST, 2);
    const queue = queueOf();
    expect(chargeShadow(queue, charged([], [shadow]), TOKEN, T0)).toBe(false);
    expect([shadow.stockMicro, queue.waiting.length]).toEqual([TOKEN, 0]);
  });

  it("counts each request that it would have refused", () => {
    const starved = holding(FAST, { askAgainAtMs: T0 + 100 });
    const counted: unknown[] = [];
    const queue = newCallQueue("edge", (which, count) => counted.push([which === starved, count]));
    expect(chargeShadow(queue, charged([], [starved, starved]), TOKEN, T0)).toBe(false);
    expect(counted).toEqual([
      [true, 1],
      [true, 1],
    ]);
  });

  it("that is dry is charged behind the request, in one group, and refused by the coordinator's count", () => {
    const shadow = named("shadow");
    const counted: number[] = [];
    const queue = queueOf((_which, count) => counted.push(count));
    const charge = charged([], [shadow]);
    expect(chargeShadow(queue, charge, TOKEN, T0)).toBe(true);
    expect(chargeShadow(queue, charge, TOKEN, T0)).toBe(true);
    expect(queue.waiting).toHaveLength(2);
    expect(queue.waiting[0]?.charge).toMatchObject({ all: [{ partition: "shadow" }] });
    const call = beginCall(queue, 1, undefined, T0);
    expect(call.call.waiting).toEqual([{ count: 2, costMicro: TOKEN, enforced: [], shadow: [0] }]);
    // Another one while the call is under way: no stock can serve it, it waits for the next.
    chargeShadow(queue, charge, TOKEN, T0);
    const [behind] = queue.waiting;
    takeReply(queue, call, decision([grant()], { waiting: [result(2, { shadowRefused: [1, 3] })] }), T0 + 10);
    expect(counted).toEqual([1]);
    expect(queue.waiting).toEqual([behind]);
    expect(beginCall(queue, 1, undefined, T0 + 10).call.waiting).toMatchObject([{ count: 1, shadow: [0] }]);
  });

  it("of which the coordinator would have refused none counts none", () => {
    const counted: number[] = [];
    const queue = queueOf((_which, count) => counted.push(count));
    chargeShadow(queue, charged([], [named("shadow")]), TOKEN, T0);
    const call = beginCall(queue, 1, undefined, T0);
    takeReply(queue, call, decision([grant()], { waiting: [result(1, { shadowRefused: [0] })] }), T0);
    expect(counted).toEqual([]);
  });

  it("is charged for one who was served out of the stock after waiting", () => {
    const [tenant, shadow] = [named("tenant"), stocked(FAST, 5)];
    const queue = queueOf();
    const call = beginCall(queue, 1, charged([tenant]), T0);
    queue.waiting.push(waiter(charged([tenant], [shadow])));
    takeReply(queue, call, decision([grant({ grantedMicro: TOKEN })]), T0);
    expect(shadow.stockMicro).toBe(4 * TOKEN);
  });

  it(`is let go when ${MAX_OWED} wait to be charged`, () => {
    const queue = queueOf();
    const charge = charged([], [named("shadow")]);
    for (let request = 0; request < MAX_OWED; request++) expect(chargeShadow(queue, charge, TOKEN, T0)).toBe(true);
    expect(chargeShadow(queue, charge, TOKEN, T0)).toBe(false);
    expect(queue.waiting).toHaveLength(MAX_OWED);
  });

  it("and what is owed have nobody to tell", () => {
    const owed = newOwed(charged([]), TOKEN);
    owed.settle(undefined);
    expect(owed).toMatchObject({ settled: "owed", costMicro: TOKEN });
  });
});
