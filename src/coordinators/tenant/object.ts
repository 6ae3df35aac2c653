/**
 * The coordinator of one tenant: the only place its tokens come from. It serves leases, its own status, and the
 * tenant's record (API keys), whose changes ride on every lease reply. Nothing else runs here.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../platform/bindings.ts";
import { answerLease, limitIdOf, overrideOf, rehearseLease, silentLessees } from "../../policy/limits/lease-replies.ts";
import { advance, capacityMicro, isUntouched } from "../../policy/limits/partition.ts";
import { type LeaseDecision, MICRO_TOKENS_PER_TOKEN } from "../../policy/limits/types.ts";
import type {
  KeyRecord,
  LeaseReply,
  LeaseRequest,
  OverrideRecord,
  PartitionStatus,
  Rotation,
  TenantCoordinatorStatus,
  TenantKept,
  TenantProtocol,
  TenantRecord,
} from "../../protocol/tenant.ts";
import { TENANT_INDEX_OBJECT, type TenantStanding } from "../../protocol/tenant-index.ts";
import { callCoordinator } from "../../platform/coordinators.ts";
import { takeTurn, type Turn } from "../turn.ts";
import { madeKey, recordOf, restoreKey, rotate } from "./keys.ts";
import { checkLeaseRequest } from "./lease-request.ts";
import { parseSpec, type TenantState, TenantStorage } from "./storage.ts";

export const MAX_OVERRIDES = 100;
/** How long after the last call the object cleans up. */
const CLEANUP_AFTER_MS = 60_000;

export class Tenant extends DurableObject<Env> implements TenantProtocol {
  readonly #storage: TenantStorage;
  #state: TenantState;
  #alarmSet = false;
  #leaseCalls = 0;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#storage = new TenantStorage(state.storage);
    this.#state = this.#storage.load(Date.now());
  }

  async lease(request: LeaseRequest): Promise<LeaseReply> {
    this.#leaseCalls++;
    checkLeaseRequest(request);
    const reply = this.#turn(() => this.#decide(request, Date.now()));
    if (!this.#alarmSet) await this.#setAlarm();
    return reply;
  }

  async rehearseLease(request: LeaseRequest): Promise<LeaseReply> {
    checkLeaseRequest(request);
    const nowMs = Date.now();
    const decision = rehearseLease(this.#state, request, nowMs);
    return decision === undefined ? { kind: "stale", seq: request.seq } : this.#reply(request, decision, nowMs);
  }

  async record({ tenantId }: Parameters<TenantProtocol["record"]>[0]): Promise<TenantRecord> {
    // Also of one that was removed: it may have been made anew.
    if (this.#state.standing?.profile === undefined) {
      const request = { v: 1 as const, id: tenantId };
      const standing = await callCoordinator(this.env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "lookup", request);
      // Nothing is kept of a tenant that is none.
      if (standing !== undefined) this.#takeStanding(standing);
    }
    return recordOf(this.#state, Date.now());
  }

  async setStanding({ standing }: Parameters<TenantProtocol["setStanding"]>[0]): Promise<void> {
    this.#takeStanding(standing);
  }

  #takeStanding(standing: TenantStanding): void {
    const before = this.#state.standing;
    if (standing.revision <= (before?.revision ?? -1)) return;
    // The word of a removal may be overtaken by the next tenant of the same name. A tenant of the config file was not made.
    const isAnother = standing.profile !== undefined && before !== undefined && before.born !== standing.born;
    const ended = standing.removed === true || isAnother;
    const nowMs = Date.now();
    this.#turn(() => ({
      reply: undefined,
      persist: () => {
        this.#state.standing = standing;
        this.#storage.standing.save(standing);
        this.#state.recordVersion++;
        this.#storage.saveRecordVersion(this.#state.recordVersion);
        if (ended) this.#endAll(nowMs);
      },
    }));
  }

  /** Part of a turn: keys and overrides were the former tenant's. What was spent stays spent. */
  #endAll(nowMs: number): void {
    for (const limitId of this.#state.overrides.keys()) this.#storage.deleteOverride(limitId);
    this.#state.overrides.clear();
    const { keys } = this.#storage;
    for (const { keyId, revokedAtMs } of keys.all()) {
      if (revokedAtMs !== undefined) continue;
      keys.revoke(keyId, nowMs);
      this.#endKey(keyId, nowMs);
    }
  }

  async status(): Promise<TenantCoordinatorStatus> {
    const nowMs = Date.now();
    const partitions = [...this.#state.partitions].map(([name, partition]): PartitionStatus => {
      advance(partition, nowMs);
      return {
        partition: name,
        kind: partition.spec.kind,
        capacityTokens: capacityMicro(partition.spec) / MICRO_TOKENS_PER_TOKEN,
        freeTokens: Math.floor(partition.freeMicro / MICRO_TOKENS_PER_TOKEN),
        outstandingTokens: Math.ceil(partition.outstandingMicro / MICRO_TOKENS_PER_TOKEN),
        activeLessees: partition.leases.size,
        writtenOffTokens: Math.ceil(partition.writtenOffMicro / MICRO_TOKENS_PER_TOKEN),
        owedTokens: Math.ceil(partition.debtMicro / MICRO_TOKENS_PER_TOKEN),
        overriddenUntilMs:
          overrideOf(this.#state.overrides, name, partition.spec, nowMs) === undefined
            ? undefined
            : this.#state.overrides.get(limitIdOf(name))?.expiresAtMs,
      };
    });
    return { partitions, leaseCalls: this.#leaseCalls };
  }

  async setOverride(request: Parameters<TenantProtocol["setOverride"]>[0]): Promise<OverrideRecord> {
    const nowMs = Date.now();
    const { limitId, forMs, reason } = request;
    const spec = parseSpec(request.spec);
    if (spec === undefined || !(forMs > 0)) throw new TypeError("override refused: bad spec or duration");
    const { overrides } = this.#state;
    if (!overrides.has(limitId) && overrides.size >= MAX_OVERRIDES) {
      throw new RangeError(`a tenant may have at most ${MAX_OVERRIDES} overrides`);
    }
    const override: OverrideRecord = { limitId, spec, reason, setAtMs: nowMs, expiresAtMs: nowMs + Math.ceil(forMs) };
    this.#turn(() => {
      overrides.set(limitId, override);
      return {
        reply: undefined,
        persist: () => {
          this.#storage.saveOverride(override);
        },
      };
    });
    if (!this.#alarmSet) await this.#setAlarm();
    return override;
  }

  async removeOverride({ limitId }: { readonly v: 1; readonly limitId: string }): Promise<boolean> {
    return this.#turn(() => ({
      reply: this.#state.overrides.delete(limitId),
      persist: () => {
        this.#storage.deleteOverride(limitId);
      },
    }));
  }

  /** Those in force. */
  async listOverrides(): Promise<{ readonly overrides: readonly OverrideRecord[] }> {
    const nowMs = Date.now();
    return { overrides: [...this.#state.overrides.values()].filter(({ expiresAtMs }) => nowMs < expiresAtMs) };
  }

  async createKey(request: Parameters<TenantProtocol["createKey"]>[0]): Promise<KeyRecord> {
    const nowMs = Date.now();
    const { keys } = this.#storage;
    keys.forgetExpired(nowMs);
    return this.#turn(() => {
      const key = madeKey(keys, request.keyId, request, nowMs);
      return {
        reply: key,
        persist: () => {
          keys.insert(key);
        },
      };
    });
  }

  async listKeys(): Promise<{ readonly keys: readonly KeyRecord[] }> {
    return { keys: this.#storage.keys.all() };
  }

  async rotateKey(request: Parameters<TenantProtocol["rotateKey"]>[0]): Promise<Rotation> {
    const nowMs = Date.now();
    const { keys } = this.#storage;
    keys.forgetExpired(nowMs);
    return this.#turn<Rotation>(() => {
      const reply = rotate(keys, request, nowMs);
      if (reply.kind !== "rotated") return { reply, persist: undefined };
      const { made, replaced } = reply;
      const endsAtMs = nowMs + request.overlapMs;
      return {
        reply,
        persist: () => {
          keys.insert(made);
          keys.replace(replaced.keyId, made.keyId, endsAtMs);
          this.#endKey(replaced.keyId, endsAtMs);
        },
      };
    });
  }

  async revokeKey(request: { readonly v: 1; readonly keyId: string }): Promise<KeyRecord | undefined> {
    const nowMs = Date.now();
    const { keys } = this.#storage;
    const key = keys.find(request.keyId);
    if (key === undefined || key.revokedAtMs !== undefined) return key;
    this.#turn(() => ({
      reply: undefined,
      persist: () => {
        keys.revoke(key.keyId, nowMs);
        this.#endKey(key.keyId, nowMs);
      },
    }));
    return { ...key, revokedAtMs: nowMs };
  }

  async backup(): Promise<TenantKept> {
    return { keys: this.#storage.keys.all(), overrides: (await this.listOverrides()).overrides };
  }

  async restore({ keys, overrides }: Parameters<TenantProtocol["restore"]>[0]): Promise<void> {
    const nowMs = Date.now();
    const inForce = overrides.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    this.#turn(() => ({
      reply: undefined,
      persist: () => {
        for (const key of keys) restoreKey(this.#storage.keys, key);
        for (const override of inForce) {
          this.#state.overrides.set(override.limitId, override);
          this.#storage.saveOverride(override);
        }
        if (this.#state.overrides.size > MAX_OVERRIDES) throw new RangeError("too many overrides");
        this.#state.keyEnds = this.#storage.keys.ends();
        // No lessee has this version, not even one that outlived what was kept here.
        this.#state.recordVersion = Math.max(this.#state.recordVersion + 1, nowMs);
        this.#storage.saveRecordVersion(this.#state.recordVersion);
      },
    }));
    if (inForce.length > 0 && !this.#alarmSet) await this.#setAlarm();
  }

  /** Part of a turn: if that fails, memory is read again. */
  #endKey(keyId: string, endsAtMs: number): void {
    this.#state.keyEnds.set(keyId, endsAtMs);
    this.#state.recordVersion++;
    this.#storage.saveRecordVersion(this.#state.recordVersion);
  }

  /** Rows that say nothing any more go: full partitions with nothing leased, lessees long unheard. */
  override async alarm(): Promise<void> {
    this.#alarmSet = false;
    const nowMs = Date.now();
    this.#turn(() => {
      const { partitions, lessees, overrides } = this.#state;
      const full = [...partitions].filter(([, partition]) => {
        advance(partition, nowMs);
        return isUntouched(partition);
      });
      const silent = silentLessees(lessees, nowMs);
      const ended = [...overrides.values()].filter(({ expiresAtMs }) => nowMs >= expiresAtMs);
      for (const { limitId } of ended) overrides.delete(limitId);
      for (const [name] of full) partitions.delete(name);
      for (const lesseeId of silent) lessees.delete(lesseeId);
      return {
        reply: undefined,
        persist: () => {
          for (const [name] of full) this.#storage.deletePartition(name);
          for (const lesseeId of silent) this.#storage.deleteLessee(lesseeId);
          for (const { limitId } of ended) this.#storage.deleteOverride(limitId);
        },
      };
    });
    await this.#setNextAlarm(nowMs);
  }

  #decide(request: LeaseRequest, nowMs: number): Turn<LeaseReply> {
    const answer = answerLease(this.#state, request, nowMs);
    switch (answer.kind) {
      case "stale":
        return { reply: { kind: "stale", seq: request.seq }, persist: undefined };
      case "repeated":
        return { reply: this.#reply(request, answer.decision, nowMs), persist: undefined };
      case "full":
        throw new RangeError(`too many ${answer.what} of this tenant are in use`);
      case "decided":
        return {
          reply: this.#reply(request, answer.decision, nowMs),
          persist: () => {
            for (const name of answer.removedPartitions) this.#storage.deletePartition(name);
            for (const lesseeId of answer.forgottenLessees) this.#storage.deleteLessee(lesseeId);
            for (const { partition } of request.items) this.#storage.savePartition(partition, this.#state);
            this.#storage.saveLessee(request.lesseeId, this.#state);
            this.#storage.keys.noteUsed(request.usedKeyIds ?? [], nowMs);
          },
        };
    }
  }

  #reply(request: LeaseRequest, decision: LeaseDecision, nowMs: number): LeaseReply {
    return {
      kind: "granted",
      seq: request.seq,
      ...decision,
      record: request.recordVersion === this.#state.recordVersion ? undefined : recordOf(this.#state, nowMs),
    };
  }

  #turn<Reply>(decide: () => Turn<Reply>): Reply {
    return takeTurn(
      this.ctx.storage,
      () => {
        this.#state = this.#storage.load(Date.now());
      },
      decide,
    );
  }

  async #setAlarm(): Promise<void> {
    this.#alarmSet = true;
    await this.ctx.storage.setAlarm(Date.now() + CLEANUP_AFTER_MS);
  }

  /** In a minute while there is something to clean; when only overrides are left, when the first of them ends. */
  async #setNextAlarm(nowMs: number): Promise<void> {
    const { partitions, lessees, overrides } = this.#state;
    if (partitions.size + lessees.size > 0) await this.#setAlarm();
    else if (overrides.size > 0) {
      const firstMs = Math.min(...[...overrides.values()].map(({ expiresAtMs }) => expiresAtMs));
      await this.ctx.storage.setAlarm(Math.max(firstMs, nowMs + CLEANUP_AFTER_MS));
    }
  }
}
