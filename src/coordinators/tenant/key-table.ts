/**
 * The Tenant object's table of API keys (docs/STORAGE.md): never the keys themselves, which are their own proof, only
 * what people want to know of them and what can change. A row of a key that could still be presented is never removed.
 */
import type { KeyRecord } from "../../protocol/tenant.ts";

/** Beside the ones of the release before; added when the object first wakes. */
const NEWER_COLUMNS = [
  "expires_at_ms INTEGER",
  "scopes TEXT",
  "ends_at_ms INTEGER",
  "replaced_by TEXT",
  "last_used_at_ms INTEGER",
] as const;
/** Two uses within this are one. */
const USE_COUNTS_AGAIN_MS = 60_000;
/** No isolate's clock is wrong by so much: an expired key is refused by all of them. */
const FORGET_EXPIRED_AFTER_MS = 86_400_000;

export class KeyTable {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(`
      CREATE TABLE IF NOT EXISTS api_key (
        key_id TEXT PRIMARY KEY, label TEXT NOT NULL, created_at_ms INTEGER NOT NULL, revoked_at_ms INTEGER) WITHOUT ROWID`);
    const known = new Set(
      sql
        .exec("SELECT name FROM pragma_table_info('api_key')")
        .toArray()
        .map((row) => row["name"]),
    );
    for (const column of NEWER_COLUMNS) {
      if (!known.has(column.slice(0, column.indexOf(" ")))) sql.exec(`ALTER TABLE api_key ADD COLUMN ${column}`);
    }
  }

  all(): KeyRecord[] {
    return this.#sql.exec("SELECT * FROM api_key ORDER BY created_at_ms, key_id").toArray().map(recordOfRow);
  }

  count(): number {
    return Number(this.#sql.exec("SELECT COUNT(*) AS n FROM api_key").one()["n"]);
  }

  find(keyId: string): KeyRecord | undefined {
    return this.#sql.exec("SELECT * FROM api_key WHERE key_id = ?", keyId).toArray().map(recordOfRow)[0];
  }

  insert(key: KeyRecord): void {
    this.#sql.exec(
      "INSERT OR IGNORE INTO api_key (key_id, label, created_at_ms, expires_at_ms, scopes) VALUES (?, ?, ?, ?, ?)",
      key.keyId,
      key.label,
      key.createdAtMs,
      key.expiresAtMs ?? null,
      key.scopes.length === 0 ? null : key.scopes.join(" "),
    );
  }

  revoke(keyId: string, nowMs: number): void {
    this.#sql.exec("UPDATE api_key SET revoked_at_ms = ? WHERE key_id = ? AND revoked_at_ms IS NULL", nowMs, keyId);
  }

  replace(keyId: string, replacedBy: string, endsAtMs: number): void {
    const change = "UPDATE api_key SET ends_at_ms = ?, replaced_by = ? WHERE key_id = ?";
    this.#sql.exec(change, endsAtMs, replacedBy, keyId);
  }

  setLastUsed(keyId: string, atMs: number): void {
    this.#sql.exec("UPDATE api_key SET last_used_at_ms = ? WHERE key_id = ?", atMs, keyId);
  }

  /** At most one write a minute for each key, however many isolates tell of it; of keys in force only. */
  noteUsed(keyIds: readonly string[], nowMs: number): void {
    for (const keyId of keyIds) {
      this.#sql.exec(
        `UPDATE api_key SET last_used_at_ms = ? WHERE key_id = ? AND revoked_at_ms IS NULL
          AND (ends_at_ms IS NULL OR ends_at_ms > ?) AND (last_used_at_ms IS NULL OR last_used_at_ms <= ?)`,
        nowMs,
        keyId,
        nowMs,
        nowMs - USE_COUNTS_AGAIN_MS,
      );
    }
  }

  /** Keys that say themselves that they are long over. */
  forgetExpired(nowMs: number): void {
    this.#sql.exec("DELETE FROM api_key WHERE expires_at_ms <= ?", nowMs - FORGET_EXPIRED_AFTER_MS);
  }

  /** When keys end before they expire: revoked, or replaced. */
  ends(): Map<string, number> {
    const ends = new Map<string, number>();
    for (const { keyId, revokedAtMs, endsAtMs } of this.all()) {
      const atMs = revokedAtMs ?? endsAtMs;
      if (atMs !== undefined) ends.set(keyId, atMs);
    }
    return ends;
  }
}

const recordOfRow = (row: Readonly<Record<string, SqlStorageValue>>): KeyRecord => ({
  keyId: textOf(row["key_id"]),
  label: textOf(row["label"]),
  createdAtMs: Number(row["created_at_ms"]),
  revokedAtMs: numberOf(row["revoked_at_ms"]),
  expiresAtMs: numberOf(row["expires_at_ms"]),
  scopes: textOf(row["scopes"])
    .split(" ")
    .filter((scope) => scope !== ""),
  endsAtMs: numberOf(row["ends_at_ms"]),
  replacedBy: textOf(row["replaced_by"]) || undefined,
  lastUsedAtMs: numberOf(row["last_used_at_ms"]),
});

const numberOf = (value: SqlStorageValue | undefined): number | undefined =>
  typeof value === "number" ? value : undefined;

export function textOf(value: SqlStorageValue | undefined): string {
  return typeof value === "string" ? value : "";
}
