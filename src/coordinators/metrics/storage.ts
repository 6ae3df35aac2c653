/**
 * The Metrics object's tables: the ledger's lines, cut into as few rows as will hold them, because rows are what costs.
 * A row is written only when it differs from what is stored.
 */
import { type Ledger, countSeries, newLedger } from "../../policy/telemetry/ledger.ts";
import { linesOf, takeLine } from "../../policy/telemetry/ledger-lines.ts";

const SCHEMA_VERSION = 2;
/** Below a MiB, also where each character is three bytes; SQLite's rows end at two. */
const CHUNK_CHARACTERS = 300_000;
/** Of the release before; these families are counted by route and tenant now. */
const COUNTED_ANEW = /^weir_(requests_total|request_duration_seconds|limit_decisions_total)/;

export class MetricsStorage {
  readonly #storage: DurableObjectStorage;
  readonly beganAtMs: number;
  #stored: string[] = [];

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    storage.sql.exec(`
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS chunk (number INTEGER PRIMARY KEY, lines TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS total (series TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
    `);
    storage.sql.exec(
      "INSERT INTO meta (name, value) VALUES ('schema', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value < excluded.value",
      SCHEMA_VERSION,
    );
    storage.sql.exec("INSERT OR IGNORE INTO meta (name, value) VALUES ('began-at', ?)", Date.now());
    const began = "SELECT value FROM meta WHERE name = 'began-at'";
    this.beganAtMs = storage.sql.exec<{ value: number }>(began).one().value;
  }

  load(nowMs: number): Ledger {
    const ledger = newLedger(nowMs);
    this.#stored = [];
    const rows = this.#storage.sql.exec<{ number: number; lines: string }>("SELECT number, lines FROM chunk");
    for (const { number, lines } of rows) {
      this.#stored[number] = lines;
      for (const line of lines.split("\n")) if (line !== "") takeLine(ledger, line);
    }
    if (this.#stored.length === 0) this.#takeOver(ledger);
    return ledger;
  }

  /** All of it, in one transaction. */
  save(ledger: Ledger): void {
    const chunks = chunksOf(linesOf(ledger));
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => {
      for (const [number, lines] of chunks.entries()) {
        if (lines === this.#stored[number]) continue;
        sql.exec(
          "INSERT INTO chunk (number, lines) VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET lines = excluded.lines",
          number,
          lines,
        );
      }
      if (chunks.length < this.#stored.length) sql.exec("DELETE FROM chunk WHERE number >= ?", chunks.length);
    });
    this.#stored = chunks;
  }

  /** What the release before counted, but for what has other labels now. It stays there, should that release come back. */
  #takeOver(ledger: Ledger): void {
    for (const { series, value } of this.#storage.sql.exec("SELECT series, value FROM total")) {
      if (typeof series === "string" && !COUNTED_ANEW.test(series)) countSeries(ledger, series, Number(value));
    }
  }
}

function chunksOf(lines: Iterable<string>): string[] {
  const chunks: string[] = [];
  let chunk = "";
  for (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    chunks.push(chunk);
    chunk = "";
  }
  if (chunk !== "") chunks.push(chunk);
  return chunks;
}
