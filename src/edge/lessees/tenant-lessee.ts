/**
 * This isolate as a lessee of one tenant object: holdings, what it knows of the tenant's record, and the calls. Who waits
 * and what a reply settles is decided by `policy/limits/call-queue`; here it meets the runtime.
 */
import type { LimitConfig } from "../../config/model.ts";
import { callCoordinator } from "../../platform/coordinators.ts";
import type { Env } from "../../platform/bindings.ts";
import {
  beginCall,
  type CallQueue,
  type CallUnderWay,
  hasWaiting,
  isCalling,
  newCallQueue,
  takeFailure,
  takeReply,
  type Waiter,
} from "../../policy/limits/call-queue.ts";
import { type Holding, newHolding, wantsPrefetch } from "../../policy/limits/lessee.ts";
import { type LeaseReply, MAX_USED_KEYS, TENANT_PROTOCOL_VERSION, type TenantRecord } from "../../protocol/tenant.ts";
import { type ChargeSet, makeChargeSet, NOTHING_CHARGED } from "./charge-set.ts";
import type { Charged } from "./charged.ts";

/** Partitions of one tenant this isolate knows; the table starts anew when it is full (what is held is written off). */
const MAX_HOLDINGS = 5_000;
/** Ways to be charged: a route and a principal each; the table starts anew likewise. */
const MAX_CHARGE_SETS = 20_000;
/** A key's use is told to the coordinator at most this often. */
const TELL_USE_EVERY_MS = 60_000;
/** After a failure requests go to their fail mode at once for this long, while one call tries again. */
const UNREACHABLE_FOR_MS = 500;

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
  readonly onRecord: ((coordinatorName: string, record: TenantRecord) => void) | undefined;
}

export interface CallSite {
  readonly env: Env;
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly configVersion: number;
}

/** When this isolate next tells that a key is used; its owner keeps it with the key. */
export interface KeyUse {
  tellAtMs: number;
}

export class TenantLessee {
  readonly queue: CallQueue;
  /** Requests that hold slots. */
  readonly slotHolders = new Set<Charged>();
  readonly #context: LesseeContext;
  readonly #name: string;
  #holdings = new Map<string, Holding>();
  #chargeSets = new Map<readonly LimitConfig[], Map<readonly LimitConfig[], Map<string, ChargeSet>>>();
  #chargeSetCount = 0;
  readonly #limitOf = new WeakMap<Holding, LimitConfig>();
  #record:
    | { readonly version: number; readonly keyEndsAtMs: ReadonlyMap<string, number>; readonly suspended: boolean }
    | undefined;
  readonly #usedKeyIds = new Set<string>();
  recordAtMs = 0;
  unreachableUntilMs = 0;

  constructor(coordinatorName: string, context: LesseeContext) {
    this.#name = coordinatorName;
    this.#context = context;
    this.queue = newCallQueue(context.lesseeId, (holding, count) => {
      const limit = this.#limitOf.get(holding);
      if (limit !== undefined) context.onShadowRefused(coordinatorName, limit, count);
    });
  }

  /** Knows the same and holds as much; what becomes of one is nothing to the other. Calls under way stay behind. */
  copy(context: LesseeContext): TenantLessee {
    const copy = new TenantLessee(this.#name, context);
    copy.#holdings = new Map([...this.#holdings].map(([partition, held]) => [partition, structuredClone(held)]));
    copy.queue.roundTripMs = this.queue.roundTripMs;
    copy.#record = this.#record;
    copy.recordAtMs = this.recordAtMs;
    copy.unreachableUntilMs = this.unreachableUntilMs;
    return copy;
  }

  get knowsRecord(): boolean {
    return this.#record !== undefined;
  }

  get isSuspended(): boolean {
    return this.#record?.suspended === true;
  }

  /** Also when it was replaced and its end has come. */
  isRevoked(keyId: string, nowMs: number): boolean {
    const endsAtMs = this.#record?.keyEndsAtMs.get(keyId);
    return endsAtMs !== undefined && nowMs >= endsAtMs;
  }

  /** True: to be told with the next call. Where too many wait to be told, it is noted another time. */
  noteUse(keyId: string, use: KeyUse, nowMs: number): boolean {
    if (nowMs < use.tellAtMs || this.#usedKeyIds.size >= MAX_USED_KEYS) return false;
    use.tellAtMs = nowMs + TELL_USE_EVERY_MS;
    this.#usedKeyIds.add(keyId);
    return true;
  }

  chargeSet(tenantLimits: readonly LimitConfig[], routeLimits: readonly LimitConfig[], principal: string): ChargeSet {
    const known = this.#chargeSets.get(tenantLimits)?.get(routeLimits)?.get(principal);
    if (known !== undefined) return known;
    if (this.#holdings.size >= MAX_HOLDINGS || this.#chargeSetCount >= MAX_CHARGE_SETS) this.#startAnew();
    const limits = [...tenantLimits, ...routeLimits];
    const charge =
      limits.length === 0
        ? NOTHING_CHARGED
        : makeChargeSet(limits, principal, (partition, limit) => this.#holding(partition, limit));
    let byRoute = this.#chargeSets.get(tenantLimits);
    if (byRoute === undefined) this.#chargeSets.set(tenantLimits, (byRoute = new Map()));
    let byPrincipal = byRoute.get(routeLimits);
    if (byPrincipal === undefined) byRoute.set(routeLimits, (byPrincipal = new Map()));
    byPrincipal.set(principal, charge);
    this.#chargeSetCount++;
    return charge;
  }

  /** Slots in use stay counted. */
  #startAnew(): void {
    this.#holdings = new Map([...this.#holdings].filter(([, holding]) => holding.busyMicro > 0));
    this.#chargeSets = new Map();
    this.#chargeSetCount = 0;
  }

  #holding(partition: string, limit: LimitConfig): Holding {
    let holding = this.#holdings.get(partition);
    if (holding === undefined) {
      holding = newHolding(partition, limit.spec, this.#context.now());
      this.#holdings.set(partition, holding);
    }
    holding.spec = limit.spec;
    this.#limitOf.set(holding, limit);
    return holding;
  }

  /** Asks behind the request, when the stock will soon be dry and no call is under way. */
  prefetch(charge: ChargeSet, site: CallSite, nowMs: number): void {
    if (isCalling(this.queue, nowMs) || nowMs < this.unreachableUntilMs) return;
    for (const holding of charge.all) {
      if (!wantsPrefetch(holding, this.queue.roundTripMs, nowMs)) continue;
      site.waitUntil(this.#callWhileWaited(site, charge, nowMs));
      return;
    }
  }

  /** Sees to it that a call is under way, or one will follow it; `named` rides along. */
  ask(site: CallSite, nowMs: number, named?: ChargeSet): void {
    if (!isCalling(this.queue, nowMs)) site.waitUntil(this.#callWhileWaited(site, named, nowMs));
  }

  enqueue(waiter: Waiter): void {
    this.queue.waiting.push(waiter);
  }

  /** Calls until nobody waits any more. The first round may have no waiter (a prefetch). */
  async #callWhileWaited(site: CallSite, named: ChargeSet | undefined, nowMs: number): Promise<void> {
    for (const holder of this.slotHolders) {
      // In the order of their beginning.
      if (!holder.isOverdue(nowMs)) break;
      holder.freeSlots(nowMs);
    }
    let underWay = beginCall(this.queue, site.configVersion, named, nowMs);
    for (;;) {
      this.#context.stats.calls++;
      const reply = await this.#send(site.env, underWay);
      if (this.queue.underWay !== underWay) {
        // Given up meanwhile: another call is under way, and this reply must not be used.
        this.#context.stats.staleReplies++;
        return;
      }
      if (reply === undefined || !this.#receive(underWay, reply)) {
        this.noteUnreachable(this.#context.now());
        takeFailure(this.queue, underWay);
        return;
      }
      if (!hasWaiting(this.queue)) return;
      underWay = beginCall(this.queue, site.configVersion, undefined, this.#context.now());
    }
  }

  /** One retry under the same number: the coordinator answers a repeated call with the same reply. */
  async #send(env: Env, underWay: CallUnderWay): Promise<LeaseReply | undefined> {
    const usedKeyIds = [...this.#usedKeyIds];
    const request = {
      v: TENANT_PROTOCOL_VERSION,
      recordVersion: this.#record?.version ?? 0,
      ...(usedKeyIds.length === 0 ? {} : { usedKeyIds }),
      ...underWay.call,
    } as const;
    for (let attempt = 1; ; attempt++) {
      try {
        const reply = await callCoordinator(env, "TENANT", this.#name, "lease", request);
        for (const keyId of usedKeyIds) this.#usedKeyIds.delete(keyId);
        return reply;
      } catch (error) {
        const overloaded = error instanceof Error && "overloaded" in error && error.overloaded === true;
        if (attempt > 1 || overloaded || this.queue.underWay !== underWay) {
          this.#context.stats.failedCalls++;
          return undefined;
        }
      }
    }
  }

  /** False: a reply to something else. */
  #receive(underWay: CallUnderWay, reply: LeaseReply): boolean {
    if (reply.kind === "stale" || reply.seq !== underWay.call.seq) {
      this.#context.stats.staleReplies++;
      return false;
    }
    const nowMs = this.#context.now();
    this.unreachableUntilMs = 0;
    this.recordAtMs = nowMs;
    // Before the waiters are settled: they look whether their key still stands.
    if (reply.record !== undefined) this.#takeRecord(reply.record, nowMs);
    return takeReply(this.queue, underWay, reply, nowMs);
  }

  noteUnreachable(nowMs: number): void {
    this.unreachableUntilMs = Math.max(this.unreachableUntilMs, nowMs + UNREACHABLE_FOR_MS);
  }

  #takeRecord(record: TenantRecord, nowMs: number): void {
    const { version, revokedKeyIds, endingKeys = [], suspended = false } = record;
    const keyEndsAtMs = new Map(revokedKeyIds.map((keyId) => [keyId, 0]));
    for (const { keyId, endsInMs } of endingKeys) keyEndsAtMs.set(keyId, nowMs + endsInMs);
    this.#record = { version, keyEndsAtMs, suspended };
    this.#context.onRecord?.(this.#name, record);
  }
}
