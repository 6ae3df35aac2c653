/**
 * A small world in virtual time: one coordinator, many lessees, a network that delays, loses, duplicates and reorders.
 * It runs the policy functions that the Worker runs; only the plumbing between them is its own.
 */
import { decideLease } from "../../../src/policy/limits/lease-book.ts";
import {
  composeItem,
  type Holding,
  newHolding,
  noteDemand,
  receive,
  spend,
  wantsPrefetch,
} from "../../../src/policy/limits/lessee.ts";
import { capacityMicro, type Partition, refillPerSecond } from "../../../src/policy/limits/partition.ts";
import {
  type LeaseCall,
  type LeaseDecision,
  type LimitSpec,
  MICRO_TOKENS_PER_TOKEN,
} from "../../../src/policy/limits/types.ts";

export interface WorldOptions {
  readonly spec: LimitSpec;
  readonly lessees: number;
  /** One way, milliseconds. */
  readonly delayMs: () => number;
  readonly lossRatio: number;
  readonly duplicateRatio: number;
  readonly random: () => number;
}

/** Faults for mutation: each must break an invariant. */
export interface Sabotage {
  readonly spendAfterExpiry?: boolean;
  readonly ignoreSeq?: boolean;
  readonly forgetOnRestart?: boolean;
}

interface SimulatedLessee {
  id: string;
  holding: Holding;
  seq: number;
  call: { request: LeaseCall; sentAtMs: number; waiters: number } | undefined;
  queue: number;
}

interface Stored {
  readonly seq: number;
  readonly decision: LeaseDecision;
}

const CALL_ABANDONED_MS = 2_000;

export class World {
  nowMs = 1_000_000;
  calls = 0;
  requests = 0;
  refused = 0;
  /** When each admitted request was decided. */
  readonly admissions: number[] = [];
  partitions = new Map<string, Partition>();
  #stored = new Map<string, Stored>();
  readonly lessees: SimulatedLessee[];
  readonly #options: WorldOptions;
  readonly #sabotage: Sabotage;
  readonly #events: { atMs: number; order: number; run: () => void }[] = [];
  #order = 0;
  #born = 0;

  constructor(options: WorldOptions, sabotage: Sabotage = {}) {
    this.#options = options;
    this.#sabotage = sabotage;
    this.lessees = Array.from({ length: options.lessees }, () => this.#newLessee());
  }

  at(atMs: number, run: () => void): void {
    const event = { atMs: Math.ceil(atMs), order: this.#order++, run };
    let index = this.#events.length;
    this.#events.push(event);
    // Binary heap: the earliest event is at the top.
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#events[parent];
      if (above === undefined || !before(event, above)) break;
      this.#events[index] = above;
      index = parent;
    }
    this.#events[index] = event;
  }

  runUntil(endMs: number): void {
    for (;;) {
      const [next] = this.#events;
      if (next === undefined || next.atMs > endMs) break;
      this.#removeFirst();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = Math.max(this.nowMs, endMs);
  }

  #removeFirst(): void {
    const last = this.#events.pop();
    if (last === undefined || this.#events.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const [left, right] = [this.#events[child], this.#events[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && before(right, left)) child++;
      const smallest = this.#events[child];
      if (smallest === undefined || !before(smallest, last)) break;
      this.#events[index] = smallest;
      index = child;
    }
    this.#events[index] = last;
  }

  /** Arrivals as a Poisson stream over all lessees, from now on, for `forMs`. */
  traffic(
    ratePerSecond: number,
    forMs: number,
    pick: () => number = () => Math.floor(this.#options.random() * this.lessees.length),
  ): void {
    let atMs = this.nowMs;
    const endMs = this.nowMs + forMs;
    for (;;) {
      atMs += (-Math.log(1 - this.#options.random()) * 1_000) / ratePerSecond;
      if (atMs >= endMs) return;
      const index = pick();
      this.at(atMs, () => this.request(index));
    }
  }

  request(index: number, costTokens = 1): void {
    const lessee = this.lessees[index];
    if (lessee === undefined) return;
    this.requests++;
    const cost = costTokens * MICRO_TOKENS_PER_TOKEN;
    noteDemand([lessee.holding], cost, this.nowMs);
    const verdict = this.#spend(lessee, cost);
    if (verdict === "admitted") {
      if (lessee.call === undefined && wantsPrefetch(lessee.holding, 50, this.nowMs)) this.#send(lessee);
    } else if (verdict === "refused") this.refused++;
    else {
      lessee.queue++;
      if (lessee.call === undefined) this.#send(lessee);
    }
  }

  #spend(lessee: SimulatedLessee, cost: number): ReturnType<typeof spend> {
    if (this.#sabotage.spendAfterExpiry === true) lessee.holding.expiresAtMs = Number.MAX_SAFE_INTEGER;
    const verdict = spend([lessee.holding], cost, this.nowMs);
    if (verdict === "admitted") this.admissions.push(this.nowMs);
    return verdict;
  }

  /** A new isolate in the place of this one; what it held is lost. */
  evict(index: number): void {
    this.lessees[index] = this.#newLessee();
  }

  /** The coordinator loses its memory and loads what it stored. */
  restart(): void {
    this.partitions = this.#sabotage.forgetOnRestart === true ? new Map() : structuredClone(this.partitions);
    this.#stored = structuredClone(this.#stored);
  }

  #newLessee(): SimulatedLessee {
    const holding = newHolding("p", this.#options.spec, this.nowMs);
    return { id: `lessee-${this.#born++}`, holding, seq: 0, call: undefined, queue: 0 };
  }

  #send(lessee: SimulatedLessee): void {
    const waiters = lessee.queue;
    lessee.queue = 0;
    lessee.seq++;
    const request: LeaseCall = {
      lesseeId: lessee.id,
      seq: lessee.seq,
      configVersion: 1,
      items: [composeItem(lessee.holding, this.nowMs)],
      waiting: waiters === 0 ? [] : [{ count: waiters, costMicro: MICRO_TOKENS_PER_TOKEN, enforced: [0], shadow: [] }],
    };
    const call = { request, sentAtMs: this.nowMs, waiters };
    lessee.call = call;
    this.#transmit(() => this.#handle(lessee, request));
    // Sent once more under the same number, then given up.
    this.at(this.nowMs + CALL_ABANDONED_MS / 2, () => {
      if (lessee.call === call) this.#transmit(() => this.#handle(lessee, request));
    });
    this.at(this.nowMs + CALL_ABANDONED_MS, () => {
      if (lessee.call !== call) return;
      lessee.call = undefined;
      this.refused += call.waiters;
      this.#afterReply(lessee);
    });
  }

  #transmit(deliver: () => void): void {
    const { random, lossRatio, duplicateRatio, delayMs } = this.#options;
    const copies = random() < duplicateRatio ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) if (random() >= lossRatio) this.at(this.nowMs + delayMs(), deliver);
  }

  #handle(lessee: SimulatedLessee, request: LeaseCall): void {
    this.calls++;
    const last = this.#stored.get(request.lesseeId);
    const known = this.#sabotage.ignoreSeq !== true && last !== undefined && request.seq <= last.seq;
    if (known && request.seq < last.seq) return;
    let decision = last?.decision;
    if (!known) {
      decision = decideLease(this.partitions, request, this.nowMs);
      if (decision === undefined) throw new Error("no room");
      this.#stored.set(request.lesseeId, { seq: request.seq, decision });
      for (const result of decision.waiting) for (let n = 0; n < result.admitted; n++) this.admissions.push(this.nowMs);
      this.checkPartitions();
    }
    const reply = decision;
    if (reply !== undefined) this.#transmit(() => this.#receive(lessee, request, reply));
  }

  #receive(lessee: SimulatedLessee, request: LeaseCall, decision: LeaseDecision): void {
    const { call } = lessee;
    if (call === undefined || (this.#sabotage.ignoreSeq !== true && call.request !== request)) return;
    lessee.call = undefined;
    receive([lessee.holding], decision, call.sentAtMs, this.nowMs);
    const admitted = decision.waiting[0]?.admitted ?? 0;
    lessee.queue += Math.max(0, call.waiters - admitted);
    this.#afterReply(lessee);
  }

  #afterReply(lessee: SimulatedLessee): void {
    let left = 0;
    for (let n = lessee.queue; n > 0; n--) {
      const verdict = this.#spend(lessee, MICRO_TOKENS_PER_TOKEN);
      if (verdict === "refused") this.refused++;
      else if (verdict === "ask") left++;
    }
    lessee.queue = left;
    if (left > 0) this.#send(lessee);
  }

  checkPartitions(): void {
    for (const [name, partition] of this.partitions) {
      const { freeMicro, outstandingMicro, leases } = partition;
      const sum = [...leases.values()].reduce((total, lease) => total + lease.remainingMicro, 0);
      const sound =
        Number.isSafeInteger(freeMicro) &&
        freeMicro >= 0 &&
        outstandingMicro === sum &&
        freeMicro + outstandingMicro <= capacityMicro(partition.spec);
      if (!sound)
        throw new Error(`partition ${name}: free ${freeMicro}, outstanding ${outstandingMicro}, leases ${sum}`);
    }
  }

  /** Tokens admitted beyond burst + rate × length in the worst window (s, t]; negative: room left. */
  worstExcess(): number {
    const { spec } = this.#options;
    const ratePerMs = refillPerSecond(spec) / 1_000;
    const sorted = this.admissions.toSorted((a, b) => a - b);
    let worst = Number.NEGATIVE_INFINITY;
    // Max over i <= j of (j − i + 1)·1 − rate·(t_j − s), where s is just before t_i: a running maximum.
    let best = Number.NEGATIVE_INFINITY;
    for (const [index, atMs] of sorted.entries()) {
      best = Math.max(best, -index * MICRO_TOKENS_PER_TOKEN + ratePerMs * atMs);
      worst = Math.max(worst, (index + 1) * MICRO_TOKENS_PER_TOKEN - ratePerMs * atMs + best - capacityMicro(spec));
    }
    return worst / MICRO_TOKENS_PER_TOKEN;
  }

  utilisation(durationMs: number, demandPerSecond: number): number {
    const rate = refillPerSecond(this.#options.spec) / MICRO_TOKENS_PER_TOKEN;
    const burst = capacityMicro(this.#options.spec) / MICRO_TOKENS_PER_TOKEN;
    const ideal = Math.min((demandPerSecond * durationMs) / 1_000, burst + (rate * durationMs) / 1_000);
    return this.admissions.length / ideal;
  }
}

function before(a: { atMs: number; order: number }, b: { atMs: number; order: number }): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

export function bucket(ratePerSecond: number, burst: number): LimitSpec {
  return {
    kind: "bucket",
    refillNumerator: ratePerSecond * 1_000,
    refillDenominator: 1,
    burstMicro: burst * MICRO_TOKENS_PER_TOKEN,
  };
}

/** mulberry32: a seeded stream of numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
