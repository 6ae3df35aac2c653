import { describe, expect, it } from "vitest";
import { MAX_PARTITIONS } from "../../../src/policy/limits/lease-book.ts";
import {
  type AnsweredCall,
  answerLease,
  type LeaseBook,
  LESSEE_FORGOTTEN_MS,
  limitIdOf,
  MAX_LESSEES,
  newLeaseBook,
  overrideOf,
  rehearseLease,
  silentLessees,
} from "../../../src/policy/limits/lease-replies.ts";
import type { LeaseCall } from "../../../src/policy/limits/types.ts";
import { bucket, decision, group, item, leaseCall, partition, quota, T0, TOKEN } from "./builders.ts";

const SPEC = bucket(10, 10);
const one = (seq: number, change: Partial<LeaseCall> = {}): LeaseCall =>
  leaseCall([item(SPEC)], { seq, waiting: [group(1)], ...change });
const freeOf = (book: LeaseBook): number | undefined => book.partitions.get("requests")?.freeMicro;
const heard = (heardAtMs: number): AnsweredCall => ({ seq: 1, decision: decision([]), heardAtMs });

describe("a call of a lessee", () => {
  it("is decided once: the same number gets the same reply, an older one none", () => {
    const book = newLeaseBook();
    const first = answerLease(book, one(5), T0);
    expect(first).toMatchObject({ kind: "decided", removedPartitions: [], forgottenLessees: [] });
    expect(book.lessees.get("edge")).toMatchObject({ seq: 5, heardAtMs: T0 });
    const again = answerLease(book, one(5), T0 + 1);
    expect(again.kind).toBe("repeated");
    expect(again.kind === "repeated" && first.kind === "decided" && again.decision === first.decision).toBe(true);
    expect(answerLease(book, one(4), T0 + 1)).toEqual({ kind: "stale" });
    expect(freeOf(book)).toBe(9 * TOKEN);
    expect(answerLease(book, one(6), T0)).toMatchObject({ kind: "decided" });
    expect(freeOf(book)).toBe(8 * TOKEN);
  });

  it("whose stored reply cannot be read is not decided again", () => {
    const book = newLeaseBook();
    book.lessees.set("edge", { seq: 5, decision: undefined, heardAtMs: T0 });
    expect(answerLease(book, one(5), T0)).toEqual({ kind: "stale" });
    expect(book.partitions.size).toBe(0);
  });

  it("counts by lessee: the numbers of another one do not matter", () => {
    const book = newLeaseBook();
    answerLease(book, one(5), T0);
    expect(answerLease(book, one(1, { lesseeId: "other" }), T0).kind).toBe("decided");
  });
});

describe("a rehearsed call", () => {
  it("is decided as the call itself is, and changes nothing in the book", () => {
    const book = newLeaseBook();
    for (let seq = 1; seq <= 9; seq++) answerLease(book, one(seq, { lesseeId: `edge-${seq % 3}` }), T0 + seq);
    for (let seq = 10; seq <= 14; seq++) {
      const before = structuredClone(book);
      const rehearsed = rehearseLease(book, one(seq), T0 + 20);
      expect(book).toEqual(before);
      const answer = answerLease(book, one(seq), T0 + 20);
      expect(answer.kind === "decided" && answer.decision).toEqual(rehearsed);
    }
    expect(rehearseLease(book, one(14), T0 + 20)).toBeUndefined();
  });
});

describe("the bounds of a coordinator", () => {
  it("a lessee is silent after a minute, to the millisecond", () => {
    const lessees = new Map([
      ["quiet", heard(T0 - LESSEE_FORGOTTEN_MS)],
      ["silent", heard(T0 - LESSEE_FORGOTTEN_MS - 1)],
    ]);
    expect(silentLessees(lessees, T0)).toEqual(["silent"]);
  });

  it("the silent make room for one more, all at once, and not before they must", () => {
    const book = newLeaseBook();
    for (let index = 0; index < MAX_LESSEES - 1; index++) book.lessees.set(`old-${index}`, heard(T0 - 61_000));
    expect(answerLease(book, one(1), T0)).toMatchObject({ kind: "decided", forgottenLessees: [] });
    expect(book.lessees.size).toBe(MAX_LESSEES);
    // Known: needs no room.
    expect(answerLease(book, one(2), T0)).toMatchObject({ kind: "decided", forgottenLessees: [] });
    const next = answerLease(book, one(1, { lesseeId: "new" }), T0);
    expect(next.kind === "decided" && next.forgottenLessees.length).toBe(MAX_LESSEES - 1);
    expect([...book.lessees.keys()]).toEqual(["edge", "new"]);
  });

  it("a new lessee is refused where none is silent, and nothing is debited", () => {
    const book = newLeaseBook();
    for (let index = 0; index < MAX_LESSEES; index++) book.lessees.set(`other-${index}`, heard(T0));
    expect(answerLease(book, one(1), T0)).toEqual({ kind: "full", what: "lessees" });
    expect([book.partitions.size, book.lessees.size]).toEqual([0, MAX_LESSEES]);
  });

  it("a call that is refused removes nothing: what is gone here would still be stored", () => {
    const book = newLeaseBook();
    for (let index = 0; index < MAX_LESSEES; index++) book.lessees.set(`old-${index}`, heard(T0 - 61_000));
    for (let index = 0; index < MAX_PARTITIONS; index++) {
      book.partitions.set(`spent-${index}`, partition(bucket(1, 1_000), { freeMicro: 0 }));
    }
    book.partitions.set("spent-5", partition(SPEC));
    const two = leaseCall([item(SPEC), item(SPEC, { partition: "others" })]);
    expect(answerLease(book, two, T0)).toEqual({ kind: "full", what: "partitions" });
    expect([book.lessees.size, book.partitions.size]).toEqual([MAX_LESSEES, MAX_PARTITIONS]);
  });

  it("full partitions make room for new ones; where none is full the call is refused", () => {
    const book = newLeaseBook();
    for (let index = 0; index < MAX_PARTITIONS; index++) {
      book.partitions.set(`spent-${index}`, partition(bucket(1, 1_000), { freeMicro: 0 }));
    }
    expect(answerLease(book, one(1), T0)).toEqual({ kind: "full", what: "partitions" });
    expect(book.lessees.size).toBe(0);
    book.partitions.set("spent-3", partition(SPEC));
    book.partitions.set("spent-4", partition(SPEC));
    expect(answerLease(book, one(1), T0)).toMatchObject({ kind: "decided", removedPartitions: ["spent-3"] });
    expect(book.partitions.size).toBe(MAX_PARTITIONS);
  });
});

describe("an override", () => {
  const overrides = new Map([["requests", { spec: bucket(5, 3), expiresAtMs: T0 + 100 }]]);

  it("is of a limit, in all its partitions, of the same kind, until it ends", () => {
    expect([limitIdOf("requests"), limitIdOf("requests|a12|b"), limitIdOf("|a")]).toEqual(["requests", "requests", ""]);
    expect(overrideOf(overrides, "requests|a12", SPEC, T0)).toEqual(bucket(5, 3));
    expect(overrideOf(overrides, "requests", SPEC, T0 + 99)).toEqual(bucket(5, 3));
    expect(overrideOf(overrides, "requests", SPEC, T0 + 100)).toBeUndefined();
    expect(overrideOf(overrides, "requests", quota(5), T0)).toBeUndefined();
    expect(overrideOf(overrides, "others", SPEC, T0)).toBeUndefined();
    expect(overrideOf(new Map(), "requests", SPEC, T0)).toBeUndefined();
  });

  it("decides instead of what was asked with, and the reply says so; other limits keep theirs", () => {
    const book: LeaseBook = { ...newLeaseBook(), overrides };
    const items = [item(SPEC), item(SPEC, { partition: "others" })];
    const waiting = [group(5), group(5, { enforced: [1] })];
    const answer = answerLease(book, leaseCall(items, { waiting }), T0);
    if (answer.kind !== "decided") throw new Error(answer.kind);
    expect(answer.decision.waiting.map(({ admitted }) => admitted)).toEqual([3, 5]);
    expect(answer.decision.grants.map(({ spec }) => spec)).toEqual([bucket(5, 3), undefined]);
    expect("spec" in (answer.decision.grants[1] ?? {})).toBe(false);
    // It ends: the limit is the configured one again, and not filled up by that.
    answerLease(book, leaseCall(items, { seq: 2 }), T0 + 100);
    expect(book.partitions.get("requests")).toMatchObject({ spec: SPEC, freeMicro: TOKEN / 2 });
  });
});
