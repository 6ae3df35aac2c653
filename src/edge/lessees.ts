/**
 * Admission in the isolate: `admit` is synchronous while the leases of the tenant last, and otherwise a promise of the
 * coordinator's word, bounded by the limits' own deadline. When the coordinator is out of reach, each limit's fail mode
 * decides; the strictest wins.
 */
import { LRUCache } from "lru-cache";
import type { LimitConfig } from "../config/model.ts";
import type { Env } from "../platform/bindings.ts";
import { canSpendLocally, type LocalShare, newLocalShare, spendLocally } from "../policy/limits/fail-local.ts";
import { chargeShadow, newOwed, type Waiter } from "../policy/limits/call-queue.ts";
import { costOf, type Holding, noteDemand, occupySlots, releaseSlots, spend, stock } from "../policy/limits/lessee.ts";
import type { TenantRecord } from "../protocol/tenant.ts";
import { type ChargeSet, NOTHING_CHARGED } from "./lessees/charge-set.ts";
import { Charged } from "./lessees/charged.ts";
import { type LimitReading, readingsOf } from "./lessees/readings.ts";
import { tableSize } from "./table-size.ts";
import { type CallSite, type KeyUse, type LesseeStats, TenantLessee } from "./lessees/tenant-lessee.ts";

/** Tenant objects this isolate leases from; the longest unused is forgotten (what it holds is written off). */
const MAX_TENANTS = 10_000;
/** Requests of one tenant that may wait for its coordinator; more go to their fail mode. */
const MAX_WAITERS = 1_000;
/** The tenant's record (revoked keys) is used for so long, ... */
const RECORD_FRESH_MS = 2_000;
/** ... refreshed behind requests up to here, and asked for in front of them after. */
const RECORD_USABLE_MS = 5_000;
const UNREACHABLE_RETRY_AFTER_MS = 1_000;

export interface AdmitRequest extends CallSite {
  readonly env: Env;
  readonly nowMs: number;
  readonly coordinatorName: string;
  readonly tenantLimits: readonly LimitConfig[];
  readonly routeLimits: readonly LimitConfig[];
  readonly principal: string;
  readonly costMicro: number;
  readonly keyId: string | undefined;
  /** Its tenant may have been suspended: the record is needed also where no key is. */
  readonly named?: boolean;
  /** With `keyId`: its use is told to the coordinator, with a call behind a request. */
  readonly keyUse?: KeyUse | undefined;
  /** Only see to it that the caller's key still stands. */
  readonly chargeNothing?: boolean;
}

export type Admission =
  | {
      readonly admitted: true;
      readonly decidedBy: "lease" | "coordinator" | "fail-local" | "fail-open";
      readonly decidedAtMs: number;
      readonly charged: Charged;
    }
  | {
      readonly admitted: false;
      readonly reason: "limited" | "coordinator-unreachable" | "key-revoked" | "suspended";
      readonly retryAfterMs: number;
      readonly violated: readonly LimitConfig[];
    };

export interface LesseesOptions {
  readonly edgeId: string;
  readonly now: () => number;
  readonly onShadowRefused: (coordinatorName: string, limit: LimitConfig, count: number) => void;
  /** The tenant's record has changed. */
  readonly onRecord?: (coordinatorName: string, record: TenantRecord) => void;
  /** Default MAX_TENANTS. */
  readonly maxTenants?: number;
  /** Others, of which these know what they know, as copies. */
  readonly beside?: Lessees | undefined;
}

export class Lessees {
  /** A coordinator is waited for so long also where its limits say less. */
  leastDeadlineMs = 0;
  readonly stats: LesseeStats = { calls: 0, failedCalls: 0, staleReplies: 0, waited: 0, failedOver: 0 };
  readonly #options: LesseesOptions;
  readonly #tenants: LRUCache<string, TenantLessee>;
  #born = 0;
  readonly #localShares = new WeakMap<Holding, LocalShare>();

  constructor(options: LesseesOptions) {
    this.#options = options;
    this.#tenants = new LRUCache({ max: tableSize(options.maxTenants ?? MAX_TENANTS, options.beside) });
  }

  admit(x: AdmitRequest): Admission | Promise<Admission> {
    const lessee = this.#lessee(x.coordinatorName);
    const charge = chargeOf(lessee, x);
    noteDemand(charge.all, x.costMicro, x.nowMs);
    // Before any call, so that it rides along.
    const tellsUse = x.keyUse !== undefined && x.keyId !== undefined && lessee.noteUse(x.keyId, x.keyUse, x.nowMs);
    // For good, so it holds however old the record is.
    if (x.keyId !== undefined && lessee.isRevoked(x.keyId, x.nowMs)) return revoked();
    const needsRecord = x.keyId !== undefined || x.named === true;
    if (needsRecord && x.nowMs - lessee.recordAtMs > RECORD_FRESH_MS) {
      const usable = lessee.knowsRecord && x.nowMs - lessee.recordAtMs <= RECORD_USABLE_MS;
      if (!usable) return this.#wait(lessee, charge, x);
      if (x.nowMs >= lessee.unreachableUntilMs) lessee.ask(x, x.nowMs);
    }
    if (needsRecord && lessee.isSuspended) return suspended();
    switch (spend(charge.enforced, x.costMicro, x.nowMs)) {
      case "admitted":
        if (charge.shadow.length > 0 && chargeShadow(lessee.queue, charge, x.costMicro, x.nowMs)) {
          lessee.ask(x, x.nowMs);
        }
        lessee.prefetch(charge, x, x.nowMs);
        if (tellsUse && x.nowMs >= lessee.unreachableUntilMs) lessee.ask(x, x.nowMs);
        return {
          admitted: true,
          decidedBy: "lease",
          decidedAtMs: x.nowMs,
          charged: new Charged(lessee, charge, x.costMicro, x.nowMs),
        };
      case "refused":
        return limited(charge, x.costMicro, x.nowMs);
      case "ask":
        return this.#wait(lessee, charge, x);
    }
  }

  /** When the tenant's coordinator last said what the record is; 0: never. */
  recordAtMs(coordinatorName: string): number {
    return this.#tenants.peek(coordinatorName)?.recordAtMs ?? 0;
  }

  /** Of a request that nothing was charged for. */
  describe(x: AdmitRequest): readonly LimitReading[] {
    return readingsOf(chargeOf(this.#lessee(x.coordinatorName), x), x.costMicro, x.nowMs);
  }

  #lessee(coordinatorName: string): TenantLessee {
    let lessee = this.#tenants.get(coordinatorName);
    if (lessee === undefined) {
      const context = {
        lesseeId: `${this.#options.edgeId}.${this.#born++}`,
        now: this.#options.now,
        stats: this.stats,
        onShadowRefused: this.#options.onShadowRefused,
        onRecord: this.#options.onRecord,
      };
      const { beside } = this.#options;
      const other = beside === undefined ? undefined : beside.#tenants.peek(coordinatorName);
      lessee = other?.copy(context) ?? new TenantLessee(coordinatorName, context);
      this.#tenants.set(coordinatorName, lessee);
    }
    return lessee;
  }

  #wait(lessee: TenantLessee, charge: ChargeSet, x: AdmitRequest): Admission | Promise<Admission> {
    if (lessee.queue.waiting.length >= MAX_WAITERS) return this.#failOver(lessee, charge, x);
    if (x.nowMs < lessee.unreachableUntilMs) {
      const admission = this.#failOver(lessee, charge, x);
      if (admission.admitted) lessee.enqueue(newOwed(charge, x.costMicro));
      return admission;
    }
    this.stats.waited++;
    let timer: ReturnType<typeof setTimeout> | null = null;
    return new Promise<Admission>((resolve) => {
      const waiter: Waiter = {
        charge,
        costMicro: x.costMicro,
        settled: "no",
        settle: (verdict) => {
          if (waiter.settled !== "no") return;
          const admission = this.#conclude(lessee, charge, x, verdict);
          // Admitted without the coordinator: what it still grants for this request pays for it.
          waiter.settled = !admission.admitted ? "refused" : verdict === undefined ? "owed" : "admitted";
          resolve(admission);
        },
      };
      // Its own timer, in its own request: the leader of the call may be gone.
      timer = setTimeout(
        () => {
          if (waiter.settled !== "no") return;
          lessee.noteUnreachable(this.#options.now());
          waiter.settle(undefined);
        },
        Math.max(charge.deadlineMs, this.leastDeadlineMs),
      );
      lessee.enqueue(waiter);
      lessee.ask(x, x.nowMs);
    }).finally(() => {
      // Here, not in `settle`: that may run in another request, which cannot clear this one's timer.
      if (timer !== null) clearTimeout(timer);
    });
  }

  #conclude(
    lessee: TenantLessee,
    charge: ChargeSet,
    x: AdmitRequest,
    verdict: Parameters<Waiter["settle"]>[0],
  ): Admission {
    const nowMs = this.#options.now();
    if (x.keyId !== undefined && lessee.isRevoked(x.keyId, nowMs)) {
      // The reply that admitted it also told of this.
      if (verdict?.admitted === true) releaseSlots(charge.enforced, nowMs);
      return revoked();
    }
    if (x.named === true && lessee.isSuspended) {
      if (verdict?.admitted === true) releaseSlots(charge.enforced, nowMs);
      return suspended();
    }
    if (verdict === undefined) return this.#failOver(lessee, charge, x);
    if (!verdict.admitted) return limited(charge, x.costMicro, nowMs);
    return { ...verdict, charged: new Charged(lessee, charge, x.costMicro, nowMs) };
  }

  /** A closed limit refuses also where nothing would be charged: the key cannot be checked either. */
  #failOver(lessee: TenantLessee, charge: ChargeSet, x: AdmitRequest): Admission {
    this.stats.failedOver++;
    if (x.named === true && lessee.isSuspended) return suspended();
    const nowMs = this.#options.now();
    const all = lessee.chargeSet(x.tenantLimits, x.routeLimits, x.principal);
    const closed = all.enforcedLimits.filter((limit) => limit.failMode === "closed");
    if (closed.length > 0) return unreachable(closed);
    const local = charge.enforced.filter((_, index) => charge.enforcedLimits[index]?.failMode === "local");
    const short = local.find(
      (holding) => !canSpendLocally(this.#localShare(holding, nowMs), holding, costOf(holding, x.costMicro), nowMs),
    );
    if (short !== undefined) {
      const limit = charge.enforcedLimits[charge.enforced.indexOf(short)];
      const violated = limit === undefined ? [] : [limit];
      return { admitted: false, reason: "limited", retryAfterMs: UNREACHABLE_RETRY_AFTER_MS, violated };
    }
    for (const holding of local) spendLocally(this.#localShare(holding, nowMs), holding, x.costMicro);
    occupySlots(charge.enforced, false);
    return {
      admitted: true,
      decidedBy: local.length > 0 ? "fail-local" : "fail-open",
      decidedAtMs: nowMs,
      charged: new Charged(lessee, charge, x.costMicro, nowMs),
    };
  }

  #localShare(holding: Holding, nowMs: number): LocalShare {
    let local = this.#localShares.get(holding);
    if (local === undefined) {
      local = newLocalShare(holding, nowMs);
      this.#localShares.set(holding, local);
    }
    return local;
  }
}

function chargeOf(lessee: TenantLessee, x: AdmitRequest): ChargeSet {
  return x.chargeNothing === true ? NOTHING_CHARGED : lessee.chargeSet(x.tenantLimits, x.routeLimits, x.principal);
}

function limited(charge: ChargeSet, costMicro: number, nowMs: number): Admission {
  const violated: LimitConfig[] = [];
  let retryAtMs = nowMs;
  for (const [index, holding] of charge.enforced.entries()) {
    const limit = charge.enforcedLimits[index];
    const holds = stock(holding, nowMs) >= costOf(holding, costMicro) && holding.debtMicro === 0;
    if (limit === undefined || nowMs >= holding.askAgainAtMs || holds) continue;
    violated.push(limit);
    retryAtMs = Math.max(retryAtMs, holding.retryAtMs);
  }
  return { admitted: false, reason: "limited", retryAfterMs: retryAtMs - nowMs, violated };
}

function unreachable(violated: readonly LimitConfig[]): Admission {
  return { admitted: false, reason: "coordinator-unreachable", retryAfterMs: UNREACHABLE_RETRY_AFTER_MS, violated };
}

function suspended(): Admission {
  return { admitted: false, reason: "suspended", retryAfterMs: 0, violated: [] };
}

function revoked(): Admission {
  return { admitted: false, reason: "key-revoked", retryAfterMs: 0, violated: [] };
}
