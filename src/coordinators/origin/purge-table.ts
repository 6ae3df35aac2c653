/**
 * Purges of this origin's stored responses (docs/STORAGE.md): the log of `policy/cache/purge`, each purge a row, and its
 * epoch and floors in a row of their own. A purge is stored before the reply that says so. What cannot be read when it
 * comes back is widened: a row counts as a hard purge of everything before it, a lost head of everything before now.
 */
import {
  catchUp,
  type Floor,
  isEpoch,
  newPurgeLog,
  newsSince,
  notePurge,
  parsePurge,
  type PurgeLog,
  type PurgeNews,
  raiseFloor,
} from "../../policy/cache/purge.ts";
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import type { PurgeRecord } from "../../protocol/origin.ts";
import { takeTurn } from "../turn.ts";

/** The row of the epoch and the floors; purges begin with 1. */
const HEAD = 0;
const MAX_WORDS = 500;

export class PurgeTable {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  #log: PurgeLog = newPurgeLog();

  constructor(storage: DurableObjectStorage, nowMs: number) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS purge (epoch INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, body TEXT)");
    this.#load(nowMs);
  }

  get epoch(): number {
    return this.#log.epoch;
  }

  /** Its epoch. */
  add(request: Pick<PurgeRecord, "target" | "mode" | "reason" | "by">, nowMs: number): number {
    const { reason, by } = request;
    const asked = parsePurge({ target: request.target, mode: request.mode, epoch: this.#log.epoch + 1 });
    if (asked === undefined || reason.length > MAX_WORDS || by.length > MAX_WORDS) {
      throw new TypeError("purge refused: malformed");
    }
    this.#change(nowMs, () => {
      notePurge(this.#log, { ...asked, atMs: nowMs }, nowMs);
      return { ...asked, reason, by };
    });
    return asked.epoch;
  }

  newsSince(since: number, nowMs: number): PurgeNews {
    if (!isEpoch(since)) throw new TypeError("purges refused: since what?");
    if (since > this.#log.epoch) {
      this.#change(nowMs, () => {
        catchUp(this.#log, since, nowMs);
        return undefined;
      });
    }
    return newsSince(this.#log, since, nowMs);
  }

  /** What was stored under a lower epoch counts as purged for good: nobody knows any more what the purges were. */
  widen(epoch: number, nowMs: number): void {
    if (!isEpoch(epoch)) throw new TypeError("purges refused: to what epoch?");
    if (epoch <= this.#log.epoch) return;
    this.#change(nowMs, () => {
      raiseFloor(this.#log, "hard", { epoch, atMs: nowMs });
      return undefined;
    });
  }

  list(): readonly PurgeRecord[] {
    return this.#rows().flatMap(({ atMs, body }): PurgeRecord[] => {
      const purge = parsePurge(body);
      if (purge === undefined || !isRecord(body)) return [];
      return [{ ...purge, atMs, reason: String(body["reason"]), by: String(body["by"]) }];
    });
  }

  /** Stores what `change` did to the log: the purge it added, the head, and that what fell out is gone. */
  #change(nowMs: number, change: () => Omit<PurgeRecord, "atMs"> | undefined): void {
    const reload = (): void => {
      this.#load(nowMs);
    };
    takeTurn(this.#storage, reload, () => {
      const added = change();
      const persist = (): void => {
        const { epoch, soft, hard } = this.#log;
        if (added !== undefined) this.#write(added.epoch, nowMs, added);
        this.#write(HEAD, nowMs, { epoch, soft: soft.floor, hard: hard.floor });
        const kept = new Set([...soft.byTarget.values(), ...hard.byTarget.values()].map((purge) => purge.epoch));
        for (const row of this.#rows()) {
          if (!kept.has(row.epoch)) this.#sql.exec("DELETE FROM purge WHERE epoch = ?", row.epoch);
        }
      };
      return { reply: undefined, persist };
    });
  }

  #write(epoch: number, atMs: number, body: unknown): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO purge (epoch, at_ms, body) VALUES (?, ?, ?)",
      epoch,
      atMs,
      JSON.stringify(body),
    );
  }

  /** In the order of their epochs; without the head. */
  #rows(): readonly { readonly epoch: number; readonly atMs: number; readonly body: unknown }[] {
    return this.#sql
      .exec<{ epoch: number; at: number; body: string }>(
        "SELECT epoch, at_ms AS at, body FROM purge WHERE epoch > ? ORDER BY epoch",
        HEAD,
      )
      .toArray()
      .map(({ epoch, at, body }) => ({ epoch, atMs: at, body: parseJson(body) }));
  }

  #load(nowMs: number): void {
    const log = newPurgeLog();
    for (const { epoch, atMs, body } of this.#rows()) {
      const purge = parsePurge(body);
      if (purge?.epoch === epoch) notePurge(log, { ...purge, atMs }, nowMs);
      else raiseFloor(log, "hard", { epoch, atMs });
    }
    this.#loadHead(log, nowMs);
    this.#log = log;
  }

  #loadHead(log: PurgeLog, nowMs: number): void {
    const [row] = this.#sql.exec<{ body: string }>("SELECT body FROM purge WHERE epoch = ?", HEAD).toArray();
    if (row === undefined && log.epoch === 0) return;
    const head = parseJson(row?.body);
    const [epoch, soft, hard] = isRecord(head)
      ? [head["epoch"], parseFloor(head["soft"]), parseFloor(head["hard"])]
      : [];
    if (!isEpoch(epoch) || soft === undefined || hard === undefined) {
      raiseFloor(log, "hard", { epoch: log.epoch + 1, atMs: nowMs });
      return;
    }
    log.epoch = Math.max(log.epoch, epoch);
    raiseFloor(log, "soft", soft);
    raiseFloor(log, "hard", hard);
  }
}

function parseFloor(value: unknown): Floor | undefined {
  if (!isRecord(value)) return undefined;
  const { epoch, atMs } = value;
  return isEpoch(epoch) && typeof atMs === "number" ? { epoch, atMs } : undefined;
}
