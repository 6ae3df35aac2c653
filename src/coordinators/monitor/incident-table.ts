/** The Monitor object's table of breakers and their incidents (docs/STORAGE.md); all of them are in memory, too. */
import { breakerConditions } from "../../policy/alerting/conditions.ts";
import type { Condition } from "../../policy/alerting/types.ts";
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import {
  type HeardBreaker,
  hearTransition,
  type HeardTransition,
  newOutages,
  noteTold,
  type Outages,
} from "../../policy/objectives/incidents.ts";
import type { Incident } from "../../policy/objectives/types.ts";

/** One row: what changes together is written together, and seldom. */
const ROW = "outages";

export class IncidentTable {
  readonly #sql: SqlStorage;
  #outages: Outages;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS outages (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID");
    this.#outages = this.#load();
  }

  /** Call it inside the transaction of the turn that judges what follows from it. */
  hear(heard: HeardTransition): void {
    if (hearTransition(this.#outages, heard)) this.#save();
  }

  /** The first try to tell of a breaker. */
  noteTold(originId: string, pop: string | undefined, atMs: number): void {
    if (noteTold(this.#outages, originId, pop, atMs)) this.#save();
  }

  conditions(nowMs: number): readonly Condition[] {
    return breakerConditions(this.#outages.breakers.values(), this.#outages.incidents, nowMs);
  }

  /** The newest first. */
  list(): readonly Incident[] {
    return this.#outages.incidents.toReversed();
  }

  /** Back to what is stored, after a turn that failed. */
  reload(): void {
    this.#outages = this.#load();
  }

  #save(): void {
    const { breakers, incidents } = this.#outages;
    const body = JSON.stringify({ breakers: [...breakers.values()], incidents });
    this.#sql.exec("INSERT OR REPLACE INTO outages (name, body) VALUES (?, ?)", ROW, body);
  }

  #load(): Outages {
    const outages = newOutages();
    const stored = parseJson(this.#sql.exec("SELECT body FROM outages").toArray()[0]?.["body"]);
    if (!isRecord(stored)) return outages;
    const { breakers, incidents } = stored;
    for (const value of Array.isArray(breakers) ? breakers : []) {
      const breaker = parseBreaker(value);
      if (breaker !== undefined) outages.breakers.set(breaker.originId, breaker);
    }
    for (const value of Array.isArray(incidents) ? incidents : []) {
      const incident = parseIncident(value);
      if (incident !== undefined) outages.incidents.push(incident);
    }
    return outages;
  }
}

function parseBreaker(value: unknown): HeardBreaker | undefined {
  if (!isRecord(value)) return undefined;
  const { originId, to, atMs, epoch, reason, by } = value;
  if (typeof originId !== "string" || typeof to !== "string") return undefined;
  if (typeof atMs !== "number" || typeof epoch !== "number") return undefined;
  return { originId, to, atMs, epoch, reason: String(reason), by: typeof by === "string" ? by : undefined };
}

function parseIncident(value: unknown): Incident | undefined {
  if (!isRecord(value)) return undefined;
  const { originId, pop, beganAtMs, detectedAtMs, toldAtMs, recoveredAtMs, reason, byHand } = value;
  if (typeof originId !== "string" || typeof beganAtMs !== "number" || typeof detectedAtMs !== "number") {
    return undefined;
  }
  return {
    originId,
    pop: typeof pop === "string" ? pop : undefined,
    beganAtMs,
    detectedAtMs,
    toldAtMs: typeof toldAtMs === "number" ? toldAtMs : undefined,
    recoveredAtMs: typeof recoveredAtMs === "number" ? recoveredAtMs : undefined,
    reason: String(reason),
    byHand: byHand === true,
  };
}
