/**
 * The Control object's tables of configs (docs/STORAGE.md): the append-only log, the contents, what is in force, the trial
 * under way, and the origins that are still to be told. Rows are checked when they come back.
 */
import { isCount, isRecord, parseJson } from "../../policy/kernel/json.ts";
import { type ArmCounts, type ConfigInForce, NO_COUNTS, parseInForce } from "../../policy/rollout/rollout.ts";
import type { ConfigContent, ConfigSource } from "../../protocol/control.ts";
import type { ContentChunk, LastDeploy, StagedInForce, StoredVersion } from "../../protocol/recovery.ts";

const SCHEMA_VERSION = 1;
/** Versions whose content is kept, and can be rolled back to. */
export const MAX_CONTENTS = 100;
/** Versions that are remembered. */
const MAX_VERSIONS = 1_000;
/** A row of the platform's holds 2 MB. */
const CHUNK_BYTES = 1_048_576;
/** Edges whose last report of a trial is remembered; the longest unheard is forgotten. */
const MAX_TRIAL_EDGES = 10_000;

type ChunkTable = "config_chunk" | "staged_chunk";

export interface StoredTrial {
  readonly number: number;
  readonly shareRatio: number;
  readonly startedAtMs: number;
  readonly endsAtMs: number;
  readonly canary: ArmCounts;
  readonly control: ArmCounts;
}

export class ConfigLog {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS config_version (number INTEGER PRIMARY KEY, body TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS config_chunk (
        number INTEGER NOT NULL, kind TEXT NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL,
        PRIMARY KEY (number, kind, part)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS config_push (origin_id TEXT PRIMARY KEY, attempts INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS trial_edge (
        edge_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, heard_at_ms INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS staged_version (number INTEGER PRIMARY KEY, body TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS staged_chunk (
        number INTEGER NOT NULL, kind TEXT NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL,
        PRIMARY KEY (number, kind, part)) WITHOUT ROWID;
    `);
    this.#sql.exec("INSERT OR IGNORE INTO meta (name, value) VALUES ('schema', ?)", String(SCHEMA_VERSION));
  }

  inForce(): ConfigInForce | undefined {
    return parseInForce(this.#read("in-force"));
  }

  setInForce(inForce: ConfigInForce): void {
    this.#write("in-force", inForce);
  }

  trial(): StoredTrial | undefined {
    return parseTrial(this.#read("trial"));
  }

  /** Undefined: there is none any more. */
  setTrial(trial: StoredTrial | undefined): void {
    if (trial === undefined) {
      this.#sql.exec("DELETE FROM meta WHERE name = 'trial'");
      this.#sql.exec("DELETE FROM trial_edge");
    } else this.#write("trial", trial);
  }

  lastDeploy(): LastDeploy | undefined {
    const value = this.#read("last-deploy");
    if (!isRecord(value) || !isCount(value["configVersion"]) || typeof value["hash"] !== "string") return undefined;
    return { configVersion: value["configVersion"], hash: value["hash"] };
  }

  setLastDeploy(deploy: LastDeploy): void {
    this.#write("last-deploy", deploy);
  }

  version(number: number): StoredVersion | undefined {
    const row = this.#sql.exec("SELECT body FROM config_version WHERE number = ?", number).toArray()[0];
    return row === undefined ? undefined : parseVersion(parseJson(row["body"]));
  }

  newest(): StoredVersion | undefined {
    return this.versions(undefined, 1)[0];
  }

  /** The newest first. */
  versions(before: number | undefined, limit: number): StoredVersion[] {
    return this.#sql
      .exec(
        "SELECT body FROM config_version WHERE number < ? ORDER BY number DESC LIMIT ?",
        before ?? Number.MAX_SAFE_INTEGER,
        limit,
      )
      .toArray()
      .flatMap((row) => parseVersion(parseJson(row["body"])) ?? []);
  }

  /** `content` undefined: that of `contentOf`, which is kept with it. What is older than the bounds goes. */
  add(version: StoredVersion, content: ConfigContent | undefined, kept: readonly number[]): void {
    const { number } = version;
    this.#sql.exec("INSERT INTO config_version (number, body) VALUES (?, ?)", number, JSON.stringify(version));
    if (content === undefined) {
      this.#sql.exec(
        "INSERT INTO config_chunk (number, kind, part, bytes) SELECT ?, kind, part, bytes FROM config_chunk WHERE number = ?",
        number,
        version.contentOf ?? number,
      );
    } else {
      this.#addChunks(number, "packed", content.packed);
      if (content.text !== undefined) this.#addChunks(number, "text", new TextEncoder().encode(content.text));
    }
    // Counted, because after a restore numbers have gaps.
    this.#sql.exec(
      "DELETE FROM config_version WHERE number IN (SELECT number FROM config_version ORDER BY number DESC LIMIT -1 OFFSET ?)",
      MAX_VERSIONS,
    );
    const beyond = this.#sql.exec(
      "SELECT DISTINCT number FROM config_chunk ORDER BY number DESC LIMIT -1 OFFSET ?",
      MAX_CONTENTS,
    );
    for (const row of beyond.toArray()) {
      const old = Number(row["number"]);
      if (!kept.includes(old)) this.#sql.exec("DELETE FROM config_chunk WHERE number = ?", old);
    }
  }

  content(number: number): ConfigContent | undefined {
    return this.#contentIn("config_chunk", number);
  }

  #contentIn(table: ChunkTable, number: number): ConfigContent | undefined {
    const packed = this.#chunks(table, number, "packed");
    if (packed === undefined) return undefined;
    const text = this.#chunks(table, number, "text");
    return { packed, text: text === undefined ? undefined : new TextDecoder().decode(text) };
  }

  /** In the order of their numbers, from behind `after` on. */
  versionsAfter(after: number, limit: number): StoredVersion[] {
    return this.#sql
      .exec("SELECT body FROM config_version WHERE number > ? ORDER BY number LIMIT ?", after, limit)
      .toArray()
      .flatMap((row) => parseVersion(parseJson(row["body"])) ?? []);
  }

  /** Whether somebody has changed configs here, and not just deployed. */
  hasChanges(): boolean {
    return this.versionsAfter(0, MAX_VERSIONS).some(({ source }) => source !== "deploy");
  }

  /** Beside the log; nothing of it holds. */
  stage(versions: readonly StoredVersion[], chunks: readonly ContentChunk[]): void {
    for (const version of versions) {
      const body = JSON.stringify(version);
      this.#sql.exec("INSERT OR REPLACE INTO staged_version (number, body) VALUES (?, ?)", version.number, body);
    }
    for (const { number, kind, part, bytes } of chunks) {
      this.#sql.exec(
        "INSERT OR REPLACE INTO staged_chunk (number, kind, part, bytes) VALUES (?, ?, ?, ?)",
        number,
        kind,
        part,
        bytes,
      );
    }
  }

  /** Whether no more is staged than the log may hold. */
  fitsStaged(): boolean {
    const count = (sql: string): number => Number(this.#sql.exec(sql).one()["n"]);
    const versions = count("SELECT COUNT(*) AS n FROM staged_version");
    const contents = count("SELECT COUNT(DISTINCT number) AS n FROM staged_chunk");
    // With what is in force and on trial.
    return versions <= MAX_VERSIONS && contents <= MAX_CONTENTS + 2;
  }

  stagedContent(number: number): ConfigContent | undefined {
    return this.#contentIn("staged_chunk", number);
  }

  clearStaged(): void {
    this.#sql.exec("DELETE FROM staged_version");
    this.#sql.exec("DELETE FROM staged_chunk");
  }

  /** The staged log takes the place of this one. False: it has no content of `inForce`. */
  takeStaged(inForce: StagedInForce): boolean {
    if (this.stagedContent(inForce.number) === undefined) return false;
    this.#sql.exec("DELETE FROM config_version");
    this.#sql.exec("INSERT INTO config_version (number, body) SELECT number, body FROM staged_version");
    this.#sql.exec("DELETE FROM config_chunk");
    this.#sql.exec(
      "INSERT INTO config_chunk (number, kind, part, bytes) SELECT number, kind, part, bytes FROM staged_chunk",
    );
    this.clearStaged();
    return true;
  }

  hasContent(number: number): boolean {
    return this.#sql.exec("SELECT 1 FROM config_chunk WHERE number = ? LIMIT 1", number).toArray().length > 0;
  }

  /** These are to be told what is in force. */
  addPushes(originIds: Iterable<string>): void {
    for (const id of originIds) {
      this.#sql.exec("INSERT OR REPLACE INTO config_push (origin_id, attempts) VALUES (?, 0)", id);
    }
  }

  pushes(): { readonly originId: string; readonly attempts: number }[] {
    return this.#sql
      .exec<{ origin_id: string; attempts: number }>("SELECT origin_id, attempts FROM config_push ORDER BY origin_id")
      .toArray()
      .map(({ origin_id: originId, attempts }) => ({ originId, attempts }));
  }

  endPush(originId: string): void {
    this.#sql.exec("DELETE FROM config_push WHERE origin_id = ?", originId);
  }

  failPush(originId: string): void {
    this.#sql.exec("UPDATE config_push SET attempts = attempts + 1 WHERE origin_id = ?", originId);
  }

  /** False: this report of this edge, or a later one, has been counted. */
  hearTrialEdge(edgeId: string, seq: number, nowMs: number): boolean {
    const row = this.#sql.exec("SELECT seq FROM trial_edge WHERE edge_id = ?", edgeId).toArray()[0];
    if (row !== undefined && Number(row["seq"]) >= seq) return false;
    this.#sql.exec(
      "INSERT OR REPLACE INTO trial_edge (edge_id, seq, heard_at_ms) VALUES (?, ?, ?)",
      edgeId,
      seq,
      nowMs,
    );
    this.#sql.exec(
      "DELETE FROM trial_edge WHERE edge_id IN (SELECT edge_id FROM trial_edge ORDER BY heard_at_ms DESC LIMIT -1 OFFSET ?)",
      MAX_TRIAL_EDGES,
    );
    return true;
  }

  #addChunks(number: number, kind: string, bytes: Uint8Array): void {
    for (let part = 0; part * CHUNK_BYTES < Math.max(1, bytes.length); part++) {
      const chunk = bytes.slice(part * CHUNK_BYTES, (part + 1) * CHUNK_BYTES);
      this.#sql.exec(
        "INSERT INTO config_chunk (number, kind, part, bytes) VALUES (?, ?, ?, ?)",
        number,
        kind,
        part,
        chunk,
      );
    }
  }

  #chunks(table: ChunkTable, number: number, kind: string): Uint8Array | undefined {
    const rows = this.#sql
      .exec(`SELECT bytes FROM ${table} WHERE number = ? AND kind = ? ORDER BY part`, number, kind)
      .toArray();
    if (rows.length === 0) return undefined;
    const parts = rows.flatMap(({ bytes }) => (bytes instanceof ArrayBuffer ? [new Uint8Array(bytes)] : []));
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  #read(name: string): unknown {
    const row = this.#sql.exec("SELECT value FROM meta WHERE name = ?", name).toArray()[0];
    return row === undefined ? undefined : parseJson(row["value"]);
  }

  #write(name: string, value: unknown): void {
    this.#sql.exec("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, JSON.stringify(value));
  }
}

const isRatio = (value: unknown): value is number => typeof value === "number" && value > 0 && value <= 1;

function parseTrial(value: unknown): StoredTrial | undefined {
  if (!isRecord(value)) return undefined;
  const { number, shareRatio, startedAtMs, endsAtMs, canary, control } = value;
  if (!isCount(number) || !isRatio(shareRatio) || !isCount(startedAtMs) || !isCount(endsAtMs)) return undefined;
  return { number, shareRatio, startedAtMs, endsAtMs, canary: parseArm(canary), control: parseArm(control) };
}

function parseArm(value: unknown): ArmCounts {
  if (!isRecord(value)) return NO_COUNTS;
  const { requests, failed, throttled } = value;
  return isCount(requests) && isCount(failed) && isCount(throttled) ? { requests, failed, throttled } : NO_COUNTS;
}

const SOURCES: readonly string[] = ["deploy", "apply", "rollback", "trial-ended"];
const isSource = (value: unknown): value is ConfigSource => typeof value === "string" && SOURCES.includes(value);

function parseVersion(value: unknown): StoredVersion | undefined {
  if (!isRecord(value)) return undefined;
  const { number, configVersion, hash, source, author, message, atMs, contentOf, originIds } = value;
  if (!isCount(number) || !isCount(configVersion) || !isCount(atMs) || !isSource(source)) return undefined;
  return {
    number,
    configVersion,
    hash: String(hash),
    source,
    author: String(author),
    message: String(message),
    atMs,
    contentOf: isCount(contentOf) ? contentOf : undefined,
    originIds: Array.isArray(originIds) ? originIds.map(String) : [],
  };
}
