/**
 * The index's tables (docs/STORAGE.md). Everything is found by a key, and a page looks at a bounded number of rows, so a
 * million tenants take no longer than ten: where a search or a filter passes many by, a page is short and says where to
 * go on.
 */
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import type {
  KeptTenant,
  RemovedTenant,
  TenantProfile,
  TenantQuery,
  TenantRow,
  TenantStanding,
  TenantWrite,
} from "../../protocol/tenant-index.ts";
import { wordsOfTenant, wordsSearched } from "../../protocol/tenant-words.ts";

const SCHEMA_VERSION = 1;
/** Of tenants that were removed so many are remembered; the oldest give way. */
const MAX_REMOVED = 1_000_000;

/** Rows one page looks at, whether or not they belong in it: about 10 ms. */
const MAX_SCANNED = 1_000;
/** Of several words the rarest leads; rows are counted up to this. */
const COUNTED = 1_000;
/** No word has it, so the words that begin with `word` are those between `word` and `word` with this behind it. */
const LAST_CHARACTER = "\u{10FFFF}";

/** A row as SQLite has it. */
type Stored = {
  id: string;
  plan: string;
  body: string | null;
  settings: string | null;
  label: string;
  suspended: string | null;
  live: number;
  created_at_ms: number;
  updated_at_ms: number;
};
const COLUMNS = "id, plan, body, settings, label, suspended, live, created_at_ms, updated_at_ms";

/** What decides whether a row belongs in a page, and where it is. */
type Candidate = { place: string; id: string; plan: string; label: string; suspended: string | null };

export type Written = "created" | "changed" | "same";

export class TenantIndexStorage {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS tenant (
        id TEXT PRIMARY KEY, plan TEXT NOT NULL, body TEXT, settings TEXT, label TEXT NOT NULL, suspended TEXT,
        born INTEGER NOT NULL, revision INTEGER NOT NULL, live INTEGER NOT NULL,
        created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL);
      CREATE INDEX IF NOT EXISTS tenant_plan ON tenant (plan, id);
      CREATE INDEX IF NOT EXISTS tenant_suspended ON tenant (id) WHERE suspended IS NOT NULL;
      CREATE TABLE IF NOT EXISTS word (word TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (word, id)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS plan_count (plan TEXT PRIMARY KEY, tenants INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS removed_tenant (
        place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS push (id TEXT PRIMARY KEY, attempts INTEGER NOT NULL) WITHOUT ROWID;
    `);
    this.#sql.exec("INSERT OR IGNORE INTO meta (name, value) VALUES ('schema', ?), ('revision', 0)", SCHEMA_VERSION);
  }

  get(id: string): TenantRow | undefined {
    const row = this.#stored(id);
    return row === undefined ? undefined : rowOf(row);
  }

  standing(id: string): TenantStanding | undefined {
    const row = this.#sql
      .exec<{
        body: string | null;
        suspended: string | null;
        born: number;
        revision: number;
      }>("SELECT body, suspended, born, revision FROM tenant WHERE id = ?", id)
      .toArray()[0];
    if (row === undefined) return undefined;
    const { revision, born } = row;
    return { revision, born, profile: profileOf(row.body), suspended: row.suspended !== null };
  }

  /** Its coordinator has asked, or was told, and is told of changes from now on. */
  noteLive(id: string): void {
    this.#sql.exec("UPDATE tenant SET live = 1 WHERE id = ? AND live = 0", id);
  }

  write({ id, profile, settings, label }: TenantWrite, nowMs: number): Written {
    const body = JSON.stringify(profile);
    const known = this.#stored(id);
    if (known === undefined) {
      this.#insert({ id, plan: profile.plan, body, settings, label }, nowMs);
      return "created";
    }
    if (known.body === body && known.settings === settings && known.label === label) return "same";
    if (known.label !== label) this.#forgetWords(known);
    this.#sql.exec(
      "UPDATE tenant SET plan = ?, body = ?, settings = ?, label = ?, revision = ?, updated_at_ms = ? WHERE id = ?",
      profile.plan,
      body,
      settings,
      label,
      this.nextRevision(),
      nowMs,
      id,
    );
    if (known.label !== label) this.#addWords({ id, label });
    if (known.plan !== profile.plan) {
      this.#count(known.plan, -1);
      this.#count(profile.plan, 1);
    }
    if (known.live === 1) this.addPush(id);
    return "changed";
  }

  /** A row for a tenant of the config file, which has no profile. */
  insertBare(id: string, nowMs: number): void {
    this.#insert({ id, plan: "", body: null, settings: null, label: "" }, nowMs);
  }

  suspend(id: string, reason: string | undefined, nowMs: number): void {
    this.#sql.exec(
      "UPDATE tenant SET suspended = ?, revision = ?, updated_at_ms = ?, live = 1 WHERE id = ?",
      reason ?? null,
      this.nextRevision(),
      nowMs,
      id,
    );
    this.addPush(id);
  }

  /** In order of id, from behind `after` on. */
  backup(after: string, limit: number): KeptTenant[] {
    return this.#sql
      .exec<Stored & { live: number }>(
        `SELECT ${COLUMNS}, live FROM tenant WHERE id > ? ORDER BY id LIMIT ?`,
        after,
        limit,
      )
      .toArray()
      .map((row) => ({ ...rowOf(row), live: row.live === 1 }));
  }

  removed(after: string, limit: number): RemovedTenant[] {
    return this.#sql
      .exec<{ id: string; at_ms: number }>(
        "SELECT id, at_ms FROM removed_tenant WHERE id > ? ORDER BY id LIMIT ?",
        after,
        limit,
      )
      .toArray()
      .map(({ id, at_ms: atMs }) => ({ id, atMs }));
  }

  noteRemoved({ id, atMs }: RemovedTenant): void {
    this.#sql.exec("INSERT OR IGNORE INTO removed_tenant (id, at_ms) VALUES (?, ?)", id, atMs);
    this.#sql.exec(
      "DELETE FROM removed_tenant WHERE place <= (SELECT MAX(place) FROM removed_tenant) - ?",
      MAX_REMOVED,
    );
  }

  setTimes({ id, createdAtMs, updatedAtMs }: Pick<TenantRow, "id" | "createdAtMs" | "updatedAtMs">): void {
    this.#sql.exec("UPDATE tenant SET created_at_ms = ?, updated_at_ms = ? WHERE id = ?", createdAtMs, updatedAtMs, id);
  }

  /** Coordinators that outlived this index take nothing older than what they have. */
  raiseRevision(least: number): void {
    this.#sql.exec("UPDATE meta SET value = MAX(value, ?) WHERE name = 'revision'", least);
  }

  /** False: there was none. */
  remove(id: string, nowMs: number): boolean {
    const row = this.#stored(id);
    if (row === undefined) return false;
    this.#forgetWords(row);
    this.#sql.exec("DELETE FROM tenant WHERE id = ?", id);
    this.#count(row.plan, -1);
    if (row.body !== null) this.noteRemoved({ id, atMs: nowMs });
    this.addPush(id);
    return true;
  }

  list(query: TenantQuery): { tenants: TenantRow[]; next: string | undefined } {
    const { plan, suspended, limit } = query;
    const words = wordsSearched(query.words);
    const belongs = (row: Candidate): boolean =>
      (plan === undefined || row.plan === plan) && (suspended === undefined || (row.suspended !== null) === suspended);
    const { rows, matches, cursorOf } =
      words.length === 0 ? this.#inOrder(query) : this.#withWords(words, query.after ?? "");
    const ids: string[] = [];
    let scanned = 0;
    let last: string | undefined;
    let next: string | undefined;
    for (const row of rows) {
      if (ids.length >= limit || scanned >= MAX_SCANNED) {
        next = last;
        break;
      }
      scanned++;
      last = cursorOf(row);
      if (belongs(row) && matches(row)) ids.push(row.id);
    }
    return { tenants: ids.flatMap((id) => this.get(id) ?? []), next };
  }

  /** Why they are suspended, of those that are. */
  suspensions(ids: readonly string[]): Record<string, string> {
    const reasons: Record<string, string> = {};
    for (const id of ids) {
      const { suspended } = this.#stored(id) ?? {};
      if (suspended !== undefined && suspended !== null) reasons[id] = suspended;
    }
    return reasons;
  }

  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    const rows = this.#sql.exec<{ plan: string; tenants: number }>(
      "SELECT plan, tenants FROM plan_count WHERE tenants > 0 AND plan <> ''",
    );
    for (const { plan, tenants } of rows) counts[plan] = tenants;
    return counts;
  }

  nextRevision(): number {
    const { value } = this.#sql
      .exec<{ value: number }>("UPDATE meta SET value = value + 1 WHERE name = 'revision' RETURNING value")
      .one();
    return value;
  }

  addPush(id: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO push (id, attempts) VALUES (?, 0)", id);
  }

  /** Those that failed least come first. */
  pushes(limit: number): { readonly id: string; readonly attempts: number }[] {
    return this.#sql
      .exec<{ id: string; attempts: number }>("SELECT id, attempts FROM push ORDER BY attempts, id LIMIT ?", limit)
      .toArray();
  }

  endPush(id: string): void {
    this.#sql.exec("DELETE FROM push WHERE id = ?", id);
  }

  failPush(id: string): void {
    this.#sql.exec("UPDATE push SET attempts = attempts + 1 WHERE id = ?", id);
  }

  #stored(id: string): Stored | undefined {
    return this.#sql.exec<Stored>(`SELECT ${COLUMNS} FROM tenant WHERE id = ?`, id).toArray()[0];
  }

  /** By the index that passes the fewest by. */
  #inOrder({ plan, suspended, after }: TenantQuery): Search {
    const columns = "SELECT id AS place, id, plan, label, suspended FROM tenant";
    const from = after ?? "";
    const rows =
      suspended === true
        ? this.#sql.exec<Candidate>(`${columns} WHERE suspended IS NOT NULL AND id > ? ORDER BY id`, from)
        : plan === undefined
          ? this.#sql.exec<Candidate>(`${columns} WHERE id > ? ORDER BY id`, from)
          : this.#sql.exec<Candidate>(`${columns} WHERE plan = ? AND id > ? ORDER BY id`, plan, from);
    return { rows, matches: () => true, cursorOf: ({ id }) => id };
  }

  /** In order of the words that begin like the rarest one; the cursor says which of them that is. */
  #withWords(words: readonly string[], after: string): Search {
    const place = placeOf(after, words);
    const leader = place?.leader ?? this.#rarest(words);
    const first = words[leader] ?? "";
    const rows = this.#sql.exec<Candidate>(
      `SELECT word.word AS place, tenant.id AS id, plan, label, suspended
       FROM word CROSS JOIN tenant ON tenant.id = word.id
       WHERE (word.word, word.id) > (?, ?) AND word.word < ? ORDER BY word.word, word.id`,
      place?.word ?? first,
      place?.id ?? "",
      first + LAST_CHARACTER,
    );
    return {
      rows,
      matches: ({ id, label, place: word }) => {
        const own = wordsOfTenant(id, label);
        // Once, though several of its words may begin like the first.
        if (own.find((one) => one.startsWith(first)) !== word) return false;
        return words.every((wanted) => own.some((one) => one.startsWith(wanted)));
      },
      cursorOf: ({ place: word, id }) => `${leader} ${word} ${id}`,
    };
  }

  #rarest(words: readonly string[]): number {
    const counts = words.map(
      (word) =>
        this.#sql
          .exec<{
            rows: number;
          }>(
            "SELECT count(*) AS rows FROM (SELECT 1 FROM word WHERE word >= ? AND word < ? LIMIT ?)",
            word,
            word + LAST_CHARACTER,
            COUNTED,
          )
          .one().rows,
    );
    return counts.indexOf(Math.min(...counts));
  }

  #insert({ id, plan, body, settings, label }: Omit<Stored, "suspended" | Times>, nowMs: number): void {
    const revision = this.nextRevision();
    this.#sql.exec(
      `INSERT INTO tenant (id, plan, body, settings, label, suspended, born, revision, live, created_at_ms, updated_at_ms)
       VALUES (?, ?, ?, ?, ?, NULL, ?, ?, 0, ?, ?)`,
      id,
      plan,
      body,
      settings,
      label,
      revision,
      revision,
      nowMs,
      nowMs,
    );
    this.#addWords({ id, label });
    this.#count(plan, 1);
    if (body !== null) this.#sql.exec("DELETE FROM removed_tenant WHERE id = ?", id);
  }

  #count(plan: string, by: number): void {
    this.#sql.exec(
      "INSERT INTO plan_count (plan, tenants) VALUES (?, ?) ON CONFLICT (plan) DO UPDATE SET tenants = tenants + excluded.tenants",
      plan,
      by,
    );
  }

  #addWords({ id, label }: Pick<Stored, "id" | "label">): void {
    for (const word of wordsOfTenant(id, label)) {
      this.#sql.exec("INSERT OR IGNORE INTO word (word, id) VALUES (?, ?)", word, id);
    }
  }

  #forgetWords({ id, label }: Pick<Stored, "id" | "label">): void {
    for (const word of wordsOfTenant(id, label)) {
      this.#sql.exec("DELETE FROM word WHERE word = ? AND id = ?", word, id);
    }
  }
}

type Times = "live" | "created_at_ms" | "updated_at_ms";

interface Search {
  readonly rows: Iterable<Candidate>;
  readonly matches: (row: Candidate) => boolean;
  readonly cursorOf: (row: Candidate) => string;
}

/** Undefined: it is no cursor of this search, which then begins anew. */
function placeOf(
  cursor: string,
  words: readonly string[],
): { readonly leader: number; readonly word: string; readonly id: string } | undefined {
  const [leaderText, word, id] = cursor.split(" ");
  const leader = Number(leaderText);
  const first = words[leader];
  if (word === undefined || id === undefined || first === undefined || !word.startsWith(first)) return undefined;
  return { leader, word, id };
}

function rowOf(stored: Stored): TenantRow {
  const { id, body, settings, label, suspended, created_at_ms: createdAtMs, updated_at_ms: updatedAtMs } = stored;
  const profile = profileOf(body);
  return {
    id,
    profile: parseRecord(settings) === undefined ? undefined : profile,
    settings: profile === undefined ? undefined : (settings ?? undefined),
    label,
    suspended: suspended ?? undefined,
    createdAtMs,
    updatedAtMs,
  };
}

/** One that cannot be read is of no tenant: refused until it is written again, and the others are not held up by it. */
function profileOf(body: string | null): TenantProfile | undefined {
  const value = parseRecord(body);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own profile, checked by the admin API before we wrote it
  return typeof value?.["plan"] === "string" ? (value as unknown as TenantProfile) : undefined;
}

function parseRecord(text: string | null): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(text);
  return isRecord(value) ? value : undefined;
}
