/** The Monitor object's tables of alerts and silences (docs/STORAGE.md). Few, so all of them are in memory, too. */
import { parseAlert, parseSilence } from "../../policy/alerting/stored.ts";
import type { Alert, Silence } from "../../policy/alerting/types.ts";
import { parseJson } from "../../policy/kernel/json.ts";

export class AlertTable {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS alert (fingerprint TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS silence (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    `);
  }

  /** An alert that cannot be read begins anew: it may be told once more, never once less. */
  loadAlerts(): ReadonlyMap<string, Alert> {
    const rows = this.#sql.exec<{ body: string }>("SELECT body FROM alert").toArray();
    const alerts = rows.flatMap(({ body }) => parseAlert(parseJson(body)) ?? []);
    return new Map(alerts.map((alert) => [alert.condition.fingerprint, alert]));
  }

  loadSilences(): readonly Silence[] {
    const rows = this.#sql.exec<{ body: string }>("SELECT body FROM silence ORDER BY id").toArray();
    return rows.flatMap(({ body }) => parseSilence(parseJson(body)) ?? []);
  }

  save(changed: readonly Alert[], removed: readonly string[]): void {
    for (const alert of changed) {
      this.#sql.exec(
        "INSERT OR REPLACE INTO alert (fingerprint, body) VALUES (?, ?)",
        alert.condition.fingerprint,
        JSON.stringify(alert),
      );
    }
    for (const fingerprint of removed) this.#sql.exec("DELETE FROM alert WHERE fingerprint = ?", fingerprint);
  }

  saveSilence(silence: Silence): void {
    this.#sql.exec("INSERT OR REPLACE INTO silence (id, body) VALUES (?, ?)", silence.id, JSON.stringify(silence));
  }

  removeSilence(id: string): void {
    this.#sql.exec("DELETE FROM silence WHERE id = ?", id);
  }
}
