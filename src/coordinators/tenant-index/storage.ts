/** The index's tables (docs/STORAGE.md). What is read per request is found by a key, so a million rows take no longer than ten. */
import type {
  TenantProfile,
  TenantQuery,
  TenantRow,
  TenantStanding,
  TenantWrite,
} from "../../protocol/tenant-index.ts";

const SCHEMA_VERSION = 1;

/** A row as SQLite has it. */
type Stored = {
  rowid: number;
  id: string;
  body: string | null;
  settings: string | null;
  label: string;
  suspended: string | null;
  created_at_ms: number;
  updated_at_ms: number;
};
const COLUMNS = "rowid, id, body, settings, label, suspended, created_at_ms, updated_at_ms";

export type Written = "created" | "changed" | "same";

export class TenantIndexStorage {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS tenant (
        id TEXT NOT NULL UNIQUE, plan TEXT NOT NULL, body TEXT, settings TEXT, label TEXT NOT NULL, suspended TEXT,
        revision INTEGER NOT NULL, live INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL);
      CREATE INDEX IF NOT EXISTS tenant_plan ON tenant (plan, id);
      CREATE INDEX IF NOT EXISTS tenant_suspended ON tenant (id) WHERE suspended IS NOT NULL;
      CREATE TABLE IF NOT EXISTS plan_count (plan TEXT PRIMARY KEY, tenants INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS push (id TEXT PRIMARY KEY, attempts INTEGER NOT NULL) WITHOUT ROWID;
      CREATE VIRTUAL TABLE IF NOT EXISTS tenant_words USING fts5 (
        id, label, content='tenant', content_rowid='rowid', prefix='2 3', detail=none);
    `);
    this.#sql.exec("INSERT OR IGNORE INTO meta (name, value) VALUES ('schema', ?), ('revision', 0)", SCHEMA_VERSION);
  }

  get(id: string): TenantRow | undefined {
    const row = this.#sql.exec<Stored>(`SELECT ${COLUMNS} FROM tenant WHERE id = ?`, id).toArray()[0];
    return row === undefined ? undefined : rowOf(row);
  }

  standing(id: string): TenantStanding | undefined {
    const row = this.#sql
      .exec<{
        body: string | null;
        suspended: string | null;
        revision: number;
      }>("SELECT body, suspended, revision FROM tenant WHERE id = ?", id)
      .toArray()[0];
    if (row === undefined) return undefined;
    return { revision: row.revision, profile: profileOf(row.body), suspended: row.suspended !== null };
  }

  /** Its coordinator has asked, and is told of changes from now on. */
  noteLive(id: string): void {
    this.#sql.exec("UPDATE tenant SET live = 1 WHERE id = ?", id);
  }

  write({ id, profile, settings, label }: TenantWrite, nowMs: number): Written {
    const body = JSON.stringify(profile);
    const known = this.#sql
      .exec<{
        rowid: number;
        plan: string;
        body: string | null;
        settings: string | null;
        label: string;
        live: number;
      }>("SELECT rowid, plan, body, settings, label, live FROM tenant WHERE id = ?", id)
      .toArray()[0];
    if (known === undefined) {
      this.#insert(id, profile.plan, body, settings, label, nowMs);
      this.#count(profile.plan, 1);
      return "created";
    }
    if (known.body === body && known.settings === settings && known.label === label) return "same";
    this.#forgetWords(known.rowid, id, known.label);
    this.#sql.exec(
      "UPDATE tenant SET plan = ?, body = ?, settings = ?, label = ?, revision = ?, updated_at_ms = ? WHERE rowid = ?",
      profile.plan,
      body,
      settings,
      label,
      this.nextRevision(),
      nowMs,
      known.rowid,
    );
    this.#addWords(known.rowid, id, label);
    if (known.plan !== profile.plan) {
      this.#count(known.plan, -1);
      this.#count(profile.plan, 1);
    }
    if (known.live === 1) this.addPush(id);
    return "changed";
  }

  /** A row for a tenant of the config file, which has no profile. */
  insertBare(id: string, nowMs: number): void {
    this.#insert(id, "", null, null, "", nowMs);
  }

  suspend(id: string, reason: string | undefined, nowMs: number): void {
    this.#sql.exec(
      "UPDATE tenant SET suspended = ?, revision = ?, updated_at_ms = ?, live = 1 WHERE id = ?",
      reason ?? null,
      this.nextRevision(),
      nowMs,
      id,
    );
    this.addPush(id);
  }

  /** Undefined: there was none. */
  remove(id: string): TenantRow | undefined {
    const row = this.#sql
      .exec<Stored & { plan: string }>(`SELECT ${COLUMNS}, plan FROM tenant WHERE id = ?`, id)
      .toArray()[0];
    if (row === undefined) return undefined;
    this.#forgetWords(row.rowid, id, row.label);
    this.#sql.exec("DELETE FROM tenant WHERE rowid = ?", row.rowid);
    this.#count(row.plan, -1);
    this.addPush(id);
    return rowOf(row);
  }

  list({ words, plan, suspended, after, limit }: TenantQuery): { tenants: TenantRow[]; next: string | undefined } {
    const searched = matchOf(words);
    const conditions: string[] = [];
    const values: (string | number)[] = [];
    if (searched === undefined) {
      conditions.push("id > ?");
      values.push(after ?? "");
    } else {
      conditions.push(
        "rowid IN (SELECT rowid FROM tenant_words WHERE tenant_words MATCH ? AND rowid > ?)",
        "rowid > ?",
      );
      values.push(searched, Number(after ?? 0), Number(after ?? 0));
    }
    if (plan !== undefined) {
      conditions.push("plan = ?");
      values.push(plan);
    }
    if (suspended !== undefined) conditions.push(`suspended IS ${suspended ? "NOT " : ""}NULL`);
    const order = searched === undefined ? "id" : "rowid";
    const rows = this.#sql
      .exec<Stored>(
        `SELECT ${COLUMNS} FROM tenant WHERE ${conditions.join(" AND ")} ORDER BY ${order} LIMIT ?`,
        ...values,
        limit + 1,
      )
      .toArray();
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const next =
      rows.length <= limit || last === undefined ? undefined : searched === undefined ? last.id : String(last.rowid);
    return { tenants: page.map(rowOf), next };
  }

  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    const rows = this.#sql.exec<{ plan: string; tenants: number }>(
      "SELECT plan, tenants FROM plan_count WHERE tenants > 0 AND plan <> ''",
    );
    for (const { plan, tenants } of rows) counts[plan] = tenants;
    return counts;
  }

  nextRevision(): number {
    const { value } = this.#sql
      .exec<{ value: number }>("UPDATE meta SET value = value + 1 WHERE name = 'revision' RETURNING value")
      .one();
    return value;
  }

  addPush(id: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO push (id, attempts) VALUES (?, 0)", id);
  }

  /** Those that failed least come first. */
  pushes(limit: number): { readonly id: string; readonly attempts: number }[] {
    return this.#sql
      .exec<{ id: string; attempts: number }>("SELECT id, attempts FROM push ORDER BY attempts, id LIMIT ?", limit)
      .toArray();
  }

  endPush(id: string): void {
    this.#sql.exec("DELETE FROM push WHERE id = ?", id);
  }

  failPush(id: string): void {
    this.#sql.exec("UPDATE push SET attempts = attempts + 1 WHERE id = ?", id);
  }

  #insert(id: string, plan: string, body: string | null, settings: string | null, label: string, nowMs: number): void {
    const { rowid } = this.#sql
      .exec<{ rowid: number }>(
        `INSERT INTO tenant (id, plan, body, settings, label, suspended, revision, live, created_at_ms, updated_at_ms)
         VALUES (?, ?, ?, ?, ?, NULL, ?, 0, ?, ?) RETURNING rowid`,
        id,
        plan,
        body,
        settings,
        label,
        this.nextRevision(),
        nowMs,
        nowMs,
      )
      .one();
    this.#addWords(rowid, id, label);
  }

  #count(plan: string, by: number): void {
    this.#sql.exec(
      "INSERT INTO plan_count (plan, tenants) VALUES (?, ?) ON CONFLICT (plan) DO UPDATE SET tenants = tenants + excluded.tenants",
      plan,
      by,
    );
  }

  #addWords(rowid: number, id: string, label: string): void {
    this.#sql.exec("INSERT INTO tenant_words (rowid, id, label) VALUES (?, ?, ?)", rowid, id, label);
  }

  #forgetWords(rowid: number, id: string, label: string): void {
    this.#sql.exec(
      "INSERT INTO tenant_words (tenant_words, rowid, id, label) VALUES ('delete', ?, ?, ?)",
      rowid,
      id,
      label,
    );
  }
}

const MAX_WORDS = 8;

/** For FTS5: every word as a prefix, quoted, so that nothing in it is syntax. Undefined: there is no word. */
function matchOf(words: string): string | undefined {
  const found = words.match(/[\p{L}\p{N}]+/gu)?.slice(0, MAX_WORDS);
  return found?.map((word) => `"${word}"*`).join(" AND ");
}

function rowOf(stored: Stored): TenantRow {
  const { id, body, settings, label, suspended, created_at_ms: createdAtMs, updated_at_ms: updatedAtMs } = stored;
  return {
    id,
    profile: profileOf(body),
    settings: settings ?? undefined,
    label,
    suspended: suspended ?? undefined,
    createdAtMs,
    updatedAtMs,
  };
}

function profileOf(body: string | null): TenantProfile | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own profile, checked by the admin API before we wrote it
  return body === null ? undefined : (JSON.parse(body) as TenantProfile);
}
