/**
 * Answers each call of a lessee once. A call with the number of the last one gets the stored answer again, an older one
 * gets nothing: so a repeated, late or overtaken message debits once at most. What this says must be stored together
 * with the changed partitions before it leaves.
 *
 * Bounds: MAX_LESSEES answers are kept, MAX_PARTITIONS partitions; what is silent or full makes room, else the call is
 * refused ("full") and nothing is debited. Cost: that of `decideLease`. Source: DESIGN section 4.
 */
import { decideLease, makeRoom } from "./lease-book.ts";
import type { Partition } from "./partition.ts";
import type { LeaseCall, LeaseDecision, LimitSpec } from "./types.ts";

/** Lessees whose last answer is kept; those unheard for LESSEE_FORGOTTEN_MS make room. */
export const MAX_LESSEES = 2_000;
export const LESSEE_FORGOTTEN_MS = 60_000;

/** The last call of a lessee that was answered. */
export interface AnsweredCall {
  readonly seq: number;
  /** Undefined: the stored one could not be read; a repetition is answered as if it were stale. */
  readonly decision: LeaseDecision | undefined;
  readonly heardAtMs: number;
}

/** Holds instead of what callers were configured with, until it ends by itself. */
export interface Override {
  readonly spec: LimitSpec;
  readonly expiresAtMs: number;
}

/** What a coordinator keeps. */
export interface LeaseBook {
  readonly partitions: Map<string, Partition>;
  readonly lessees: Map<string, AnsweredCall>;
  /** By the id of the limit; of all its partitions. */
  readonly overrides: ReadonlyMap<string, Override>;
}

export function newLeaseBook(): LeaseBook {
  return { partitions: new Map(), lessees: new Map(), overrides: new Map() };
}

/** The limit that a partition is an instance of: `requests|a12` is of `requests`. */
export function limitIdOf(partition: string): string {
  const end = partition.indexOf("|");
  return end === -1 ? partition : partition.slice(0, end);
}

/** What is in force instead of `spec`: only of the same kind, and not once it has ended. */
export function overrideOf(
  overrides: ReadonlyMap<string, Override>,
  partition: string,
  spec: LimitSpec,
  nowMs: number,
): LimitSpec | undefined {
  if (overrides.size === 0) return undefined;
  const override = overrides.get(limitIdOf(partition));
  return override !== undefined && override.spec.kind === spec.kind && nowMs < override.expiresAtMs
    ? override.spec
    : undefined;
}

export type LeaseAnswer =
  | {
      readonly kind: "decided";
      readonly decision: LeaseDecision;
      /** What made room, to be removed from storage too. */
      readonly removedPartitions: readonly string[];
      readonly forgottenLessees: readonly string[];
    }
  | { readonly kind: "repeated"; readonly decision: LeaseDecision }
  /** A newer call of this lessee was answered before: nothing was done. */
  | { readonly kind: "stale" }
  | { readonly kind: "full"; readonly what: "partitions" | "lessees" };

/** Changes `book` in place when the answer is "decided". */
export function answerLease(book: LeaseBook, call: LeaseCall, nowMs: number): LeaseAnswer {
  const last = book.lessees.get(call.lesseeId);
  if (last !== undefined && call.seq <= last.seq) {
    return call.seq === last.seq && last.decision !== undefined
      ? { kind: "repeated", decision: last.decision }
      : { kind: "stale" };
  }
  const forgottenLessees = last === undefined ? lesseesToForget(book.lessees, nowMs) : [];
  if (forgottenLessees === undefined) return { kind: "full", what: "lessees" };
  const removedPartitions = makeRoom(book.partitions, call, nowMs);
  if (removedPartitions === undefined) return { kind: "full", what: "partitions" };
  for (const lesseeId of forgottenLessees) book.lessees.delete(lesseeId);
  const decision = decideInForce(book, call, nowMs);
  book.lessees.set(call.lesseeId, { seq: call.seq, decision, heardAtMs: nowMs });
  return { kind: "decided", decision, removedPartitions, forgottenLessees };
}

/**
 * What `answerLease` would decide, with nothing changed in `book`. Undefined: it would decide nothing. Partitions that are
 * not named are shared with the book: they are at most brought to `nowMs`, as any look at them does.
 */
export function rehearseLease(book: LeaseBook, call: LeaseCall, nowMs: number): LeaseDecision | undefined {
  const partitions = new Map(book.partitions);
  for (const { partition } of call.items) {
    const known = partitions.get(partition);
    if (known !== undefined) partitions.set(partition, copyOf(known));
  }
  const answer = answerLease({ partitions, lessees: new Map(book.lessees), overrides: book.overrides }, call, nowMs);
  return answer.kind === "decided" ? answer.decision : undefined;
}

const copyOf = (partition: Partition): Partition => ({
  ...partition,
  leases: new Map([...partition.leases].map(([lesseeId, lease]) => [lesseeId, { ...lease }])),
});

function decideInForce({ partitions, overrides }: LeaseBook, call: LeaseCall, nowMs: number): LeaseDecision {
  if (overrides.size === 0) return decideLease(partitions, call, nowMs);
  const inForce = call.items.map((item) => overrideOf(overrides, item.partition, item.spec, nowMs));
  const items = call.items.map((item, index) => ({ ...item, spec: inForce[index] ?? item.spec }));
  const decision = decideLease(partitions, { ...call, items }, nowMs);
  const grants = decision.grants.map((grant, index) => {
    const spec = inForce[index];
    return spec === undefined ? grant : { ...grant, spec };
  });
  return { ...decision, grants };
}

/** Undefined: no room for one more. */
function lesseesToForget(lessees: ReadonlyMap<string, AnsweredCall>, nowMs: number): readonly string[] | undefined {
  if (lessees.size < MAX_LESSEES) return [];
  const forgotten = silentLessees(lessees, nowMs);
  return forgotten.length === 0 ? undefined : forgotten;
}

/** Lessees long unheard: what they held was written off long ago, and their sequence has ended. */
export function silentLessees(lessees: ReadonlyMap<string, AnsweredCall>, nowMs: number): string[] {
  return [...lessees].filter(([, lessee]) => nowMs - lessee.heardAtMs > LESSEE_FORGOTTEN_MS).map(([id]) => id);
}
