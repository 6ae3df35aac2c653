/** The index's tables (docs/STORAGE.md). What is read per request is found by a key, so a million rows take no longer than ten. */
import type {
  KeptTenant,
  RemovedTenant,
  TenantProfile,
  TenantQuery,
  TenantRow,
  TenantStanding,
  TenantWrite,
} from "../../protocol/tenant-index.ts";

const SCHEMA_VERSION = 1;
/** Of tenants that were removed so many are remembered; the oldest give way. */
const MAX_REMOVED = 1_000_000;

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
      CREATE TABLE IF NOT EXISTS removed_tenant (
        place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL);
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

  /** In order of id, from behind `after` on. */
  backup(after: string, limit: number): KeptTenant[] {
    return this.#sql
      .exec<Stored & { live: number }>(
        `SELECT ${COLUMNS}, live FROM tenant WHERE id > ? ORDER BY id LIMIT ?`,
        after,
        limit,
      )
      .toArray()
      .map((row) => ({ ...rowOf(row), live: row.live === 1 }));
  }

  removed(after: string, limit: number): RemovedTenant[] {
    return this.#sql
      .exec<{ id: string; at_ms: number }>(
        "SELECT id, at_ms FROM removed_tenant WHERE id > ? ORDER BY id LIMIT ?",
        after,
        limit,
      )
      .toArray()
      .map(({ id, at_ms: atMs }) => ({ id, atMs }));
  }

  noteRemoved({ id, atMs }: RemovedTenant): void {
    this.#sql.exec("INSERT OR IGNORE INTO removed_tenant (id, at_ms) VALUES (?, ?)", id, atMs);
    this.#sql.exec(
      "DELETE FROM removed_tenant WHERE place <= (SELECT MAX(place) FROM removed_tenant) - ?",
      MAX_REMOVED,
    );
  }

  setTimes({ id, createdAtMs, updatedAtMs }: Pick<TenantRow, "id" | "createdAtMs" | "updatedAtMs">): void {
    this.#sql.exec("UPDATE tenant SET created_at_ms = ?, updated_at_ms = ? WHERE id = ?", createdAtMs, updatedAtMs, id);
  }

  /** Coordinators that outlived this index take nothing older than what they have. */
  raiseRevision(least: number): void {
    this.#sql.exec("UPDATE meta SET value = MAX(value, ?) WHERE name = 'revision'", least);
  }

  /** Undefined: there was none. */
  remove(id: string, nowMs: number): TenantRow | undefined {
    const row = this.#sql
      .exec<Stored & { plan: string }>(`SELECT ${COLUMNS}, plan FROM tenant WHERE id = ?`, id)
      .toArray()[0];
    if (row === undefined) return undefined;
    this.#forgetWords(row.rowid, id, row.label);
    this.#sql.exec("DELETE FROM tenant WHERE rowid = ?", row.rowid);
    this.#count(row.plan, -1);
    if (row.body !== null) this.noteRemoved({ id, atMs: nowMs });
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

  /** A new row: a tenant of the name is there again. */
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
    if (body !== null) this.#sql.exec("DELETE FROM removed_tenant WHERE id = ?", id);
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
  const profile = profileOf(body);
  return {
    id,
    profile: parseRecord(settings) === undefined ? undefined : profile,
    settings: profile === undefined ? undefined : (settings ?? undefined),
    label,
    suspended: suspended ?? undefined,
    createdAtMs,
    updatedAtMs,
  };
}

/** One that cannot be read is of no tenant: refused until it is written again, and the others are not held up by it. */
function profileOf(body: string | null): TenantProfile | undefined {
  const value = parseRecord(body);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own profile, checked by the admin API before we wrote it
  return typeof value?.["plan"] === "string" ? (value as unknown as TenantProfile) : undefined;
}

function parseRecord(text: string | null): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
