/** The Metrics object's tables: totals by series, and the last batch number of each edge. */
const SCHEMA_VERSION = 1;

export class MetricsStorage {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    storage.sql.exec(`
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS total (series TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS edge (edge_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, seen_at_ms INTEGER NOT NULL) WITHOUT ROWID;
    `);
    storage.sql.exec("INSERT OR IGNORE INTO meta (name, value) VALUES ('schema', ?)", SCHEMA_VERSION);
  }

  totals(): Map<string, number> {
    const totals = new Map<string, number>();
    for (const row of this.#storage.sql.exec("SELECT series, value FROM total")) {
      if (typeof row["series"] === "string" && typeof row["value"] === "number")
        totals.set(row["series"], row["value"]);
    }
    return totals;
  }

  lastSeqs(): Map<string, { seq: number; seenAtMs: number }> {
    const edges = new Map<string, { seq: number; seenAtMs: number }>();
    for (const row of this.#storage.sql.exec("SELECT edge_id, seq, seen_at_ms FROM edge ORDER BY seen_at_ms")) {
      const { edge_id: edgeId, seq, seen_at_ms: seenAtMs } = row;
      if (typeof edgeId === "string" && typeof seq === "number" && typeof seenAtMs === "number") {
        edges.set(edgeId, { seq, seenAtMs });
      }
    }
    return edges;
  }

  /** The increase and the number that caused it, in one transaction. */
  save(changed: ReadonlyMap<string, number>, edgeId: string, seq: number, nowMs: number, forgotten: string[]): void {
    this.#storage.transactionSync(() => {
      for (const [series, value] of changed) {
        this.#storage.sql.exec("INSERT OR REPLACE INTO total (series, value) VALUES (?, ?)", series, value);
      }
      this.#storage.sql.exec(
        "INSERT OR REPLACE INTO edge (edge_id, seq, seen_at_ms) VALUES (?, ?, ?)",
        edgeId,
        seq,
        nowMs,
      );
      for (const old of forgotten) this.#storage.sql.exec("DELETE FROM edge WHERE edge_id = ?", old);
    });
  }
}
