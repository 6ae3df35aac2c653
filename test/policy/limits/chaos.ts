/**
 * Limits under everything at once, one random operation after the other: requests, messages that arrive in any order,
 * twice or never, a coordinator that restarts and whose clock steps back, isolates that are evicted, limits that change on
 * the way, late costs, refunds. After each operation the invariants are checked, exactly, in integers.
 *
 * Time is the test's own; the coordinator's clock is behind it by all its steps back. Nothing is delivered in order.
 */
import {
  beginCall,
  type CallQueue,
  type CallUnderWay,
  type Charge,
  hasWaiting,
  isCalling,
  newCallQueue,
  takeFailure,
  takeReply,
  type Waiter,
} from "../../../src/policy/limits/call-queue.ts";
import { answerLease, type LeaseBook, newLeaseBook } from "../../../src/policy/limits/lease-replies.ts";
import {
  type Holding,
  newHolding,
  noteDemand,
  refund,
  settleCost,
  spend,
  stock,
  wantsPrefetch,
} from "../../../src/policy/limits/lessee.ts";
import { capacityMicro, LEASE_GRACE_MS, mostLeft } from "../../../src/policy/limits/partition.ts";
import type { LeaseDecision, LimitSpec } from "../../../src/policy/limits/types.ts";
import { T0, TOKEN } from "./builders.ts";

interface Isolate {
  readonly queue: CallQueue;
  readonly holdings: readonly Holding[];
  readonly charges: readonly Charge[];
  /** Of the config it runs with. */
  version: number;
  /** Admitted, not refunded yet. */
  readonly spent: { readonly charge: Charge; readonly epochs: readonly number[]; readonly costMicro: number }[];
}

interface Message {
  readonly isolate: Isolate;
  readonly underWay: CallUnderWay;
  /** Undefined: on its way to the coordinator. */
  readonly decision: LeaseDecision | undefined;
}

/**
 * What a limit allows, as a bucket in the middle of the world: below zero means that some window (s, t] saw more than
 * burst + rate × length. A changed limit neither fills it nor takes away what it had.
 */
class Envelope {
  spec: LimitSpec;
  levelMicro: number;
  #atMs = T0;
  #periodEndsAtMs: number | undefined;

  constructor(spec: LimitSpec) {
    this.spec = spec;
    this.levelMicro = capacityMicro(spec);
  }

  advance(nowMs: number): void {
    if (this.spec.kind === "bucket") {
      const { refillNumerator, refillDenominator, burstMicro } = this.spec;
      if (refillDenominator !== 1) throw new RangeError("only whole rates are exact here");
      const full = Math.max(burstMicro, this.levelMicro);
      this.levelMicro = Math.min(full, this.levelMicro + (nowMs - this.#atMs) * refillNumerator);
    }
    this.#atMs = nowMs;
  }

  /** The coordinator says when a quota's period is over, by its own clock. */
  follow(spec: LimitSpec, periodEndsAtMs: number): void {
    // Nobody used it under an earlier config: it begins full.
    if (this.#periodEndsAtMs === undefined) this.levelMicro = capacityMicro(spec);
    const began = this.#periodEndsAtMs !== undefined && periodEndsAtMs > this.#periodEndsAtMs;
    if (spec.kind === "quota" && began) this.levelMicro = Math.max(this.levelMicro, spec.quotaMicro);
    this.#periodEndsAtMs = periodEndsAtMs;
    this.spec = spec;
  }
}

export interface ChaosOptions {
  readonly limits: Readonly<Record<string, LimitSpec>>;
  readonly isolates: number;
  readonly lossRatio: number;
  readonly duplicateRatio: number;
  readonly random: () => number;
  /** Another limit in the place of this one; absent: limits stay as they are. */
  readonly change?: (spec: LimitSpec, random: () => number) => LimitSpec;
  readonly stepsBack: boolean;
}

export class Chaos {
  operations = 0;
  admitted = 0;
  refunded = 0;
  nowMs = T0;
  book: LeaseBook = newLeaseBook();
  readonly #options: ChaosOptions;
  readonly #names: readonly string[];
  readonly #envelopes: readonly Envelope[];
  readonly #configs: (readonly LimitSpec[])[];
  readonly #isolates: Isolate[];
  readonly #messages: Message[] = [];
  #behindMs = 0;
  #born = 0;

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#names = Object.keys(options.limits);
    this.#configs = [Object.values(options.limits)];
    this.#envelopes = Object.values(options.limits).map((spec) => new Envelope(spec));
    this.#isolates = Array.from({ length: options.isolates }, () => this.#newIsolate());
  }

  run(operations: number): void {
    for (let index = 0; index < operations; index++) {
      this.operations++;
      this.#pass();
      this.#operate();
      this.#check();
    }
  }

  #pass(): void {
    const { random } = this.#options;
    const at = random();
    this.nowMs += Math.floor(random() * (at < 0.9 ? 20 : at < 0.99 ? 400 : 6_000));
    for (const envelope of this.#envelopes) envelope.advance(this.nowMs);
  }

  #operate(): void {
    const { random, change, stepsBack } = this.#options;
    const isolate = this.#isolates[Math.floor(random() * this.#isolates.length)];
    if (isolate === undefined) return;
    const at = random();
    if (at < 0.55) this.#request(isolate);
    else if (at < 0.9) this.#deliver();
    else if (at < 0.92) this.book = structuredClone(this.book);
    else if (at < 0.93) this.#isolates[this.#isolates.indexOf(isolate)] = this.#newIsolate();
    else if (at < 0.94 && stepsBack) this.#behindMs += Math.floor(random() ** 3 * 20_000);
    else if (at < 0.95 && change !== undefined) {
      this.#configs.push((this.#configs.at(-1) ?? []).map((spec) => change(spec, random)));
    } else if (at < 0.97) this.#deploy(isolate);
    else if (at < 0.985) this.#refund(isolate);
    else settleCost(isolate.holdings, Math.floor(random() * 5 * TOKEN), this.nowMs);
  }

  #newIsolate(): Isolate {
    const version = this.#configs.length;
    const holdings = (this.#configs[version - 1] ?? []).map((spec, index) =>
      newHolding(this.#names[index] ?? "", spec, this.nowMs),
    );
    const of = (charged: readonly Holding[]): Charge => ({ all: charged, enforced: charged, shadow: [] });
    return {
      queue: newCallQueue(`isolate-${this.#born++}`, () => undefined),
      holdings,
      charges: [of(holdings), of(holdings.slice(0, 1)), of(holdings.slice(-1))],
      version,
      spent: [],
    };
  }

  /** This isolate runs with the newest config from now on. */
  #deploy(isolate: Isolate): void {
    isolate.version = this.#configs.length;
    for (const [index, spec] of (this.#configs.at(-1) ?? []).entries()) {
      const holding = isolate.holdings[index];
      if (holding !== undefined) holding.spec = spec;
    }
  }

  #request(isolate: Isolate): void {
    const { random } = this.#options;
    const charge = isolate.charges[Math.floor(random() * isolate.charges.length)];
    if (charge === undefined) return;
    const tokens = random() < 0.2 ? 3 : 1;
    const { queue } = isolate;
    noteDemand(charge.all, tokens * TOKEN, this.nowMs);
    const spending = spend(charge.enforced, tokens * TOKEN, this.nowMs);
    if (spending === "refused") return;
    if (spending === "admitted") {
      this.#admit(charge.enforced, tokens * TOKEN);
      this.#noteSpent(isolate, charge, tokens * TOKEN);
    } else {
      const waiting: Waiter = {
        charge,
        costMicro: tokens * TOKEN,
        settled: "no",
        settle: (verdict) => {
          if (waiting.settled !== "no") return;
          waiting.settled = verdict?.admitted === true ? "admitted" : "refused";
          if (verdict?.admitted !== true) return;
          if (verdict.decidedBy === "lease") this.#admit(charge.enforced, tokens * TOKEN);
          this.#noteSpent(isolate, charge, tokens * TOKEN);
        },
      };
      queue.waiting.push(waiting);
    }
    const asks =
      hasWaiting(queue) || charge.all.some((holding) => wantsPrefetch(holding, queue.roundTripMs, this.nowMs));
    if (asks && !isCalling(queue, this.nowMs)) this.#call(isolate, charge);
  }

  #call(isolate: Isolate, prefetched: Charge): void {
    const { queue } = isolate;
    if (queue.underWay !== undefined) takeFailure(queue, queue.underWay);
    const underWay = beginCall(queue, isolate.version, prefetched, this.nowMs);
    this.#send({ isolate, underWay, decision: undefined });
  }

  #send(message: Message): void {
    const { random, lossRatio, duplicateRatio } = this.#options;
    if (random() >= lossRatio) this.#messages.push(message);
    if (random() < duplicateRatio) this.#messages.push(message);
  }

  /** Any message under way, the older ones rather. */
  #deliver(): void {
    const index = Math.floor(this.#options.random() ** 2 * this.#messages.length);
    const [message] = this.#messages.splice(index, 1);
    if (message === undefined) return;
    const { isolate, underWay, decision } = message;
    if (decision !== undefined) {
      if (this.#isolates.includes(isolate)) takeReply(isolate.queue, underWay, decision, this.nowMs);
      return;
    }
    const before = JSON.stringify([...this.book.partitions].map(([name, one]) => [name, one, [...one.leases]]));
    const answer = answerLease(this.book, underWay.call, this.#coordinatorNowMs);
    if (answer.kind === "full") throw new Error(`no room for ${answer.what}`);
    if (answer.kind === "decided") this.#bookDecision(underWay, answer.decision);
    else {
      const after = JSON.stringify([...this.book.partitions].map(([name, one]) => [name, one, [...one.leases]]));
      if (after !== before) throw new Error(`a ${answer.kind} call changed a partition`);
    }
    if (answer.kind !== "stale") this.#send({ isolate, underWay, decision: answer.decision });
  }

  get #coordinatorNowMs(): number {
    return this.nowMs - this.#behindMs;
  }

  #bookDecision({ call }: CallUnderWay, decision: LeaseDecision): void {
    for (const item of call.items) {
      const envelope = this.#envelopes[this.#names.indexOf(item.partition)];
      const partition = this.book.partitions.get(item.partition);
      if (envelope === undefined || partition === undefined) throw new Error(`unknown ${item.partition}`);
      const had = envelope.spec.kind === "quota" ? capacityMicro(envelope.spec) : 0;
      // Given back by those who spent it: at most what is gone.
      if (item.refundMicro !== undefined && item.epoch === partition.epoch) {
        envelope.levelMicro = Math.min(Math.max(had, envelope.levelMicro), envelope.levelMicro + item.refundMicro);
      }
      envelope.follow(partition.spec, partition.periodEndsAtMs);
    }
    for (const [index, group] of call.waiting.entries()) {
      const costMicro = (decision.waiting[index]?.admitted ?? 0) * group.costMicro;
      for (const item of group.enforced) this.#take(call.items[item]?.partition ?? "", costMicro);
    }
  }

  #admit(holdings: readonly Holding[], costMicro: number): void {
    for (const holding of holdings) this.#take(holding.partition, costMicro);
  }

  #take(name: string, costMicro: number): void {
    const envelope = this.#envelopes[this.#names.indexOf(name)];
    if (envelope === undefined) throw new Error(`unknown ${name}`);
    envelope.levelMicro -= costMicro;
    this.admitted += costMicro / TOKEN;
    if (envelope.levelMicro < 0) throw new Error(`${name}: ${-envelope.levelMicro} micro-tokens over in some window`);
  }

  #noteSpent(isolate: Isolate, charge: Charge, costMicro: number): void {
    isolate.spent.push({ charge, epochs: charge.all.map((holding) => holding.epoch), costMicro });
  }

  #refund({ spent }: Isolate): void {
    const [failed] = spent.splice(Math.floor(this.#options.random() * spent.length), 1);
    if (failed === undefined) return;
    this.refunded++;
    refund(failed.charge.all, failed.epochs, failed.costMicro);
  }

  #check(): void {
    for (const [name, partition] of this.book.partitions) {
      const { freeMicro, outstandingMicro, debtMicro, leases, spec } = partition;
      let leased = 0;
      for (const { remainingMicro } of leases.values()) leased += remainingMicro;
      const sound =
        [freeMicro, outstandingMicro, debtMicro].every((amount) => Number.isSafeInteger(amount) && amount >= 0) &&
        (freeMicro === 0 || debtMicro === 0) &&
        debtMicro <= capacityMicro(spec) &&
        leased === outstandingMicro &&
        // A limit that shrank may have more leased than it is large; then nothing is free.
        freeMicro <= Math.max(0, capacityMicro(spec) - outstandingMicro);
      if (!sound) throw new Error(`${name}: ${JSON.stringify({ ...partition, leases: [...leases] })}`);
    }
    for (const isolate of this.#isolates) for (const holding of isolate.holdings) this.#checkHolding(isolate, holding);
  }

  /** The coordinator counts at least as much as is held here, at every instant. */
  #checkHolding({ queue }: Isolate, holding: Holding): void {
    const held = stock({ ...holding }, this.nowMs);
    const { debtMicro, refundMicro } = holding;
    const sound = [held, debtMicro, refundMicro].every((amount) => Number.isSafeInteger(amount) && amount >= 0);
    if (!sound) throw new Error(`${queue.lesseeId}: ${JSON.stringify(holding)}`);
    if (held === 0) return;
    const lease = this.book.partitions.get(holding.partition)?.leases.get(queue.lesseeId);
    const { remainingMicro = 0, lineMicro = 0, meltMs = 0, expiresAtMs = 0 } = lease ?? {};
    const left = mostLeft(lineMicro, meltMs, expiresAtMs - (this.#coordinatorNowMs - LEASE_GRACE_MS));
    const counted = Math.min(remainingMicro, left);
    if (held > counted) throw new Error(`${queue.lesseeId} holds ${held}, the coordinator counts ${counted}`);
  }
}
