/** The Control object's one row of the restore that is under way, or was the last (docs/STORAGE.md). */
import type { StagedInForce } from "../../protocol/recovery.ts";

export interface RestoreState {
  /** Of the backup. */
  readonly sha256: string;
  readonly state: "under-way" | "done";
  readonly atMs: number;
  /** What the backup had in force; undefined: not heard yet, or nothing. */
  readonly inForce: StagedInForce | undefined;
}

export class RestoreTable {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS restore (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL)");
  }

  /** Undefined: there was none, or it cannot be read, and has to begin anew. */
  read(): RestoreState | undefined {
    const row = this.#sql.exec<{ body: string }>("SELECT body FROM restore").toArray()[0];
    return row === undefined ? undefined : parse(row.body);
  }

  write(state: RestoreState): void {
    this.#sql.exec("INSERT OR REPLACE INTO restore (one, body) VALUES (1, ?)", JSON.stringify(state));
  }
}

function parse(text: string): RestoreState | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const field = (name: string): unknown => Reflect.get(value, name);
  const [sha256, state, atMs] = [field("sha256"), field("state"), field("atMs")];
  if (typeof sha256 !== "string" || (state !== "under-way" && state !== "done") || typeof atMs !== "number") {
    return undefined;
  }
  return { sha256, state, atMs, inForce: parseInForce(field("inForce")) };
}

function parseInForce(value: unknown): StagedInForce | undefined {
  if (typeof value !== "object" || value === null || !("number" in value && "sequence" in value)) return undefined;
  const { number, sequence } = value;
  if (!Number.isSafeInteger(number) || !Number.isSafeInteger(sequence)) return undefined;
  const last = "lastDeploy" in value ? value.lastDeploy : undefined;
  const isDeploy = typeof last === "object" && last !== null && "configVersion" in last && "hash" in last;
  return {
    number: Number(number),
    sequence: Number(sequence),
    lastDeploy: isDeploy ? { configVersion: Number(last.configVersion), hash: String(last.hash) } : undefined,
  };
}
