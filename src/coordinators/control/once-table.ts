/**
 * The Control object's table of calls that must happen once (docs/STORAGE.md): by a name that only their caller can give
 * again, what was asked, and the sealed reply. One whose end is not known is never done again while it is remembered.
 */
import type { OnceRequest, SealedReply } from "../../protocol/admin-records.ts";

const REMEMBERED_MS = 86_400_000;
/** Calls remembered; no new ones above that until the oldest is a day old. */
const MAX_CALLS = 10_000;
/** Of a sealed reply; replies of creating calls are far smaller. */
export const MAX_SEALED_BYTES = 65_536;

export type OnceState =
  | { readonly kind: "new" }
  | { readonly kind: "replay"; readonly reply: SealedReply }
  | { readonly kind: "unfinished" }
  | { readonly kind: "other-request" }
  | { readonly kind: "full" };

export class OnceTable {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS admin_once (
        name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, at_ms INTEGER NOT NULL, status INTEGER, sealed BLOB) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS admin_once_by_time ON admin_once (at_ms);
    `);
  }

  begin({ name, fingerprint }: OnceRequest, nowMs: number): OnceState {
    this.#sql.exec("DELETE FROM admin_once WHERE at_ms <= ?", nowMs - REMEMBERED_MS);
    const row = this.#sql.exec("SELECT fingerprint, status, sealed FROM admin_once WHERE name = ?", name).toArray()[0];
    if (row !== undefined) {
      if (row["fingerprint"] !== fingerprint) return { kind: "other-request" };
      const { status, sealed } = row;
      if (typeof status !== "number" || !(sealed instanceof ArrayBuffer)) return { kind: "unfinished" };
      return { kind: "replay", reply: { status, sealed: new Uint8Array(sealed) } };
    }
    const count = Number(this.#sql.exec("SELECT COUNT(*) AS n FROM admin_once").one()["n"]);
    if (count >= MAX_CALLS) return { kind: "full" };
    this.#sql.exec("INSERT INTO admin_once (name, fingerprint, at_ms) VALUES (?, ?, ?)", name, fingerprint, nowMs);
    return { kind: "new" };
  }

  end(name: string, { status, sealed }: SealedReply): void {
    this.#sql.exec("UPDATE admin_once SET status = ?, sealed = ? WHERE name = ?", status, sealed, name);
  }

  forget(name: string): void {
    this.#sql.exec("DELETE FROM admin_once WHERE name = ?", name);
  }
}
