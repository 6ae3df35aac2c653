/**
 * The escrow lease in virtual time: one coordinator, many lessees in many PoPs, a network that delays, loses, duplicates
 * and reorders, isolates that die, a coordinator that restarts or is away. All that is decided is decided by the
 * functions the Worker runs (`policy/limits`); here are only the wires between them.
 */
import {
  beginCall,
  CALL_ABANDONED_MS,
  type CallQueue,
  type CallUnderWay,
  type Charge,
  hasWaiting,
  isCalling,
  newCallQueue,
  takeFailure,
  takeReply,
  type Waiter,
} from "../../src/policy/limits/call-queue.ts";
import { answerLease, type LeaseBook, newLeaseBook } from "../../src/policy/limits/lease-replies.ts";
import {
  type Holding,
  newHolding,
  noteDemand,
  releaseSlots,
  settleCost,
  spend,
  wantsPrefetch,
} from "../../src/policy/limits/lessee.ts";
import { capacityMicro } from "../../src/policy/limits/partition.ts";
import { type LeaseDecision, type LimitSpec, MICRO_TOKENS_PER_TOKEN } from "../../src/policy/limits/types.ts";
import { Timeline } from "../kernel/timeline.ts";
import { Ledger } from "./ledger.ts";
import { Network, type NetworkOptions } from "./network.ts";

export interface WorldOptions extends NetworkOptions {
  /** Limits by name; a request is charged with all of them unless it says otherwise. */
  readonly limits: Readonly<Record<string, LimitSpec>>;
  readonly pops: number;
  readonly lesseesPerPop: number;
  /** A request that waits longer for the coordinator is refused (fail mode `closed`). */
  readonly deadlineMs: number;
  readonly random: () => number;
}

/** Faults that the invariants rest on: each must break one. */
export interface Sabotage {
  readonly spendAfterExpiry?: boolean;
  readonly ignoreSeq?: boolean;
  readonly forgetOnRestart?: boolean;
  /** Replies leave before the state is stored. */
  readonly storeLate?: boolean;
}

interface SimulatedLessee {
  readonly id: string;
  readonly pop: number;
  readonly holdings: readonly Holding[];
  readonly charges: Map<string, Charge>;
  readonly queue: CallQueue;
  unreachableUntilMs: number;
  /** An evicted isolate answers nobody any more. */
  alive: boolean;
}

const RETRY_AFTER_MS = CALL_ABANDONED_MS / 2;
const UNREACHABLE_FOR_MS = 500;
const START_MS = 1_000_000;

export class World {
  readonly timeline = new Timeline(START_MS);
  readonly network: Network;
  calls = 0;
  requests = 0;
  /** Tokens of requests that were let through. */
  admitted = 0;
  /** Requests that hold a slot. */
  running = 0;
  mostRunning = 0;
  refused = 0;
  waited = 0;
  readonly ledgers: readonly Ledger[];
  readonly admittedByPop: number[];
  lessees: SimulatedLessee[];
  book: LeaseBook = newLeaseBook();
  #stored: LeaseBook = newLeaseBook();
  readonly #options: WorldOptions;
  readonly #sabotage: Sabotage;
  readonly #specs: readonly LimitSpec[];
  #born = 0;

  constructor(options: WorldOptions, sabotage: Sabotage = {}) {
    this.#options = options;
    this.#sabotage = sabotage;
    this.#specs = Object.values(options.limits);
    this.network = new Network(options, this.timeline, options.random);
    this.ledgers = this.#specs.map((spec) => new Ledger(spec, START_MS));
    this.admittedByPop = Array.from({ length: options.pops }, () => 0);
    this.lessees = Array.from({ length: options.pops * options.lesseesPerPop }, (_, index) =>
      this.#newLessee(Math.floor(index / options.lesseesPerPop)),
    );
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  /** A request arrives at an isolate. `charged` are indexes of limits, default all; `heldMs` is how long it takes. */
  request(index: number, costTokens = 1, charged: readonly number[] = this.#all(), heldMs = 0): void {
    const lessee = this.lessees[index];
    if (lessee === undefined) return;
    this.requests++;
    const { nowMs } = this.timeline;
    const charge = this.#charge(lessee, charged);
    const costMicro = costTokens * MICRO_TOKENS_PER_TOKEN;
    noteDemand(charge.all, costMicro, nowMs);
    if (this.#sabotage.spendAfterExpiry === true) {
      for (const holding of charge.all) holding.expiresAtMs = Number.MAX_SAFE_INTEGER;
    }
    const admit = (decidedBy: "lease" | "coordinator"): void => {
      if (decidedBy === "lease") this.#book(lessee, charge, costTokens);
      this.#begin(lessee, charge, costTokens, heldMs);
    };
    switch (spend(charge.enforced, costMicro, nowMs)) {
      case "admitted":
        admit("lease");
        this.#prefetch(lessee, charge);
        return;
      case "refused":
        this.refused++;
        return;
      case "ask":
        this.#wait(lessee, charge, costMicro, admit);
    }
  }

  /** A cost became known after the response. */
  settleCost(index: number, tokens: number): void {
    const lessee = this.lessees[index];
    if (lessee !== undefined) settleCost(lessee.holdings, tokens * MICRO_TOKENS_PER_TOKEN, this.timeline.nowMs);
  }

  #all(): readonly number[] {
    return this.#specs.map((_, index) => index);
  }

  #charge(lessee: SimulatedLessee, charged: readonly number[]): Charge {
    const key = charged.join();
    let charge = lessee.charges.get(key);
    if (charge === undefined) {
      const holdings = charged.flatMap((index) => lessee.holdings[index] ?? []);
      charge = { all: holdings, enforced: holdings, shadow: [] };
      lessee.charges.set(key, charge);
    }
    return charge;
  }

  /** Spent here and now. What the coordinator admits is booked there, see #decide. */
  #book(lessee: SimulatedLessee, charge: Charge, costTokens: number): void {
    for (const holding of charge.enforced) {
      if (holding.spec.kind !== "slots") {
        this.ledgers[lessee.holdings.indexOf(holding)]?.admit(this.timeline.nowMs, costTokens);
      }
    }
  }

  #begin(lessee: SimulatedLessee, charge: Charge, costTokens: number, heldMs: number): void {
    this.admitted += costTokens;
    this.admittedByPop[lessee.pop] = (this.admittedByPop[lessee.pop] ?? 0) + costTokens;
    if (!charge.enforced.some((holding) => holding.spec.kind === "slots")) return;
    this.running++;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    this.timeline.at(this.timeline.nowMs + heldMs, () => {
      this.running--;
      if (releaseSlots(charge.enforced, this.timeline.nowMs)) this.#ask(lessee);
    });
  }

  #wait(
    lessee: SimulatedLessee,
    charge: Charge,
    costMicro: number,
    admit: (decidedBy: "lease" | "coordinator") => void,
  ): void {
    this.waited++;
    if (this.timeline.nowMs < lessee.unreachableUntilMs) {
      this.refused++;
      return;
    }
    const waiter: Waiter = {
      charge,
      costMicro,
      settled: "no",
      settle: (verdict) => {
        if (waiter.settled !== "no") return;
        waiter.settled = verdict?.admitted === true ? "admitted" : "refused";
        if (!lessee.alive) return;
        if (verdict?.admitted === true) admit(verdict.decidedBy);
        else this.refused++;
      },
    };
    this.timeline.at(this.timeline.nowMs + this.#options.deadlineMs, () => {
      waiter.settle(undefined);
    });
    lessee.queue.waiting.push(waiter);
    this.#ask(lessee);
  }

  #ask(lessee: SimulatedLessee): void {
    if (lessee.alive && !isCalling(lessee.queue, this.timeline.nowMs)) this.#call(lessee, undefined);
  }

  #prefetch(lessee: SimulatedLessee, charge: Charge): void {
    const { nowMs } = this.timeline;
    if (isCalling(lessee.queue, nowMs) || nowMs < lessee.unreachableUntilMs) return;
    const dry = charge.all.some((holding) => wantsPrefetch(holding, lessee.queue.roundTripMs, nowMs));
    if (dry) this.#call(lessee, charge);
  }

  #call(lessee: SimulatedLessee, prefetched: Charge | undefined): void {
    const underWay = beginCall(lessee.queue, 1, prefetched, this.timeline.nowMs);
    this.#send(lessee, underWay);
    // Sent once more under the same number, then given up.
    this.timeline.at(this.timeline.nowMs + RETRY_AFTER_MS, () => {
      if (lessee.queue.underWay === underWay) this.#send(lessee, underWay);
    });
    this.timeline.at(this.timeline.nowMs + CALL_ABANDONED_MS, () => {
      if (lessee.queue.underWay !== underWay) return;
      takeFailure(lessee.queue, underWay);
      lessee.unreachableUntilMs = this.timeline.nowMs + UNREACHABLE_FOR_MS;
    });
  }

  #send(lessee: SimulatedLessee, underWay: CallUnderWay): void {
    this.network.send(lessee.pop, () => this.#decide(lessee, underWay));
  }

  #decide(lessee: SimulatedLessee, underWay: CallUnderWay): void {
    this.calls++;
    const { nowMs } = this.timeline;
    if (this.#sabotage.ignoreSeq === true) this.book.lessees.delete(lessee.id);
    const answer = answerLease(this.book, underWay.call, nowMs);
    if (answer.kind === "full") throw new Error(`no room for ${answer.what}`);
    if (answer.kind === "stale") return;
    if (answer.kind === "decided") {
      if (this.#sabotage.storeLate !== true) this.#stored = this.book;
      this.#bookAdmitted(underWay, answer.decision, nowMs);
      this.checkPartitions();
    }
    this.network.send(lessee.pop, () => this.#receive(lessee, underWay, answer.decision));
  }

  /** Waiting requests are admitted here, whether or not the reply arrives. */
  #bookAdmitted(underWay: CallUnderWay, decision: LeaseDecision, nowMs: number): void {
    for (const [index, group] of underWay.call.waiting.entries()) {
      const tokens = ((decision.waiting[index]?.admitted ?? 0) * group.costMicro) / MICRO_TOKENS_PER_TOKEN;
      for (const item of group.enforced) {
        const name = underWay.call.items[item]?.partition ?? "";
        const limit = Object.keys(this.#options.limits).indexOf(name);
        if (tokens > 0 && this.#specs[limit]?.kind !== "slots") this.ledgers[limit]?.admit(nowMs, tokens);
      }
    }
  }

  #receive(lessee: SimulatedLessee, underWay: CallUnderWay, decision: LeaseDecision): void {
    if (!lessee.alive) return;
    if (this.#sabotage.ignoreSeq === true) lessee.queue.underWay = underWay;
    if (!takeReply(lessee.queue, underWay, decision, this.timeline.nowMs)) return;
    lessee.unreachableUntilMs = 0;
    if (hasWaiting(lessee.queue)) this.#call(lessee, undefined);
  }

  /** A new isolate in the place of this one; what it held is lost, and those who waited there are gone. */
  evict(index: number): void {
    const old = this.lessees[index];
    if (old === undefined) return;
    old.alive = false;
    this.lessees[index] = this.#newLessee(old.pop);
  }

  /** The coordinator loses its memory and loads what it stored. */
  restart(): void {
    const loaded = this.#sabotage.forgetOnRestart === true ? newLeaseBook() : structuredClone(this.#stored);
    this.book = loaded;
    this.#stored = this.#sabotage.storeLate === true ? structuredClone(loaded) : loaded;
  }

  #newLessee(pop: number): SimulatedLessee {
    const id = `lessee-${this.#born++}`;
    return {
      id,
      pop,
      holdings: Object.entries(this.#options.limits).map(([name, spec]) => newHolding(name, spec, this.timeline.nowMs)),
      charges: new Map(),
      queue: newCallQueue(id, () => undefined),
      unreachableUntilMs: 0,
      alive: true,
    };
  }

  /** Throws where the books are off: invariant 2, and that what is outstanding is what is leased. */
  checkPartitions(): void {
    for (const [name, { freeMicro, outstandingMicro, debtMicro, leases, spec }] of this.book.partitions) {
      let sum = 0;
      for (const lease of leases.values()) sum += lease.remainingMicro;
      const sound =
        Number.isSafeInteger(freeMicro) &&
        freeMicro >= 0 &&
        debtMicro >= 0 &&
        (freeMicro === 0 || debtMicro === 0) &&
        outstandingMicro === sum &&
        freeMicro + outstandingMicro <= capacityMicro(spec);
      if (!sound) {
        throw new Error(
          `partition ${name}: free ${freeMicro}, outstanding ${outstandingMicro}, leases ${sum}, debt ${debtMicro}`,
        );
      }
    }
  }
}

export function bucket(ratePerSecond: number, burst: number): LimitSpec {
  return {
    kind: "bucket",
    refillNumerator: ratePerSecond * 1_000,
    refillDenominator: 1,
    burstMicro: burst * MICRO_TOKENS_PER_TOKEN,
  };
}
