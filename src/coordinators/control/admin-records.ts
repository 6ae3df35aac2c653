/**
 * The half of the Control object that the admin API keeps its own records in: tokens, the audit, and the replies of calls
 * that must happen once. Each call is one transaction, durable before its reply.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../platform/bindings.ts";
import type {
  AdminRecordsProtocol,
  AdminTokenGrant,
  AdminTokenRecord,
  WriteBegun,
} from "../../protocol/admin-records.ts";
import type { RecoveryProtocol } from "../../protocol/recovery.ts";
import { AuditLog } from "./audit-log.ts";
import { MAX_SEALED_BYTES, OnceTable } from "./once-table.ts";
import { TokenTable } from "./token-table.ts";

type Request<Method extends keyof AdminRecordsProtocol> = Parameters<AdminRecordsProtocol[Method]>[0];

const MAX_PAGE = 1_000;
/** Of one entry's values before and after. */
const MAX_VALUE_LENGTH = 4_000;
const MAX_INTENT_LENGTH = 4_000;

export class AdminRecords extends DurableObject<Env> implements AdminRecordsProtocol {
  readonly #tokens: TokenTable;
  readonly #audit: AuditLog;
  readonly #once: OnceTable;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#tokens = new TokenTable(state.storage);
    this.#audit = new AuditLog(state.storage);
    this.#once = new OnceTable(state.storage);
  }

  async adminToken({ tokenId }: Request<"adminToken">): Promise<AdminTokenGrant | undefined> {
    const nowMs = Date.now();
    const token = this.#tokens.read(tokenId);
    if (token === undefined || token.revokedAtMs !== null || token.expiresAtMs <= nowMs) return undefined;
    this.#tokens.noteUse(token, nowMs);
    const { label, role, tenants, expiresAtMs } = token;
    return { label, role, tenants, validForMs: expiresAtMs - nowMs };
  }

  async createAdminToken(request: Request<"createAdminToken">): Promise<AdminTokenRecord | undefined> {
    const { tokenId, label, role, tenants, forMs, createdBy, entryId } = request;
    return this.ctx.storage.transactionSync(() => {
      const nowMs = Date.now();
      const token: AdminTokenRecord = {
        tokenId,
        label,
        role,
        tenants,
        createdAtMs: nowMs,
        createdBy,
        expiresAtMs: nowMs + forMs,
        revokedAtMs: null,
        lastUsedAtMs: null,
      };
      if (!this.#tokens.add(token, nowMs)) return undefined;
      this.#audit.markDone(entryId);
      return token;
    });
  }

  async revokeAdminToken({ tokenId, entryId }: Request<"revokeAdminToken">): Promise<AdminTokenRecord | undefined> {
    return this.ctx.storage.transactionSync(() => {
      if (this.#tokens.read(tokenId) === undefined) return undefined;
      this.#tokens.revoke(tokenId, Date.now());
      this.#audit.markDone(entryId);
      return this.#tokens.read(tokenId);
    });
  }

  async listAdminTokens({
    after,
    limit,
  }: Request<"listAdminTokens">): ReturnType<AdminRecordsProtocol["listAdminTokens"]> {
    const from = after === undefined ? undefined : this.#tokens.read(after);
    if (after !== undefined && from === undefined) return { tokens: [], next: undefined };
    const page = pageOf(limit, (rows) => this.#tokens.list(from, rows));
    return { tokens: page.rows, next: page.last?.tokenId };
  }

  async beginWrite({ intent, once }: Request<"beginWrite">): Promise<WriteBegun> {
    if (JSON.stringify(intent).length > MAX_INTENT_LENGTH) throw new TypeError("control request refused: bad intent");
    return this.ctx.storage.transactionSync(() => {
      const nowMs = Date.now();
      if (once !== undefined) {
        const state = this.#once.begin(once, nowMs);
        if (state.kind !== "new") return state;
      }
      return { kind: "begun", entryId: this.#audit.begin(intent, nowMs) };
    });
  }

  async endWrite({ entryId, end, once }: Request<"endWrite">): Promise<void> {
    if ([end.before, end.after].some((value) => value !== null && value.length > MAX_VALUE_LENGTH)) {
      throw new TypeError("control request refused: bad value");
    }
    this.ctx.storage.transactionSync(() => {
      this.#audit.end(entryId, end);
      if (once === undefined) return;
      const { name, reply } = once;
      if (end.outcome === "refused") this.#once.forget(name);
      else if (reply !== undefined && reply.sealed.byteLength <= MAX_SEALED_BYTES) this.#once.end(name, reply);
    });
  }

  async audit({ before, limit, filter }: Request<"audit">): ReturnType<AdminRecordsProtocol["audit"]> {
    const page = pageOf(limit, (rows) => this.#audit.read(before, rows, filter));
    return { entries: page.rows, next: page.last?.entryId, dropped: this.#audit.dropped() };
  }

  async restoreTokens({ tokens }: Parameters<RecoveryProtocol["restoreTokens"]>[0]): Promise<boolean> {
    const nowMs = Date.now();
    return this.ctx.storage.transactionSync(() => tokens.every((token) => this.#tokens.restore(token, nowMs)));
  }

  async restoreAudit({ entries }: Parameters<RecoveryProtocol["restoreAudit"]>[0]): Promise<void> {
    this.ctx.storage.transactionSync(() => {
      for (const entry of entries) this.#audit.restore(entry);
    });
  }

  protected tokenCount(): number {
    return this.#tokens.count();
  }

  /** For changes of this object's own: their entry is done in the transaction that makes them. */
  protected markDone(entryId: number | undefined): void {
    if (entryId !== undefined) this.#audit.markDone(entryId);
  }
}

/** `last`: the last row of the page, where more follow. */
function pageOf<Row>(
  limit: number,
  read: (rows: number) => readonly Row[],
): { readonly rows: readonly Row[]; readonly last: Row | undefined } {
  const size = Math.min(MAX_PAGE, Math.max(1, limit));
  const rows = read(size + 1);
  const shown = rows.slice(0, size);
  return { rows: shown, last: rows.length > size ? shown.at(-1) : undefined };
}
