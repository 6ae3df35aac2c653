/**
 * The index of the tenants that are made through the API: a million rows to list, search and import, and not one of them
 * on a request's way. What a tenant is lies with its coordinator, which asks here once, and is told of every change after.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../../platform/coordinators.ts";
import { backoff } from "../../policy/kernel/backoff.ts";
import {
  MAX_SUSPENSIONS_A_CALL,
  MAX_TENANTS_A_CALL,
  type TenantIndexProtocol,
  type TenantRow,
  type TenantStanding,
  type TenantWrite,
} from "../../protocol/tenant-index.ts";
import { isTenantId, tenantCoordinator } from "../../protocol/tenant.ts";
import { TenantIndexStorage, type Written } from "./storage.ts";

type Request<Method extends keyof TenantIndexProtocol> = Parameters<TenantIndexProtocol[Method]>[0];

const MAX_PAGE = 1_000;
/** Of what a tenant is, both ways it is kept. */
const MAX_BODY_LENGTH = 262_144;
const MAX_LABEL_LENGTH = 200;
const PUSHES_AT_ONCE = 50;
const PUSH_DEADLINE_MS = 2_000;
const PUSH_RETRY_MS = 500;
const PUSH_RETRY_MAX_MS = 60_000;

export class TenantIndex extends DurableObject<Env> implements TenantIndexProtocol {
  readonly #storage: TenantIndexStorage;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#storage = new TenantIndexStorage(state.storage);
  }

  async upsert({ tenants }: Request<"upsert">): ReturnType<TenantIndexProtocol["upsert"]> {
    require(tenants.length <= MAX_TENANTS_A_CALL, "number of tenants");
    for (const tenant of tenants) checkWrite(tenant);
    const nowMs = Date.now();
    const counts: Record<Written, number> = { created: 0, changed: 0, same: 0 };
    this.ctx.storage.transactionSync(() => {
      for (const tenant of tenants) counts[this.#storage.write(tenant, nowMs)]++;
    });
    if (counts.changed > 0) await this.#pushSoon();
    return counts;
  }

  async get({ id }: Request<"get">): Promise<TenantRow | undefined> {
    return this.#storage.get(id);
  }

  async list(request: Request<"list">): ReturnType<TenantIndexProtocol["list"]> {
    return this.#storage.list({ ...request, limit: Math.min(MAX_PAGE, Math.max(1, request.limit)) });
  }

  async remove({ id }: Request<"remove">): Promise<boolean> {
    const removed = this.ctx.storage.transactionSync(() => this.#storage.remove(id, Date.now()));
    if (removed) await this.#pushSoon();
    return removed;
  }

  async suspend({ id, reason, inFile }: Request<"suspend">): Promise<TenantRow | undefined> {
    require(isTenantId(id) && (reason?.length ?? 1) >= 1 && (reason?.length ?? 0) <= 500, "tenant or reason");
    const nowMs = Date.now();
    const row = this.ctx.storage.transactionSync(() => {
      if (this.#storage.get(id) === undefined) {
        if (!inFile) return undefined;
        this.#storage.insertBare(id, nowMs);
      }
      this.#storage.suspend(id, reason, nowMs);
      return this.#storage.get(id);
    });
    if (row !== undefined) await this.#pushSoon();
    return row;
  }

  async suspensions({ ids }: Request<"suspensions">): ReturnType<TenantIndexProtocol["suspensions"]> {
    require(ids.length <= MAX_SUSPENSIONS_A_CALL, "number of tenants");
    return this.#storage.suspensions(ids);
  }

  async backup({ after, limit }: Request<"backup">): ReturnType<TenantIndexProtocol["backup"]> {
    return { tenants: this.#storage.backup(after, Math.min(MAX_PAGE, Math.max(1, limit))) };
  }

  async removed({ after, limit }: Request<"removed">): ReturnType<TenantIndexProtocol["removed"]> {
    return { tenants: this.#storage.removed(after, Math.min(MAX_PAGE, Math.max(1, limit))) };
  }

  async restore({ tenants, removed }: Request<"restore">): Promise<void> {
    require(tenants.length + removed.length <= MAX_TENANTS_A_CALL, "number of tenants");
    for (const { write } of tenants) if (write !== undefined) checkWrite(write);
    const nowMs = Date.now();
    this.ctx.storage.transactionSync(() => {
      this.#storage.raiseRevision(nowMs);
      for (const tenant of tenants) this.#restoreOne(tenant, nowMs);
      for (const one of removed) if (this.#storage.get(one.id) === undefined) this.#storage.noteRemoved(one);
    });
    await this.#pushSoon();
  }

  /** Part of a transaction. */
  #restoreOne({ id, suspended, write, ...times }: Request<"restore">["tenants"][number], nowMs: number): void {
    if (write !== undefined) this.#storage.write(write, nowMs);
    else if (this.#storage.get(id) === undefined) this.#storage.insertBare(id, nowMs);
    if (this.#storage.get(id)?.suspended !== suspended) this.#storage.suspend(id, suspended, nowMs);
    this.#storage.setTimes({ id, ...times });
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    return this.#storage.counts();
  }

  async lookup({ id }: Request<"lookup">): ReturnType<TenantIndexProtocol["lookup"]> {
    const standing = this.#storage.standing(id);
    if (standing !== undefined) this.#storage.noteLive(id);
    return standing;
  }

  /** Tells coordinators what became of their tenants, until each has heard it. */
  override async alarm(): Promise<void> {
    const due = this.#storage.pushes(PUSHES_AT_ONCE);
    await Promise.all(due.map(({ id }) => this.#push(id)));
    const [next] = this.#storage.pushes(1);
    if (next === undefined) return;
    await this.ctx.storage.setAlarm(Date.now() + backoff(next.attempts, PUSH_RETRY_MS, PUSH_RETRY_MAX_MS));
  }

  async #push(id: string): Promise<void> {
    const standing = this.#storage.standing(id) ?? this.#removed();
    try {
      const call = callCoordinator(this.env, "TENANT", tenantCoordinator(id), "setStanding", { v: 1, standing });
      await withDeadline(call, PUSH_DEADLINE_MS);
      // Whatever is written from now on must reach it, also where it never asked.
      this.#storage.noteLive(id);
      // Changed again meanwhile: told by the next alarm.
      const now = this.#storage.standing(id);
      if (standing.removed === true ? now === undefined : now?.revision === standing.revision) {
        this.#storage.endPush(id);
      }
    } catch {
      // Tried again by alarm, later each time.
      this.#storage.failPush(id);
    }
  }

  #removed(): TenantStanding {
    const revision = this.#storage.nextRevision();
    return { revision, born: revision, profile: undefined, suspended: false, removed: true };
  }

  /** In one turn with what was written, so that both are stored or neither. */
  #pushSoon(): Promise<void> {
    return this.ctx.storage.setAlarm(Date.now());
  }
}

function checkWrite({ id, label, profile, settings }: TenantWrite): void {
  require(isTenantId(id) && label.length <= MAX_LABEL_LENGTH, "tenant");
  require(JSON.stringify(profile).length + settings.length <= MAX_BODY_LENGTH, "profile");
}

function require(holds: boolean, what: string): asserts holds {
  if (!holds) throw new TypeError(`tenant index request refused: bad ${what}`);
}
