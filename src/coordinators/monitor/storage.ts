/**
 * The Monitor object's tables of recordings (docs/STORAGE.md). Few and large rows, because rows are what costs: while
 * somebody calls, once a minute one for the minute, one for its hour, one for the hour's demand, and one for what each
 * Metrics object had counted by then.
 */
import { parseJson } from "../../policy/kernel/json.ts";
import type { Demand } from "../../policy/recording/demand.ts";
import type { Reading } from "../../policy/recording/reading.ts";
import type { Tally } from "../../policy/recording/tally.ts";
import { demandText, readDemand, readReading, readTally, readingTexts, tallyText } from "./rows.ts";

const SCHEMA_VERSION = 1;
const HOUR_MS = 3_600_000;
export const KEEP_MINUTES_MS = 26 * HOUR_MS;
export const KEEP_HOURS_MS = 35 * 24 * HOUR_MS;
/** Characters that one question may read, the newest rows first; older ones are left out of its answer. */
const MOST_READ_CHARACTERS = 16_000_000;

export type Step = "minute" | "hour";

/** Events of each objective within a minute or an hour, as JSON. */
export interface EventsRow {
  readonly atMs: number;
  readonly events: unknown;
}

export class MonitorStorage {
  readonly #storage: DurableObjectStorage;
  /** Rows that could not be read since this object began. */
  unreadable = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    // `events` stands before `body`: all of them are read when the object begins, and a body can be many pages long.
    storage.sql.exec(`
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS reading (shard INTEGER NOT NULL, part INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (shard, part)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS minute (at_ms INTEGER PRIMARY KEY, events TEXT NOT NULL, body TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS hour (at_ms INTEGER PRIMARY KEY, events TEXT NOT NULL, body TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS demand (at_ms INTEGER PRIMARY KEY, body TEXT NOT NULL);
    `);
    storage.sql.exec("INSERT OR IGNORE INTO meta (name, value) VALUES ('schema', ?)", String(SCHEMA_VERSION));
  }

  /** Undefined: there is none, or it cannot be read. */
  meta(name: string): unknown {
    const [row] = this.#storage.sql.exec<{ value: string }>("SELECT value FROM meta WHERE name = ?", name).toArray();
    return row === undefined ? undefined : this.#told(parseJson(row.value));
  }

  saveMeta(name: string, value: unknown): void {
    this.#storage.sql.exec("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, JSON.stringify(value));
  }

  /** By shard. "lost": it was stored, and cannot be read. */
  readings(): ReadonlyMap<number, Reading | "lost"> {
    const texts = new Map<number, string[]>();
    const rows = this.#storage.sql.exec<{ shard: number; body: string }>(
      "SELECT shard, body FROM reading ORDER BY shard, part",
    );
    for (const { shard, body } of rows) texts.set(shard, [...(texts.get(shard) ?? []), body]);
    return new Map([...texts].map(([shard, parts]) => [shard, this.#told(readReading(parts)) ?? "lost"]));
  }

  saveReading(shard: number, reading: Reading): void {
    const { sql } = this.#storage;
    const parts = readingTexts(reading);
    for (const [part, body] of parts.entries()) {
      sql.exec("INSERT OR REPLACE INTO reading (shard, part, body) VALUES (?, ?, ?)", shard, part, body);
    }
    sql.exec("DELETE FROM reading WHERE shard = ? AND part >= ?", shard, parts.length);
  }

  tally(step: Step, atMs: number): Tally | undefined {
    const [row] = this.#storage.sql.exec<{ body: string }>(`SELECT body FROM ${step} WHERE at_ms = ?`, atMs).toArray();
    return row === undefined ? undefined : this.#told(readTally(row.body));
  }

  saveTally(step: Step, atMs: number, tally: Tally, events: unknown): void {
    this.#storage.sql.exec(
      `INSERT OR REPLACE INTO ${step} (at_ms, body, events) VALUES (?, ?, ?)`,
      atMs,
      tallyText(tally),
      JSON.stringify(events),
    );
  }

  /** The newest first, MOST_READ_CHARACTERS of them at most. */
  *tallies(step: Step, fromMs: number, toMs: number): Generator<{ readonly atMs: number; readonly tally: Tally }> {
    let left = MOST_READ_CHARACTERS;
    const rows = this.#storage.sql.exec<{ at_ms: number; body: string }>(
      `SELECT at_ms, body FROM ${step} WHERE at_ms >= ? AND at_ms < ? ORDER BY at_ms DESC`,
      fromMs,
      toMs,
    );
    for (const { at_ms: atMs, body } of rows) {
      left -= body.length;
      if (left < 0) return;
      const tally = this.#told(readTally(body));
      if (tally !== undefined) yield { atMs, tally };
    }
  }

  events(step: Step): readonly EventsRow[] {
    const rows = this.#storage.sql.exec<{ at_ms: number; events: string }>(`SELECT at_ms, events FROM ${step}`);
    return rows.toArray().map(({ at_ms: atMs, events }) => ({ atMs, events: this.#told(parseJson(events)) }));
  }

  demand(atMs: number): Demand | undefined {
    const [row] = this.#storage.sql.exec<{ body: string }>("SELECT body FROM demand WHERE at_ms = ?", atMs).toArray();
    return row === undefined ? undefined : this.#told(readDemand(row.body));
  }

  *demands(fromMs: number, toMs: number): Generator<Demand> {
    let left = MOST_READ_CHARACTERS;
    const rows = this.#storage.sql.exec<{ body: string }>(
      "SELECT body FROM demand WHERE at_ms >= ? AND at_ms < ? ORDER BY at_ms DESC",
      fromMs,
      toMs,
    );
    for (const { body } of rows) {
      left -= body.length;
      if (left < 0) return;
      const demand = this.#told(readDemand(body));
      if (demand !== undefined) yield demand;
    }
  }

  saveDemand(atMs: number, demand: Demand): void {
    this.#storage.sql.exec("INSERT OR REPLACE INTO demand (at_ms, body) VALUES (?, ?)", atMs, demandText(demand));
  }

  forgetOld(nowMs: number): void {
    const { sql } = this.#storage;
    sql.exec("DELETE FROM minute WHERE at_ms < ?", nowMs - KEEP_MINUTES_MS);
    sql.exec("DELETE FROM hour WHERE at_ms < ?", nowMs - KEEP_HOURS_MS);
    sql.exec("DELETE FROM demand WHERE at_ms < ?", nowMs - KEEP_HOURS_MS);
  }

  transaction(write: () => void): void {
    this.#storage.transactionSync(write);
  }

  #told<T>(read: T | undefined): T | undefined {
    if (read === undefined) this.unreadable++;
    return read;
  }
}
