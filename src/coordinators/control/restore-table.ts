/** The Control object's one row of the restore that is under way, or was the last (docs/STORAGE.md). */
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
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
  const value = parseJson(text);
  if (!isRecord(value)) return undefined;
  const { sha256, state, atMs, inForce } = value;
  if (typeof sha256 !== "string" || (state !== "under-way" && state !== "done") || typeof atMs !== "number") {
    return undefined;
  }
  return { sha256, state, atMs, inForce: parseInForce(inForce) };
}

function parseInForce(value: unknown): StagedInForce | undefined {
  if (!isRecord(value)) return undefined;
  const { number, sequence, lastDeploy: last } = value;
  if (!Number.isSafeInteger(number) || !Number.isSafeInteger(sequence)) return undefined;
  const isDeploy = isRecord(last) && "configVersion" in last && "hash" in last;
  return {
    number: Number(number),
    sequence: Number(sequence),
    lastDeploy: isDeploy ? { configVersion: Number(last["configVersion"]), hash: String(last["hash"]) } : undefined,
  };
}
