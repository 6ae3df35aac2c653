/**
 * What the Monitor object is to hear of this origin's breaker (docs/STORAGE.md): stored in the transaction that stores the
 * transition, told behind the reply or by alarm, in order, one at a time, until it has been heard; the last one may be told
 * again. And how often each transition happened. Away, the Monitor misses nothing but the oldest of more than MAX_NEWS.
 */
import type { Env } from "../../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../../platform/coordinators.ts";
import type { PopOpening, Transition } from "../../policy/breaker/state-machine.ts";
import { backoff } from "../../policy/kernel/backoff.ts";
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import { type BreakerNews, MONITOR_OBJECT } from "../../protocol/monitor.ts";
import { type BreakerNewsCounts, MAX_TRANSITION_KINDS, type TransitionCount } from "../../protocol/origin.ts";
import { parseTransition } from "./storage.ts";

const MAX_NEWS = 200;
const TELL_DEADLINE_MS = 2_000;
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** The alarm is for what the try behind the reply did not bring about. */
const ALARM_AFTER_MS = 3_000;

export class NewsTable {
  readonly #storage: DurableObjectStorage;
  readonly #env: Env;
  #waiting: number;
  #isTelling = false;
  #failures = 0;
  /** In a row. */
  #failed = 0;
  /** The next try is not before. */
  #tryAtMs = 0;

  constructor(storage: DurableObjectStorage, env: Env) {
    this.#storage = storage;
    this.#env = env;
    storage.sql.exec(`
      CREATE TABLE IF NOT EXISTS news (number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS transition_count (
        name TEXT PRIMARY KEY, count INTEGER NOT NULL
      ) WITHOUT ROWID;
    `);
    this.#waiting = this.#countWaiting();
  }

  /** Inside the transaction that stores what it is about. `originId`: undefined: nobody is told. */
  add(
    originId: string | undefined,
    transitions: readonly Transition[],
    openings: readonly PopOpening[],
    nowMs: number,
  ): void {
    for (const transition of transitions) this.#count(transition);
    for (const { transition } of openings) this.#count(transition);
    if (originId === undefined || this.#env.MONITOR === undefined) return;
    const news: readonly BreakerNews[] = [
      ...transitions.map((transition) => ({
        originId,
        transition,
        sinceMs: transition.sinceMs ?? transition.atMs,
      })),
      ...openings.map((opening) => ({
        originId,
        ...opening,
        sinceMs: opening.transition.sinceMs ?? opening.transition.atMs,
      })),
    ];
    for (const one of news) this.#sql("INSERT INTO news (body) VALUES (?)", JSON.stringify(one));
    this.#trim();
    if (this.#waiting === 0) this.#tryAtMs = nowMs;
    this.#waiting = this.#countWaiting();
  }

  /** Undefined: nothing waits. */
  alarmAtMs(): number | undefined {
    return this.#waiting === 0 ? undefined : this.#tryAtMs + ALARM_AFTER_MS;
  }

  /** Tells what waits, if it is time to. Does not reject. */
  async tell(): Promise<void> {
    if (this.#isTelling || this.#waiting === 0 || Date.now() < this.#tryAtMs) return;
    this.#isTelling = true;
    try {
      for (let next = this.#oldest(); next !== undefined; next = this.#oldest()) {
        if (next.news !== undefined) {
          const call = callCoordinator(this.#env, "MONITOR", MONITOR_OBJECT, "hearBreaker", { v: 1, news: next.news });
          await withDeadline(call, TELL_DEADLINE_MS);
        }
        this.#sql("DELETE FROM news WHERE number = ?", next.number);
        this.#failed = 0;
      }
    } catch {
      // Tried again by alarm, later each time.
      this.#failures++;
      this.#failed++;
      this.#tryAtMs = Date.now() + backoff(this.#failed, RETRY_MS, RETRY_MAX_MS);
    } finally {
      this.#waiting = this.#countWaiting();
      this.#isTelling = false;
    }
  }

  counts(): BreakerNewsCounts {
    return { waiting: this.#waiting, dropped: this.#amount(DROPPED), failures: this.#failures };
  }

  transitions(): readonly TransitionCount[] {
    const rows = this.#sql("SELECT name, count FROM transition_count WHERE name != ?", DROPPED);
    return rows.toArray().flatMap(({ name, count }) => {
      const parts = parseJson(name);
      if (!Array.isArray(parts)) return [];
      const [from, to, reason] = parts.map(String);
      return from === undefined || to === undefined || reason === undefined
        ? []
        : [{ from, to, reason, count: Number(count) }];
    });
  }

  #count({ from, to, reason, by }: Transition): void {
    const word = by === undefined ? reason : to.startsWith("forced-") ? "forced" : "reset";
    this.#grow(JSON.stringify([from, to, word]), 1);
  }

  /** A kind of transition beyond the bound, which no release has, is not counted. */
  #grow(name: string, by: number): void {
    this.#sql(
      `INSERT INTO transition_count (name, count) SELECT ?, ?
         WHERE (SELECT COUNT(*) FROM transition_count) <= ? OR EXISTS (SELECT 1 FROM transition_count WHERE name = ?)
       ON CONFLICT (name) DO UPDATE SET count = count + excluded.count`,
      name,
      by,
      MAX_TRANSITION_KINDS,
      name,
    );
  }

  #amount(name: string): number {
    const row = this.#sql("SELECT count FROM transition_count WHERE name = ?", name).toArray()[0];
    return Number(row?.["count"] ?? 0);
  }

  #trim(): void {
    const beyond = this.#countWaiting() - MAX_NEWS;
    if (beyond <= 0) return;
    this.#sql("DELETE FROM news WHERE number IN (SELECT number FROM news ORDER BY number LIMIT ?)", beyond);
    this.#grow(DROPPED, beyond);
  }

  #countWaiting(): number {
    return Number(this.#sql("SELECT COUNT(*) AS n FROM news").one()["n"]);
  }

  #oldest(): { readonly number: number; readonly news: BreakerNews | undefined } | undefined {
    const row = this.#sql("SELECT number, body FROM news ORDER BY number LIMIT 1").toArray()[0];
    return row === undefined ? undefined : { number: Number(row["number"]), news: parseNews(row["body"]) };
  }

  #sql(query: string, ...bindings: readonly (string | number)[]): SqlStorageCursor<Record<string, SqlStorageValue>> {
    return this.#storage.sql.exec(query, ...bindings);
  }
}

/** Counted beside the transitions: no transition is called so. */
const DROPPED = "dropped";

function parseNews(text: unknown): BreakerNews | undefined {
  const value = parseJson(text);
  if (!isRecord(value)) return undefined;
  const { originId, pop, sinceMs, untilMs } = value;
  const transition = parseTransition(value["transition"]);
  if (typeof originId !== "string" || typeof sinceMs !== "number" || transition === undefined) return undefined;
  return {
    originId,
    transition,
    sinceMs,
    ...(typeof pop === "string" ? { pop } : {}),
    ...(typeof untilMs === "number" ? { untilMs } : {}),
  };
}
