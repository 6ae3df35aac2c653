/** Maintenance of this origin and of its routes (docs/STORAGE.md). Few, so all of them are in memory, too. */
import {
  type Maintenance,
  MAX_ALLOWED,
  type Placed,
  placeMaintenance,
  viewMaintenance,
  type ViewedMaintenance,
  withoutMaintenance,
} from "../../policy/degradation/maintenance.ts";
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import type { MaintenanceAsked } from "../../protocol/origin.ts";

/** A row's key where a maintenance is the whole origin's: no route can be called so. */
const WHOLE_ORIGIN = "";
const LONGEST_MS = 30 * 86_400_000;
/** One may be set this long before it starts. */
const AHEAD_MS = 90 * 86_400_000;

export class MaintenanceTable {
  readonly #storage: DurableObjectStorage;
  #all: readonly Maintenance[];

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS maintenance (route TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
    );
    this.#all = this.#load();
  }

  /** Not those that have ended. */
  all(nowMs: number): readonly Maintenance[] {
    return this.#all.filter(({ endsAtMs }) => endsAtMs > nowMs);
  }

  view(nowMs: number): readonly ViewedMaintenance[] | undefined {
    return this.#all.length === 0 ? undefined : viewMaintenance(this.#all, nowMs);
  }

  place({ startInMs, forMs, ...asked }: MaintenanceAsked, nowMs: number): Placed {
    if (!(startInMs >= 0 && startInMs <= AHEAD_MS && forMs > 0 && forMs <= LONGEST_MS)) {
      throw new RangeError("maintenance refused: it starts within 90 days, and lasts up to 30");
    }
    if (asked.allow.length > MAX_ALLOWED) throw new RangeError("maintenance refused: its allow-list is too long");
    const startsAtMs = nowMs + startInMs;
    const placed = placeMaintenance(
      this.#all,
      { ...asked, startsAtMs, endsAtMs: startsAtMs + forMs, setAtMs: nowMs },
      nowMs,
    );
    if (placed.kind === "placed") this.#replace(placed.all);
    return placed;
  }

  /** False: there was none in force, nor to come. */
  remove(routeId: string | undefined, nowMs: number): boolean {
    const known = this.all(nowMs).some((one) => one.routeId === routeId);
    if (known) this.#replace(withoutMaintenance(this.#all, routeId, nowMs));
    return known;
  }

  #replace(all: readonly Maintenance[]): void {
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec("DELETE FROM maintenance");
      for (const { routeId, ...body } of all) {
        this.#storage.sql.exec(
          "INSERT INTO maintenance (route, body) VALUES (?, ?)",
          routeId ?? WHOLE_ORIGIN,
          JSON.stringify(body),
        );
      }
    });
    this.#all = all;
  }

  /** One that cannot be read is as if it had ended: an origin is never held back by mistake. */
  #load(): readonly Maintenance[] {
    const rows = this.#storage.sql.exec<{ route: string; body: string }>("SELECT route, body FROM maintenance");
    return rows.toArray().flatMap(({ route, body }) => parse(route, body) ?? []);
  }
}

function parse(route: string, text: string): Maintenance | undefined {
  const body = parseJson(text);
  if (!isRecord(body)) return undefined;
  const { startsAtMs, endsAtMs, setAtMs, allow, pageOnly, reason, by } = body;
  if (typeof startsAtMs !== "number" || typeof endsAtMs !== "number" || !Array.isArray(allow)) return undefined;
  return {
    routeId: route === WHOLE_ORIGIN ? undefined : route,
    startsAtMs,
    endsAtMs,
    allow: allow.map(String),
    pageOnly: pageOnly === true,
    reason: String(reason),
    by: String(by),
    setAtMs: typeof setAtMs === "number" ? setAtMs : startsAtMs,
  };
}
