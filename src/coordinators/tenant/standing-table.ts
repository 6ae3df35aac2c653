/**
 * What this tenant is, where it was made through the API or is suspended: one row (docs/STORAGE.md), told by the index of
 * tenants. Without it nothing is known here, and the index is asked.
 */
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import type { TenantProfile, TenantStanding } from "../../protocol/tenant-index.ts";

export class StandingTable {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS standing (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL)");
  }

  read(): TenantStanding | undefined {
    const row = this.#sql.exec<{ body: string }>("SELECT body FROM standing").toArray()[0];
    return row === undefined ? undefined : parse(row.body);
  }

  save(standing: TenantStanding): void {
    this.#sql.exec("INSERT OR REPLACE INTO standing (one, body) VALUES (1, ?)", JSON.stringify(standing));
  }
}

/** Undefined: unreadable, so the index is asked again. */
function parse(text: string): TenantStanding | undefined {
  const value = parseJson(text);
  if (!isRecord(value)) return undefined;
  const { revision, born, suspended, profile } = value;
  if (typeof revision !== "number" || typeof born !== "number" || typeof suspended !== "boolean") return undefined;
  return { revision, born, suspended, profile: isProfile(profile) ? profile : undefined };
}

const isProfile = (value: unknown): value is TenantProfile => isRecord(value) && typeof value["plan"] === "string";
