/** Which snapshots of this origin stand (docs/STORAGE.md): their content lies in KV, under the same names. */
import { judgeSnapshot, type SnapshotVerdict } from "../../policy/cache/snapshot.ts";

/** The longest unwritten are forgotten, and no longer served. */
const MAX_SNAPSHOTS = 100_000;
const TRIM_EVERY = 1_000;
const NAME = /^v1:[0-9a-f]{64}$/;
const MAX_FINGERPRINT = 200;

export class SnapshotTable {
  readonly #sql: SqlStorage;
  #sinceTrim = 0;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS snapshot (
        variant TEXT PRIMARY KEY, url TEXT NOT NULL, fingerprint TEXT NOT NULL, written_at_ms INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS snapshot_by_url ON snapshot (url);
      CREATE INDEX IF NOT EXISTS snapshot_by_age ON snapshot (written_at_ms);
    `);
  }

  /** A verdict that says "write" is noted as written. */
  offer(url: string, variant: string, fingerprint: string, intervalMs: number, nowMs: number): SnapshotVerdict {
    if (!NAME.test(url) || !NAME.test(variant) || fingerprint.length > MAX_FINGERPRINT || !(intervalMs >= 0)) {
      throw new TypeError("snapshot refused: malformed");
    }
    const row = this.#sql
      .exec<{ fingerprint: string; at: number }>(
        "SELECT fingerprint, written_at_ms AS at FROM snapshot WHERE variant = ?",
        variant,
      )
      .toArray()[0];
    const known = row === undefined ? undefined : { fingerprint: row.fingerprint, writtenAtMs: row.at };
    const verdict = judgeSnapshot(known, fingerprint, intervalMs, nowMs);
    if (verdict.write) {
      this.#sql.exec(
        "INSERT OR REPLACE INTO snapshot (variant, url, fingerprint, written_at_ms) VALUES (?, ?, ?, ?)",
        variant,
        url,
        fingerprint,
        nowMs,
      );
      this.#trim();
    }
    return verdict;
  }

  /** The names that no longer stand. */
  retire(url: string): readonly string[] {
    const rows = this.#sql
      .exec<{ variant: string }>("DELETE FROM snapshot WHERE url = ? RETURNING variant", url)
      .toArray();
    return rows.length === 0 ? [] : [...new Set([url, ...rows.map(({ variant }) => variant)])];
  }

  stands(url: string): boolean {
    return this.#sql.exec("SELECT 1 FROM snapshot WHERE url = ? LIMIT 1", url).toArray().length > 0;
  }

  #trim(): void {
    if (++this.#sinceTrim < TRIM_EVERY) return;
    this.#sinceTrim = 0;
    this.#sql.exec(
      `DELETE FROM snapshot WHERE variant IN (
         SELECT variant FROM snapshot ORDER BY written_at_ms DESC LIMIT -1 OFFSET ?
       )`,
      MAX_SNAPSHOTS,
    );
  }
}
