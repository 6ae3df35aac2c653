/**
 * This isolate as a lessee of one tenant object: holdings, the call under way (one at a time), and the requests that
 * wait for the next one. Requests are admitted here without a call whenever the holdings allow it.
 */
import type { LimitConfig } from "../../config/model.ts";
import { callCoordinator } from "../../platform/coordinators.ts";
import type { Env } from "../../platform/bindings.ts";
import { composeItem, type Holding, newHolding, receive, spend, wantsPrefetch } from "../../policy/limits/lessee.ts";
import type { LeaseItem, WaitingGroup } from "../../policy/limits/types.ts";
import {
  type LeaseReply,
  type LeaseRequest,
  MAX_ITEMS,
  MAX_WAITING_GROUPS,
  TENANT_PROTOCOL_VERSION,
  type TenantRecord,
} from "../../protocol/tenant.ts";
import { type ChargeSet, makeChargeSet, NOTHING_CHARGED } from "./charge-set.ts";

/** Partitions of one tenant this isolate knows; the table starts anew when it is full (what is held is written off). */
const MAX_HOLDINGS = 5_000;
/** A call that has not returned by then is given up; its reply, if it comes, is not used. */
const CALL_ABANDONED_MS = 2_000;
/** Requests admitted by their fail mode that are still to be paid for; more are let go. */
const MAX_OWED = 1_000;
/** After a failure requests go to their fail mode at once for this long, while one call tries again. */
const UNREACHABLE_FOR_MS = 500;

export interface Waiter {
  readonly charge: ChargeSet;
  readonly costMicro: number;
  /** Answered already? "owed": admitted by its fail mode, and still to be paid for at the coordinator. */
  settled: "no" | "admitted" | "refused" | "owed";
  /** Undefined: the coordinator is out of reach. */
  settle(verdict: WaiterVerdict | undefined): void;
}

export type WaiterVerdict =
  | { readonly admitted: true; readonly decidedBy: "lease" | "coordinator"; readonly decidedAtMs: number }
  | { readonly admitted: false };

export interface LesseeStats {
  calls: number;
  failedCalls: number;
  staleReplies: number;
  waited: number;
  failedOver: number;
}

export interface LesseeContext {
  /** Never used before: sequence numbers begin anew with each lessee. */
  readonly lesseeId: string;
  readonly now: () => number;
  readonly stats: LesseeStats;
  readonly onShadowRefused: (coordinatorName: string, limit: LimitConfig, count: number) => void;
}

export interface CallSite {
  readonly env: Env;
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly configVersion: number;
}

interface CallUnderWay {
  readonly request: LeaseRequest;
  readonly holdings: readonly Holding[];
  readonly groups: readonly (readonly Waiter[])[];
  readonly sentAtMs: number;
}

export class TenantLessee {
  readonly #context: LesseeContext;
  readonly #name: string;
  #holdings = new Map<string, Holding>();
  #chargeSets = new Map<readonly LimitConfig[], Map<readonly LimitConfig[], Map<string, ChargeSet>>>();
  readonly #shadowCharges = new WeakMap<Holding, ChargeSet>();
  #queue: Waiter[] = [];
  #call: CallUnderWay | undefined;
  #seq = 0;
  #roundTripMs = 50;
  #record: { readonly version: number; readonly revoked: ReadonlySet<string> } | undefined;
  recordAtMs = 0;
  unreachableUntilMs = 0;

  constructor(coordinatorName: string, context: LesseeContext) {
    this.#name = coordinatorName;
    this.#context = context;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  get knowsRecord(): boolean {
    return this.#record !== undefined;
  }

  isRevoked(keyId: string): boolean {
    return this.#record?.revoked.has(keyId) ?? false;
  }

  chargeSet(tenantLimits: readonly LimitConfig[], routeLimits: readonly LimitConfig[], principal: string): ChargeSet {
    let byRoute = this.#chargeSets.get(tenantLimits);
    if (byRoute === undefined) this.#chargeSets.set(tenantLimits, (byRoute = new Map()));
    let byPrincipal = byRoute.get(routeLimits);
    if (byPrincipal === undefined) byRoute.set(routeLimits, (byPrincipal = new Map()));
    let charge = byPrincipal.get(principal);
    if (charge === undefined) {
      if (this.#holdings.size >= MAX_HOLDINGS) {
        this.#holdings = new Map();
        this.#chargeSets = new Map();
        return this.chargeSet(tenantLimits, routeLimits, principal);
      }
      const limits = [...tenantLimits, ...routeLimits];
      charge =
        limits.length === 0
          ? NOTHING_CHARGED
          : makeChargeSet(limits, principal, (partition, limit) => this.#holding(partition, limit));
      byPrincipal.set(principal, charge);
    }
    return charge;
  }

  #holding(partition: string, limit: LimitConfig): Holding {
    let holding = this.#holdings.get(partition);
    if (holding === undefined) {
      holding = newHolding(partition, limit.spec, this.#context.now());
      this.#holdings.set(partition, holding);
    }
    holding.spec = limit.spec;
    return holding;
  }

  /** Asks behind the request, when the stock will soon be dry and no call is under way. */
  prefetch(charge: ChargeSet, site: CallSite, nowMs: number): void {
    if (this.#isCalling(nowMs) || nowMs < this.unreachableUntilMs) return;
    for (const holding of charge.all) {
      if (!wantsPrefetch(holding, this.#roundTripMs, nowMs)) continue;
      site.waitUntil(this.#callWhileWaited(site, charge, nowMs));
      return;
    }
  }

  /** Sees to it that a call is under way, or one will follow it. */
  ask(site: CallSite, nowMs: number): void {
    if (!this.#isCalling(nowMs)) site.waitUntil(this.#callWhileWaited(site, undefined, nowMs));
  }

  enqueue(waiter: Waiter): void {
    this.#queue.push(waiter);
  }

  #isCalling(nowMs: number): boolean {
    return this.#call !== undefined && nowMs - this.#call.sentAtMs < CALL_ABANDONED_MS;
  }

  /** Calls until nobody waits any more. The first round may have no waiter (a prefetch). */
  async #callWhileWaited(site: CallSite, prefetched: ChargeSet | undefined, nowMs: number): Promise<void> {
    let call = this.#compose(site, prefetched, nowMs);
    for (;;) {
      this.#call = call;
      this.#context.stats.calls++;
      const reply = await this.#send(site.env, call);
      // Given up meanwhile: another call is under way, and this reply must not be used.
      if (this.#call !== call) {
        this.#context.stats.staleReplies++;
        return;
      }
      this.#call = undefined;
      if (reply === undefined) this.#fail(call);
      else this.#receive(call, reply);
      this.#serveFromStock();
      if (reply === undefined || !this.#queue.some((waiter) => waiter.settled === "no" || waiter.settled === "owed"))
        return;
      call = this.#compose(site, undefined, this.#context.now());
    }
  }

  /** One retry under the same number: the coordinator answers a repeated call with the same reply. */
  async #send(env: Env, call: CallUnderWay): Promise<LeaseReply | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await callCoordinator(env, "TENANT", this.#name, "lease", call.request);
      } catch (error) {
        const overloaded = error instanceof Error && "overloaded" in error && error.overloaded === true;
        if (attempt > 1 || overloaded || this.#call !== call) {
          this.#context.stats.failedCalls++;
          return undefined;
        }
      }
    }
  }

  #compose(site: CallSite, prefetched: ChargeSet | undefined, nowMs: number): CallUnderWay {
    const holdings = new Map<Holding, number>();
    const indexOf = (holding: Holding): number => {
      const known = holdings.get(holding);
      if (known !== undefined) return known;
      holdings.set(holding, holdings.size);
      return holdings.size - 1;
    };
    const groups: Waiter[][] = [];
    const waiting: WaitingGroup[] = [];
    const left: Waiter[] = [];
    const groupOf = new Map<ChargeSet, Map<number, Waiter[]>>();
    for (const waiter of this.#queue) {
      if (waiter.settled === "admitted" || waiter.settled === "refused") continue;
      const byCost = groupOf.get(waiter.charge) ?? new Map<number, Waiter[]>();
      groupOf.set(waiter.charge, byCost);
      const group = byCost.get(waiter.costMicro);
      if (group !== undefined) group.push(waiter);
      else if (groups.length < MAX_WAITING_GROUPS && holdings.size + waiter.charge.all.length <= MAX_ITEMS) {
        const begun = [waiter];
        byCost.set(waiter.costMicro, begun);
        groups.push(begun);
        for (const holding of waiter.charge.all) indexOf(holding);
      } else left.push(waiter);
    }
    this.#queue = left;
    for (const group of groups) {
      const [first] = group;
      if (first === undefined) continue;
      waiting.push({
        count: group.length,
        costMicro: first.costMicro,
        enforced: first.charge.enforced.map(indexOf),
        shadow: first.charge.shadow.map(indexOf),
      });
    }
    for (const holding of prefetched?.all ?? []) indexOf(holding);
    const named = [...holdings.keys()];
    this.#seq++;
    const items: LeaseItem[] = named.map((holding) => composeItem(holding, nowMs));
    return {
      holdings: named,
      groups,
      sentAtMs: nowMs,
      request: {
        v: TENANT_PROTOCOL_VERSION,
        lesseeId: this.#context.lesseeId,
        seq: this.#seq,
        configVersion: site.configVersion,
        recordVersion: this.#record?.version ?? 0,
        items,
        waiting,
      },
    };
  }

  #receive(call: CallUnderWay, reply: LeaseReply): void {
    if (reply.kind === "stale" || reply.seq !== call.request.seq) {
      this.#context.stats.staleReplies++;
      this.#fail(call);
      return;
    }
    const nowMs = this.#context.now();
    this.unreachableUntilMs = 0;
    this.recordAtMs = nowMs;
    this.#roundTripMs = (this.#roundTripMs * 3 + (nowMs - call.sentAtMs)) / 4;
    if (reply.record !== undefined) this.#takeRecord(reply.record);
    receive(call.holdings, reply, call.sentAtMs, nowMs);
    for (const [index, group] of call.groups.entries()) {
      const result = reply.waiting[index];
      if (result === undefined) continue;
      this.#reportShadow(group, result.shadowRefused);
      let admitted = result.admitted;
      for (const waiter of group) {
        if (waiter.settled === "refused" || waiter.settled === "admitted") continue;
        if (admitted > 0) {
          admitted--;
          waiter.settle({ admitted: true, decidedBy: "coordinator", decidedAtMs: reply.decidedAtMs });
        } else if (waiter.settled === "no") this.#queue.push(waiter);
      }
    }
  }

  #reportShadow(group: readonly Waiter[], refused: readonly number[]): void {
    for (const [index, count] of refused.entries()) {
      const limit = group[0]?.charge.shadowLimits[index];
      if (limit !== undefined && count > 0) this.#context.onShadowRefused(this.#name, limit, count);
    }
  }

  /** Those still waiting: out of the new stock, or refused by it; only the rest asks again. */
  #serveFromStock(): void {
    const nowMs = this.#context.now();
    const left: Waiter[] = [];
    const unpaid: Waiter[] = [];
    for (const waiter of this.#queue) {
      if (waiter.settled === "admitted" || waiter.settled === "refused") continue;
      const { charge, costMicro } = waiter;
      // Only charged in shadow: not a request, so nothing here can serve it.
      if (charge.enforced.length === 0 && charge.shadow.length > 0) {
        left.push(waiter);
        continue;
      }
      const spending = spend(charge.enforced, costMicro, nowMs);
      if (spending === "ask") left.push(waiter);
      else if (spending === "refused") waiter.settle({ admitted: false });
      else {
        waiter.settle({ admitted: true, decidedBy: "lease", decidedAtMs: nowMs });
        unpaid.push(waiter);
      }
    }
    this.#queue = left;
    for (const { charge, costMicro } of unpaid) this.chargeShadow(charge, costMicro, nowMs);
  }

  /**
   * A shadow limit never holds a request up: what its lease cannot pay is charged behind it. True: something now waits
   * to be charged, so a call should follow.
   */
  chargeShadow(charge: ChargeSet, costMicro: number, nowMs: number): boolean {
    let owed = false;
    for (const [index, holding] of charge.shadow.entries()) {
      const limit = charge.shadowLimits[index];
      if (limit === undefined) continue;
      const spending = spend([holding], costMicro, nowMs);
      if (spending === "refused") this.#context.onShadowRefused(this.#name, limit, 1);
      else if (spending === "ask" && this.#queue.length < MAX_OWED) {
        owed = true;
        this.#queue.push({
          charge: this.#shadowAlone(holding, limit),
          costMicro,
          settled: "owed",
          settle: () => undefined,
        });
      }
    }
    return owed;
  }

  #shadowAlone(holding: Holding, limit: LimitConfig): ChargeSet {
    let alone = this.#shadowCharges.get(holding);
    if (alone === undefined) {
      alone = { ...NOTHING_CHARGED, all: [holding], shadow: [holding], shadowLimits: [limit] };
      this.#shadowCharges.set(holding, alone);
    }
    return alone;
  }

  #fail(call: CallUnderWay): void {
    this.unreachableUntilMs = this.#context.now() + UNREACHABLE_FOR_MS;
    const waiters = [...call.groups.flat(), ...this.#queue];
    for (const waiter of waiters) waiter.settle(undefined);
    // What was admitted without the coordinator is paid for when it is back.
    this.#queue = waiters.filter((waiter) => waiter.settled === "owed").slice(0, MAX_OWED);
  }

  noteUnreachable(nowMs: number): void {
    this.unreachableUntilMs = Math.max(this.unreachableUntilMs, nowMs + UNREACHABLE_FOR_MS);
  }

  #takeRecord(record: TenantRecord): void {
    this.#record = { version: record.version, revoked: new Set(record.revokedKeyIds) };
  }
}
