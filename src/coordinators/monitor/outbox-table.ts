/**
 * The Monitor object's outbox (docs/STORAGE.md): what is to be told, stored with the state that says it is told, and each
 * try to deliver it. Within one group of one receiver only the oldest is due, so that an end never overtakes its beginning.
 */
import { parseNotification } from "../../policy/alerting/stored.ts";
import type { Notification } from "../../policy/alerting/types.ts";
import type { DeliveryFate } from "../../policy/alerting/retry.ts";
import { parseJson } from "../../policy/kernel/json.ts";
import type { DeliveryView } from "../../protocol/monitor.ts";

/** More do not wait: what is to be told stays with its alert until there is room. */
const MAX_WAITING = 1_000;
/** Dead letters, and what was delivered: the newest are kept. */
const MAX_DEAD = 200;
const MAX_DELIVERED = 200;
const MAX_SHOWN = 200;

export interface DueDelivery {
  readonly notification: Notification;
  /** With the one that begins now. */
  readonly attempt: number;
  readonly isFirst: boolean;
  /** From when on giving up is counted. */
  readonly countedFromMs: number;
}

export type Head = { readonly number: number; readonly receiver: string; readonly at_ms: number };

type Row = {
  readonly id: string;
  readonly receiver: string;
  readonly state: string;
  readonly body: string;
  readonly attempts: number;
  readonly counted_from_ms: number;
  readonly first_attempt_at_ms: number | null;
  readonly next_attempt_at_ms: number | null;
  readonly last_result: string | null;
};

export class OutboxTable {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    // `next_attempt_at_ms` is null where nothing is to be tried any more.
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS delivery (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        receiver TEXT NOT NULL,
        alert_group TEXT NOT NULL,
        state TEXT NOT NULL,
        body TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        counted_from_ms INTEGER NOT NULL,
        first_attempt_at_ms INTEGER,
        next_attempt_at_ms INTEGER,
        last_result TEXT
      );
      CREATE INDEX IF NOT EXISTS delivery_waiting ON delivery (state, receiver, alert_group, number, next_attempt_at_ms);
    `);
  }

  room(): number {
    return (
      MAX_WAITING - this.#sql.exec<{ n: number }>(`SELECT COUNT(*) AS n FROM delivery WHERE state = 'waiting'`).one().n
    );
  }

  /** One that is known already changes nothing. */
  add(notification: Notification): void {
    const { id, receiverId, group, createdAtMs } = notification;
    this.#sql.exec(
      `INSERT OR IGNORE INTO delivery (id, receiver, alert_group, state, body, counted_from_ms, next_attempt_at_ms)
       VALUES (?, ?, ?, 'waiting', ?, ?, ?)`,
      id,
      receiverId,
      group,
      JSON.stringify(notification),
      createdAtMs,
      createdAtMs,
    );
  }

  /** The oldest that waits of each group of each receiver, the oldest first, with the time of its next try. */
  heads(): readonly Head[] {
    // SQLite takes the other columns from the row that has the minimum.
    const sql = `SELECT MIN(number) AS number, receiver, next_attempt_at_ms AS at_ms FROM delivery
      WHERE state = 'waiting' GROUP BY receiver, alert_group ORDER BY 1`;
    return this.#sql.exec<Head>(sql).toArray();
  }

  /** Takes one to be tried; it is due again at `againAtMs` should its end never be stored. Undefined: it cannot be read. */
  begin(number: number, nowMs: number, againAtMs: number): DueDelivery | undefined {
    const row = this.#sql.exec<Row>("SELECT * FROM delivery WHERE number = ?", number).one();
    const notification = parseNotification(parseJson(row.body));
    if (notification === undefined) {
      this.#end(row.id, "dead", "what is stored cannot be read");
      return undefined;
    }
    this.#sql.exec(
      `UPDATE delivery SET attempts = attempts + 1, next_attempt_at_ms = ?,
         first_attempt_at_ms = COALESCE(first_attempt_at_ms, ?) WHERE number = ?`,
      againAtMs,
      nowMs,
      number,
    );
    const isFirst = row.first_attempt_at_ms === null;
    return { notification, attempt: row.attempts + 1, isFirst, countedFromMs: row.counted_from_ms };
  }

  settle(id: string, fate: DeliveryFate, result: string): void {
    if (fate.kind !== "again") {
      this.#end(id, fate.kind, result);
      return;
    }
    this.#sql.exec(
      "UPDATE delivery SET next_attempt_at_ms = ?, last_result = ? WHERE id = ? AND state = 'waiting'",
      fate.atMs,
      result,
      id,
    );
  }

  #end(id: string, state: "delivered" | "dead", result: string): void {
    this.#sql.exec(
      "UPDATE delivery SET state = ?, next_attempt_at_ms = NULL, last_result = ? WHERE id = ?",
      state,
      result,
      id,
    );
    this.#sql.exec(
      `DELETE FROM delivery WHERE state = ? AND number NOT IN
         (SELECT number FROM delivery WHERE state = ? ORDER BY number DESC LIMIT ?)`,
      state,
      state,
      state === "dead" ? MAX_DEAD : MAX_DELIVERED,
    );
  }

  /** A dead letter waits again, and is tried at once. False: there is none of this id. */
  revive(id: string, nowMs: number): boolean {
    const sql = `UPDATE delivery SET state = 'waiting', attempts = 0, counted_from_ms = ?, next_attempt_at_ms = ?
      WHERE id = ? AND state = 'dead'`;
    return this.#sql.exec(sql, nowMs, nowMs, id).rowsWritten > 0;
  }

  /** Those that wait, the dead, and the newest delivered. */
  list(): readonly DeliveryView[] {
    const sql = `SELECT * FROM delivery ORDER BY state = 'delivered', number DESC LIMIT ?`;
    return this.#sql
      .exec<Row>(sql, MAX_SHOWN)
      .toArray()
      .map((row) => {
        const notification = parseNotification(parseJson(row.body));
        return {
          id: row.id,
          receiver: row.receiver,
          state: row.state === "delivered" || row.state === "dead" ? row.state : "waiting",
          attempts: row.attempts,
          createdAtMs: notification?.createdAtMs ?? 0,
          firstAttemptAtMs: row.first_attempt_at_ms ?? undefined,
          nextAttemptAtMs: row.next_attempt_at_ms ?? undefined,
          lastResult: row.last_result ?? undefined,
          alerts: (notification?.alerts ?? []).map(({ fingerprint }) => fingerprint),
        };
      });
  }
}
