/**
 * State of origin × state of cache → what is served, with which headers: every cell of the table in `docs/outages.md`, on
 * workerd, with origins that really fail, breakers that really tripped, and snapshots that really went through KV.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import type { BreakerView } from "../../src/admin/contract.ts";
import { BrokenOrigin, type OriginMode } from "../support/broken-origin.ts";
import { ADMIN, configOf, snapshotsInKv, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { type Answer, COLUMNS, type ColumnId, HEADERS, type Row, ROWS } from "../support/outage-table.ts";
import type { Rung } from "../../src/policy/degradation/ladder.ts";
import { type Outcome, send } from "../support/traffic.ts";

/** Edges: most requests come here; this one fills the snapshots; this one reaches no origin's coordinator. */
const HERE = 0;
const ELSEWHERE = 1;
const CUT_OFF = 2;
/** What the origins say of the age of their answers. */
const AGE_SECONDS = 100;
const AGE_LEEWAY_SECONDS = 60;
const PAGE_RETRY_SECONDS = 30;
const PLAIN_RETRY_SECONDS = 5;
const CALLER = "192.0.2.1";

/** One way to be in the state of a row. */
interface Way {
  readonly row: string;
  readonly id: string;
  /** Of the origin, and of the breaker in front of it. */
  readonly settings?: { readonly deadline?: string; readonly concurrency?: number; readonly breaker?: object };
  readonly edge?: number;
  /** Brings the state about; returns who calls from then on. */
  readonly breakIt?: (site: Site) => Promise<string | undefined> | Promise<void>;
  /** Nobody can count at a closed port. */
  readonly uncounted?: true;
  /** When to come again, where that is later than the page and the plain refusal say by themselves. */
  readonly retrySeconds?: readonly [least: number, most: number];
}

/** An origin of its own for each way, behind two breakers: the second has a failover. */
class Site {
  readonly way: Way;
  readonly origin = new BrokenOrigin();
  readonly outcomes = new Map<ColumnId, Outcome[]>();
  caller = CALLER;

  constructor(way: Way) {
    this.way = way;
    this.origin.headersOf = headersOf;
  }

  get breakers(): readonly string[] {
    return [this.way.id, `${this.way.id}-backed`];
  }

  get(column: ColumnId, name = "page", caller = this.caller, edge = this.way.edge ?? HERE): Promise<Outcome> {
    const url = `${gateway.urls[edge]}/${this.way.id}/${column}/${name}`;
    return send(undefined, url, { headers: { "cf-connecting-ip": caller } });
  }

  callsTo(column: ColumnId, name: string): number {
    return this.origin.arrivals.filter(({ path }) => path === `/${this.way.id}/${column}/${name}`).length;
  }
}

/** By the column that stands in the path; strict has two kinds. */
function headersOf(path: string): Record<string, string> {
  const [, , column, name] = path.split("/");
  const age = String(AGE_SECONDS);
  switch (column) {
    case "fresh":
      return { age, "cache-control": "max-age=3600" };
    case "revalidating":
      return { age, "cache-control": "max-age=0, stale-while-revalidate=3600" };
    case "stale":
      return { age, "cache-control": "max-age=0, stale-if-error=3600" };
    case "strict":
      return { age, "cache-control": name === "s-maxage" ? "s-maxage=0" : "max-age=0, must-revalidate" };
    default:
      return { age, "cache-control": "max-age=0" };
  }
}

const NAMES: Readonly<Partial<Record<ColumnId, readonly string[]>>> = { strict: ["must-revalidate", "s-maxage"] };
const namesOf = (column: ColumnId): readonly string[] => NAMES[column] ?? ["page"];
/** What has been stored before the origin fails, and through which edge. */
const STORED_HERE: readonly ColumnId[] = ["fresh", "revalidating", "stale", "strict"];

/** So that no evidence of a few requests moves the breaker. */
const STEADY = { tripScore: 1_000, popTripScore: 1_000 };
const TRIPS = { tripScore: 3, popTripScore: 1_000, closeAfter: 1 };

const turns =
  (mode: OriginMode) =>
  async ({ origin }: Site): Promise<void> => {
    origin.mode = mode;
  };
const fails = (row: string, id: OriginMode, more: Partial<Way> = {}): Way => ({
  row,
  id: `m-${id}`,
  breakIt: turns(id),
  ...more,
});

const WAYS: readonly Way[] = [
  { row: "healthy", id: "healthy" },
  fails("slow", "slow-headers"),
  fails("hangs", "hang", { settings: { deadline: "1500ms" } }),
  fails("refuses", "reset"),
  { row: "refuses", id: "killed", uncounted: true, breakIt: ({ origin }) => origin.kill() },
  fails("5xx", "500"),
  fails("5xx", "503"),
  fails("cut", "cut"),
  fails("cut", "chunked-cut"),
  {
    row: "open",
    id: "open",
    settings: { breaker: { ...TRIPS, backoff: "60s", maxBackoff: "60s" } },
    breakIt: (site) => trip(site, "ok", ["open"]),
    retrySeconds: [30, 72],
  },
  {
    row: "half-open",
    id: "half-open",
    // The coordinator's own probe hangs for so long, and nobody else may ask meanwhile.
    settings: { deadline: "10s", breaker: { ...TRIPS, backoff: "50ms" } },
    breakIt: holdAndTrip,
  },
  {
    row: "half-open",
    id: "ramp",
    settings: { breaker: { ...TRIPS, backoff: "50ms", ramp: "600s" } },
    breakIt: outOfTheRamp,
    retrySeconds: [20, 600],
  },
  { row: "forced", id: "forced", breakIt: forceOpen, retrySeconds: [500, 600] },
  { row: "maintenance", id: "maintenance", breakIt: maintain, retrySeconds: [500, 600] },
  { row: "bulkhead", id: "bulkhead", settings: { deadline: "10s", concurrency: 1 }, breakIt: fill },
  fails("denies", "401"),
  fails("denies", "403"),
  fails("denies", "404"),
  fails("denies", "410"),
  { row: "away", id: "away", edge: CUT_OFF },
  { row: "away-5xx", id: "away-5xx", edge: CUT_OFF, breakIt: turns("503") },
];

async function breaker(id: string): Promise<BreakerView> {
  const outcome = await send(undefined, `${gateway.urls[HERE]}/_weir/api/v1/breakers/${id}`, { headers: ADMIN });
  return JSON.parse(outcome.body) as BreakerView;
}

/** Fails until both breakers have opened, then goes on in `mode` until both are in one of the states. */
async function trip(site: Site, mode: OriginMode, states: readonly string[]): Promise<void> {
  site.origin.mode = "reset";
  for (const [index, id] of site.breakers.entries()) {
    const column = index === 0 ? "nothing" : "failover";
    await waitUntil(`${id} opens`, 10_000, async () => {
      await Promise.all([1, 2, 3, 4, 5].map((number) => site.get(column, `trip-${number}`)));
      return (await breaker(id)).state !== "closed";
    });
  }
  site.origin.mode = mode;
  for (const id of site.breakers) {
    await waitUntil(`${id} is ${states.join(" or ")}`, 10_000, async () => states.includes((await breaker(id)).state));
  }
}

/** A call for one URL hangs since before the breaker opened. */
async function holdAndTrip(site: Site): Promise<void> {
  site.origin.mode = "hang";
  pending.push(site.get("nothing", "held"));
  await waitUntil("the call hangs", 5_000, () => site.callsTo("nothing", "held") === 1);
  await trip(site, "hang", ["half-open"]);
  held = await site.get("nothing", "held");
}

/** A caller whose turn is late in both ramps. */
async function outOfTheRamp(site: Site): Promise<string> {
  await trip(site, "ok", ["ramp"]);
  let caller = "";
  await waitUntil("this edge knows of the ramp", 10_000, async () => {
    caller = `192.0.2.${(Number(caller.split(".").at(-1)) % 250) + 2}`;
    const [plain, backed] = await Promise.all([
      site.get("nothing", caller, caller),
      site.get("failover", caller, caller),
    ]);
    return Number(plain.retryAfter) > 100 && backed.served === "failover";
  });
  return caller;
}

async function forceOpen(site: Site): Promise<void> {
  for (const id of site.breakers) {
    const forced = await fetch(`${gateway.urls[HERE]}/_weir/api/v1/breakers/${id}/trip`, {
      method: "POST",
      headers: ADMIN,
      body: JSON.stringify({ reason: "the table", forMs: 600_000 }),
    });
    expect(forced.status).toBe(200);
  }
  let turn = 0;
  await waitUntil("this edge knows", 10_000, async () => {
    const name = `never-seen-${turn++}`;
    const [plain, backed] = await Promise.all([site.get("nothing", name), site.get("failover", name)]);
    return plain.served === "fallback" && backed.served === "failover";
  });
}

async function maintain(site: Site): Promise<void> {
  for (const id of site.breakers) {
    const begun = await fetch(`${gateway.urls[HERE]}/_weir/api/v1/maintenance/origins/${id}`, {
      method: "PUT",
      headers: ADMIN,
      body: JSON.stringify({ forMs: 600_000 }),
    });
    expect(begun.status).toBe(200);
  }
  let turn = 0;
  await waitUntil("this edge knows", 10_000, async () => {
    const name = `never-seen-${turn++}`;
    const answers = await Promise.all([site.get("nothing", name), site.get("failover", name)]);
    return answers.every(({ served }) => served === "fallback");
  });
}

/** Its one slot is taken, on both ways to it. */
async function fill(site: Site): Promise<void> {
  site.origin.mode = "hang";
  pending.push(site.get("nothing", "holds"), site.get("failover", "holds"));
  await waitUntil(
    "the slots are taken",
    10_000,
    () => site.callsTo("nothing", "holds") + site.callsTo("failover", "holds") === 2,
  );
}

const folder = temporaryFolder();
const second = new BrokenOrigin();
const sites = WAYS.map((way) => new Site(way));
const pending: Promise<Outcome>[] = [];
let held: Outcome | undefined;
let gateway: Gateway;

function configFile(): unknown {
  const origins: Record<string, unknown> = { second: { url: second.url } };
  const routes: unknown[] = [];
  for (const { way, origin, breakers } of sites) {
    const [plain = "", backed = ""] = breakers;
    const settings = { url: origin.url, deadline: "5s", retry: { attempts: 1 }, breaker: STEADY, ...way.settings };
    origins[plain] = settings;
    origins[backed] = { ...settings, failover: "second" };
    const route = (column: string, more: object): void => {
      routes.push({ id: `${way.id}-${column}`, match: { path: `/${way.id}/${column}/*` }, origin: plain, ...more });
    };
    route("snapshot", { cache: { snapshot: "1s" } });
    route("failover", { origin: backed, cache: {} });
    route("page", { cache: {}, degraded: { retryAfter: `${PAGE_RETRY_SECONDS}s` } });
    route("any", { match: { path: `/${way.id}/*` }, cache: { staleIfError: "1h" } });
  }
  return {
    version: 1,
    origins,
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { limits: { requests: { rate: "100000/s", burst: 100_000, deadline: "2s" } } } },
    routes,
  };
}

/** Fills the cache here and the snapshot elsewhere, while all is well. */
async function warm(site: Site): Promise<void> {
  const store = async (column: ColumnId, name: string, edge?: number): Promise<void> => {
    await waitUntil(`${site.way.id}/${column} is stored`, 10_000, async () => {
      const { status, served } = await site.get(column, name, CALLER, edge);
      return status === 200 && served === "origin";
    });
  };
  for (const column of STORED_HERE) for (const name of namesOf(column)) await store(column, name);
  await store("snapshot", "page", ELSEWHERE);
}

async function tryAll(site: Site): Promise<void> {
  site.caller = (await site.way.breakIt?.(site)) ?? CALLER;
  site.origin.arrivals.length = 0;
  await Promise.all(
    COLUMNS.map(async ({ id }) => {
      site.outcomes.set(id, await Promise.all(namesOf(id).map((name) => site.get(id, name))));
    }),
  );
}

beforeAll(async () => {
  await Promise.all([second, ...sites.map(({ origin }) => origin)].map((origin) => origin.start()));
  const config = await configOf(folder.path, configFile());
  gateway = await startTestGateway(config, { edges: 3, cutOffEdge: CUT_OFF, stateDir: folder.path });
  await Promise.all(sites.map(warm));
  await waitUntil("all snapshots are in KV", 10_000, () => snapshotsInKv(folder.path) >= sites.length);
  await Promise.all(sites.map(tryAll));
}, 60_000);
afterAll(async () => {
  await Promise.all(sites.map(({ origin }) => origin.kill()));
  await Promise.all(pending);
  await gateway.stop();
  await second.kill();
  folder.remove();
});

const ESCAPED = /[.*+?^${}()|\\]/g;
/** A text of the table as a pattern. */
function patternOf(text: string): RegExp {
  const pattern = text
    .replace(ESCAPED, "\\$&")
    .replaceAll("[", "(?:")
    .replaceAll("]", ")?")
    .replaceAll("N", "\\d+")
    .replaceAll("MISS", "(?:uri-miss|stale)");
  return new RegExp(`^${pattern}$`);
}

const headerOf = ({ headers }: Outcome, name: string): string => String(headers[name] ?? "");

function expectHeaders(
  outcome: Outcome,
  { way }: Site,
  row: Row,
  column: ColumnId,
  answer: Answer,
  called: boolean,
): void {
  const { status, served, cacheStatus, age, proxyStatus } = HEADERS[answer];
  expect(outcome.error).toBe("");
  if (status !== "its own") expect(outcome.status).toBe(Number(status));
  expect(outcome.served).toBe(served);
  expect(headerOf(outcome, "cache-status")).toMatch(patternOf(called ? cacheStatus.called : cacheStatus.spared));
  const told = headerOf(outcome, "age");
  if (age === "its age") {
    expect(Number(told)).toBeGreaterThanOrEqual(AGE_SECONDS);
    expect(Number(told)).toBeLessThan(AGE_SECONDS + AGE_LEEWAY_SECONDS);
  } else if (age === "none") expect(told).toBe("");
  else expect(["", String(AGE_SECONDS)]).toContain(told);
  expectProxyStatus(
    headerOf(outcome, "proxy-status"),
    row,
    column === "failover" ? `${way.id}-backed` : way.id,
    proxyStatus,
  );
  expectRetryAfter(outcome, way, answer);
}

/** Why the origin did not answer, the rung that did, and a second origin behind it. */
function expectProxyStatus(told: string, { error }: Row, origin: string, rung: Rung | undefined): void {
  if (rung === undefined) {
    expect(told).toBe("");
    return;
  }
  const [, why, answered, behind] =
    /^(.*?)(?:;received-status=\d+)?;details="[a-z-]+: ([a-z-]+)"(.*)$/.exec(told) ?? [];
  const second = rung === "failover" ? ', weir;next-hop="second"' : "";
  expect([why, answered, behind]).toEqual([`weir;error=${error};next-hop="${origin}"`, rung, second]);
}

function expectRetryAfter({ retryAfter }: Outcome, { retrySeconds = [0, 0] }: Way, answer: Answer): void {
  const own = answer === "page" ? PAGE_RETRY_SECONDS : PLAIN_RETRY_SECONDS;
  if (answer !== "page" && answer !== "plain") expect(retryAfter).toBe("");
  else {
    expect(Number(retryAfter)).toBeGreaterThanOrEqual(Math.max(own, retrySeconds[0]));
    expect(Number(retryAfter)).toBeLessThanOrEqual(Math.max(own, retrySeconds[1]));
  }
}

/** Of the origin itself: by its mode. */
const statusOfOrigin = ({ origin }: Site): number => Number(/^\d{3}$/.exec(origin.mode)?.[0] ?? "200");

describe.each(ROWS)("an origin: $title", (row) => {
  const ways = sites.filter(({ way }) => way.row === row.id);

  it.each(COLUMNS)("the cache: $title", async ({ id: column }) => {
    const { answer, calls } = row.cells[column];
    expect(ways.length).toBeGreaterThan(0);
    for (const site of ways) {
      for (const [index, name] of namesOf(column).entries()) {
        const outcome = site.outcomes.get(column)?.[index];
        if (outcome === undefined) throw new Error("was not tried");
        expectHeaders(outcome, site, row, column, answer, calls === 1);
        if (HEADERS[answer].status === "its own") expect(outcome.status).toBe(statusOfOrigin(site));
        if (site.way.uncounted === true) continue;
        const expected = calls === 0 ? 0 : 1;
        // What goes on behind the answer takes its time.
        await waitUntil("the calls are made", 5_000, () => site.callsTo(column, name) >= expected);
        expect(site.callsTo(column, name)).toBe(expected);
      }
    }
  });
});

describe("a URL whose call hangs since before the breaker opened", () => {
  it("is answered by the ladder at once: nobody waits for that call any more", () => {
    expect(held?.served).toBe("fallback");
    expect(held?.durationMs).toBeLessThan(3_000);
  });
});
