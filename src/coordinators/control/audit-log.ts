/**
 * The Control object's record of every write of the admin API (docs/STORAGE.md). An entry is written before the write it
 * tells of, and completed after it; one that nobody completed is `unfinished`. Only bounds ever remove one.
 */
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import {
  AUDIT_OUTCOMES,
  type AuditEnd,
  type AuditFilter,
  type AuditIntent,
  type AuditRecord,
  ROLES,
} from "../../protocol/admin-records.ts";

export const MAX_AUDIT_ROWS = 100_000;
export const MAX_AUDIT_AGE_MS = 90 * 86_400_000;
/** Entries that are too old go so many at a time, with each new one. */
const REMOVED_AT_ONCE = 100;

type Row = Readonly<Record<string, unknown>>;

export class AuditLog {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS audit (
        entry_id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, actor_id TEXT NOT NULL,
        operation TEXT NOT NULL, tenant TEXT, outcome TEXT NOT NULL, status INTEGER NOT NULL, intent TEXT NOT NULL,
        before TEXT, after TEXT);
      CREATE INDEX IF NOT EXISTS audit_by_time ON audit (at_ms);
      CREATE TABLE IF NOT EXISTS audit_dropped (one INTEGER PRIMARY KEY, entries INTEGER NOT NULL);
      INSERT OR IGNORE INTO audit_dropped (one, entries) VALUES (1, 0);
    `);
  }

  begin(intent: AuditIntent, nowMs: number): number {
    const { actor, operation, params } = intent;
    const row = this.#sql
      .exec(
        `INSERT INTO audit (at_ms, actor_id, operation, tenant, outcome, status, intent)
         VALUES (?, ?, ?, ?, 'unfinished', 0, ?) RETURNING entry_id`,
        nowMs,
        actor.id,
        operation,
        params["tenant"] ?? null,
        JSON.stringify(intent),
      )
      .one();
    const entryId = Number(row["entry_id"]);
    this.#removeOld(entryId, nowMs);
    return entryId;
  }

  /** The write is in this very transaction: from now on it has happened. */
  markDone(entryId: number): void {
    this.#sql.exec("UPDATE audit SET outcome = 'done' WHERE entry_id = ?", entryId);
  }

  /** An effect that was stored with its entry stays done, whatever became of the reply. */
  end(entryId: number, { outcome, status, before, after }: AuditEnd): void {
    this.#sql.exec(
      `UPDATE audit SET outcome = CASE WHEN outcome = 'done' THEN 'done' ELSE ? END, status = ?, before = ?, after = ?
       WHERE entry_id = ?`,
      outcome,
      status,
      before,
      after,
      entryId,
    );
  }

  /** One of another life of this object, before all of this one: its id is below zero. */
  restore({ entryId, atMs, outcome, status, before, after, ...intent }: AuditRecord): void {
    this.#sql.exec(
      `INSERT OR IGNORE INTO audit (entry_id, at_ms, actor_id, operation, tenant, outcome, status, intent, before, after)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      entryId,
      atMs,
      intent.actor.id,
      intent.operation,
      intent.params["tenant"] ?? null,
      outcome,
      status,
      JSON.stringify(intent),
      before,
      after,
    );
  }

  /** The newest first, from `before` (exclusive) on. */
  read(before: number | undefined, limit: number, filter: AuditFilter): AuditRecord[] {
    const conditions: readonly (readonly [string, SqlStorageValue | undefined])[] = [
      ["entry_id < ?", before],
      ["actor_id = ?", filter.actor],
      ["operation = ?", filter.operation],
      ["tenant = ?", filter.tenant],
      ["outcome = ?", filter.outcome],
      ["at_ms >= ?", filter.fromMs],
      ["at_ms <= ?", filter.toMs],
    ];
    const given = conditions.filter(([, value]) => value !== undefined);
    const where = given.length === 0 ? "" : `WHERE ${given.map(([condition]) => condition).join(" AND ")}`;
    return this.#sql
      .exec(
        `SELECT * FROM audit ${where} ORDER BY entry_id DESC LIMIT ?`,
        ...given.map(([, value]) => value ?? null),
        limit,
      )
      .toArray()
      .flatMap((row) => parseEntry(row) ?? []);
  }

  dropped(): number {
    return Number(this.#sql.exec("SELECT entries FROM audit_dropped").one()["entries"]);
  }

  #removeOld(newest: number, nowMs: number): void {
    const removed = this.#sql
      .exec(
        `DELETE FROM audit WHERE entry_id <= ? OR entry_id IN
           (SELECT entry_id FROM audit WHERE at_ms < ? ORDER BY at_ms LIMIT ?) RETURNING entry_id`,
        newest - MAX_AUDIT_ROWS,
        nowMs - MAX_AUDIT_AGE_MS,
        REMOVED_AT_ONCE,
      )
      .toArray().length;
    if (removed > 0) this.#sql.exec("UPDATE audit_dropped SET entries = entries + ?", removed);
  }
}

function parseEntry(row: Row): AuditRecord | undefined {
  const intent = parseIntent(row["intent"]);
  const outcome = AUDIT_OUTCOMES.find((known) => known === row["outcome"]);
  if (intent === undefined || outcome === undefined) return undefined;
  return {
    entryId: Number(row["entry_id"]),
    atMs: Number(row["at_ms"]),
    ...intent,
    outcome,
    status: Number(row["status"]),
    before: textOf(row["before"]),
    after: textOf(row["after"]),
  };
}

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

function parseIntent(text: unknown): AuditIntent | undefined {
  const value = parseJson(text);
  if (!isRecord(value) || !isRecord(value["actor"]) || !isRecord(value["params"])) return undefined;
  const { id, name, role: stored } = value["actor"];
  const role = ROLES.find((known) => known === stored);
  if (role === undefined) return undefined;
  return {
    actor: { id: String(id), name: String(name), role },
    operation: String(value["operation"]),
    params: Object.fromEntries(Object.entries(value["params"]).map(([key, given]) => [key, String(given)])),
    requestId: String(value["requestId"]),
    client: String(value["client"]),
  };
}
