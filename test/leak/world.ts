/**
 * Random callers ask a real pipeline for resources whose manner changes under way, alone and at once, in two PoPs, while
 * time passes, memories are lost and the origin fails; every answer is judged by the oracle. Time is the test's own.
 * Sockets, objects and the runtime's stores have stand-ins that keep what they are given; everything else is Weir's.
 */
import { vi } from "vitest";
import { seeded } from "../../sim/kernel/random.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/model.ts";
import { ResponseStore } from "../../src/edge/cache/response-store.ts";
import { Edge } from "../../src/edge/edge.ts";
import { OriginViews } from "../../src/edge/origin-views.ts";
import { handle } from "../../src/edge/pipeline.ts";
import { Snapshots } from "../../src/edge/snapshots.ts";
import { mintApiKey } from "../../src/platform/api-key.ts";
import type { Env } from "../../src/platform/bindings.ts";
import { type Answer, type Asker, type Knowledge, type Question, TAKES_BACK, whyLeaked } from "./oracle.ts";
import { type Manner, MARKS, type OriginExchange, RememberingOrigin, TRACEABLE_BYTES } from "./origin.ts";
import { MemoryCache, memoryKv, StandIns } from "./stand-ins.ts";

const SECRET = "leak-test-key-secret-0123456789abcdef";
const OTHER_SITES = ["http://a.example", "https://b.example"] as const;
const POPS = ["here", "there"] as const;
/** Sequences that share edges, and so whatever these hold. */
const SEQUENCES_TOGETHER = 200;
const REVOKED_AFTER_MS = 5_000;
/** The one whose key is taken away; the others keep theirs. */
const FLEETING = "fleeting";
const T0 = Date.UTC(2026, 10, 2, 9, 0, 0);

export interface Leak {
  readonly seed: number;
  readonly sequence: number;
  readonly why: string;
  readonly question: Question;
  readonly answer: Answer;
  readonly made: readonly OriginExchange[];
}

export interface LeakReport {
  readonly leaks: Leak[];
  sequences: number;
  answers: number;
  /** Answers by what served them. */
  readonly served: Record<string, number>;
  /** Answers made for another request than the one that got them. */
  shared: number;
}

export interface LeakRun {
  readonly seed: number;
  readonly sequences: number;
  /** Ends at the first leak. */
  readonly stopEarly?: boolean;
  /** Called for each world, whose end restores every mock. */
  readonly removeMethods?: () => void;
  /** The runtime's own stores, which are slow. */
  readonly realStores?: Pick<Env, "SNAPSHOTS">;
}

export async function runLeaks({
  seed,
  sequences,
  stopEarly = false,
  realStores,
  removeMethods,
}: LeakRun): Promise<LeakReport> {
  const report: LeakReport = { leaks: [], sequences: 0, answers: 0, served: {}, shared: 0 };
  const config = await leakConfig();
  for (let first = 0; first < sequences; first += SEQUENCES_TOGETHER) {
    const world = await World.of(config, seed + first, report, realStores);
    removeMethods?.();
    try {
      for (let index = first; index < Math.min(sequences, first + SEQUENCES_TOGETHER); index++) {
        await world.runSequence(index);
        report.sequences++;
        if (stopEarly && report.leaks.length > 0) return report;
      }
    } finally {
      world.end();
    }
  }
  return report;
}

async function leakConfig(): Promise<Config> {
  const cache = {
    ttl: "1m",
    negativeTtl: "1m",
    staleWhileRevalidate: "1m",
    staleIfError: "1h",
    snapshot: "1s",
    forwardHeaders: ["X-Flavour"],
  };
  const text = JSON.stringify({
    version: 1,
    origins: { app: { url: "https://app.example", retry: { attempts: 1 } } },
    identity: [
      { type: "apiKey", header: "x-api-key" },
      { type: "anonymous", plan: "open" },
    ],
    plans: { open: { limits: { requests: { rate: "100000/s", burst: 1_000_000 } } } },
    tenants: { acme: { plan: "open" }, anonymous: { plan: "open" }, [FLEETING]: { plan: "open" } },
    routes: [
      { id: "own", match: { path: "/own/*" }, origin: "app", cache: { ...cache, scope: "tenant" } },
      { id: "plain", match: { path: "/plain/*" }, origin: "app", cache: { forwardHeaders: ["X-Flavour"] } },
      { id: "shared", match: { path: "/*" }, origin: "app", cache },
    ],
  });
  const loaded = await loadConfig(text, { configVersion: 1, readPage: async () => undefined });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

interface Resource {
  readonly path: string;
  readonly scope: "shared" | "tenant";
  /** Some sequences stay with one, so that their entries live long. */
  readonly manners: readonly Manner[];
}

/** Nothing is put off by a real clock. */
const newSnapshots = (): Snapshots => new Snapshots(undefined, 0);

const nameOf = (pop: string, url: string, scope: string, tenant: string | undefined): string =>
  `${pop} ${url} ${scope === "tenant" ? (tenant ?? "*") : ""}`;

class World {
  readonly #config: Config;
  readonly #seed: number;
  readonly #random: () => number;
  readonly #report: LeakReport;
  readonly #env: Env;
  readonly #standIns: StandIns;
  readonly #keys: ReadonlyMap<string, string>;
  readonly #origin = new RememberingOrigin();
  readonly #edges = new Map<string, Edge>();
  /** By the end of a request's id, which the origin is told with the trace. */
  readonly #askers = new Map<string, Asker & { readonly pop: string }>();
  #judgements: (() => void)[] = [];
  /** By PoP and name -> steps at which the origin took it back. */
  readonly #retired = new Map<string, number>();
  readonly #pending = new Set<Promise<unknown>>();
  #nowMs = T0;
  #revokedAtMs = Number.POSITIVE_INFINITY;

  private constructor(
    config: Config,
    seed: number,
    report: LeakReport,
    keys: ReadonlyMap<string, string>,
    realStores: Pick<Env, "SNAPSHOTS"> | undefined,
  ) {
    this.#config = config;
    this.#seed = seed;
    this.#random = seeded(seed);
    this.#report = report;
    this.#keys = keys;
    this.#standIns = new StandIns(() => this.#nowMs);
    const stores = realStores ?? { SNAPSHOTS: memoryKv() };
    // oxlint-disable-next-line typescript/no-unnecessary-type-assertion -- the linter does not see the runtime's types here
    this.#env = {
      WAN: this.#standIns,
      WEIR_KEY_SECRET: SECRET,
      SNAPSHOTS: stores.SNAPSHOTS,
    } as unknown as Env;
    if (realStores === undefined) vi.stubGlobal("caches", { default: new MemoryCache() });
    vi.stubGlobal("fetch", this.#origin.fetch);
    vi.spyOn(Date, "now").mockImplementation(() => this.#nowMs);
    // What is reported of the origin waits for its time, and a step would wait for it.
    vi.spyOn(OriginViews.prototype, "noteSuccess").mockReturnValue();
    vi.spyOn(OriginViews.prototype, "noteFailure").mockReturnValue();
    for (const pop of POPS) {
      const edge = new Edge(this.#config, `${this.#seed}-${pop}`);
      // Counts are of no interest here, and their flush waits a second.
      edge.counters.claimFlush(Number.POSITIVE_INFINITY);
      Object.assign(edge, { snapshots: newSnapshots() });
      this.#edges.set(pop, edge);
    }
  }

  static async of(
    config: Config,
    seed: number,
    report: LeakReport,
    realStores: Pick<Env, "SNAPSHOTS"> | undefined,
  ): Promise<World> {
    const keys = new Map<string, string>();
    for (const [index, { id }] of config.tenants.entries()) {
      keys.set(id, await mintApiKey(SECRET, { tenantId: id, keyId: String(index).padStart(16, "0") }));
    }
    return new World(config, seed, report, keys, realStores);
  }

  end(): void {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  }

  async runSequence(sequence: number): Promise<void> {
    const resource = this.#newResource(sequence);
    const steps = 3 + this.#pick(5);
    this.#origin.down = false;
    for (let step = 0; step < steps; step++) {
      this.#origin.step++;
      this.#change(resource);
      const asked = Array.from({ length: this.#chance(0.3) ? 2 + this.#pick(3) : 1 }, () =>
        this.#ask(resource, sequence),
      );
      await Promise.all(asked);
      await this.#settle();
      for (const judge of this.#judgements.splice(0)) judge();
      this.#noteRetired();
    }
  }

  #knowledge(pop: string): Knowledge {
    return {
      exchanges: this.#origin.exchanges,
      askerOf: ({ traceId }) => this.#askers.get(traceId),
      retiredAt: ({ url, scope, tenant }) => this.#retired.get(nameOf(pop, url, scope, tenant)) ?? -1,
    };
  }

  #noteRetired(): void {
    const { exchanges, step } = this.#origin;
    for (let index = exchanges.length - 1; exchanges[index]?.step === step; index--) {
      const exchange = exchanges[index];
      if (exchange === undefined) return;
      const { url, method, status, traceId } = exchange;
      const asker = this.#askers.get(traceId);
      if (method === "POST" || !TAKES_BACK.includes(status) || asker === undefined) continue;
      this.#retired.set(nameOf(asker.pop, url, asker.scope, asker.tenant), step);
    }
  }

  /** What goes on behind the answers has come to its end. */
  async #settle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #of<T>(...choices: readonly T[]): T {
    const at = this.#pick(choices.length);
    for (const [index, choice] of choices.entries()) if (index === at) return choice;
    throw new RangeError("nothing to choose from");
  }

  /** As with another isolate of the same PoP. */
  #loseMemory(pop: string): void {
    const edge = this.#edges.get(pop);
    if (edge === undefined) return;
    Object.assign(edge, { responses: new ResponseStore(edge.pop), snapshots: newSnapshots() });
  }

  #newResource(sequence: number): Resource {
    const scope = this.#of("shared", "tenant", "shared");
    const folder = scope === "tenant" ? "own" : this.#of("shared", "shared", "plain");
    const manners = Array.from({ length: this.#chance(0.4) ? 1 : 3 }, () => this.#newManner());
    return { path: `/${folder}/${this.#seed}-${sequence}`, scope, manners };
  }

  #newManner(): Manner {
    const lifetime = this.#of("", "max-age=60", "max-age=60", "max-age=0", "max-age=5", "s-maxage=60");
    const flags = this.#of("", "", "", "public", "Public", "private", "no-store", "no-cache", "must-revalidate");
    const more = this.#of("", "", "", "stale-while-revalidate=60", "stale-if-error=600", "proxy-revalidate");
    const cacheControl = [flags, lifetime, more].filter((part) => part !== "").join(this.#of(", ", ","));
    const fields = ["Accept-Language", "X-Flavour", "Cookie", "Authorization"];
    const vary = this.#of(
      "",
      "",
      this.#of(...fields),
      `${this.#of(...fields)}, x-flavour, X-FLAVOUR`,
      "accept-language,*",
    );
    return {
      status: this.#chance(0.7) ? 200 : this.#of(203, 204, 301, 401, 403, 404, 410, 500, 503, 500, 503),
      cacheControl,
      cdnCacheControl: this.#of("", "", "", "", "max-age=60", "private", "public, max-age=60", "no-store"),
      vary,
      setCookie: this.#chance(0.1),
      tagsBy: this.#of("content", "caller"),
      lastModified: this.#chance(0.3),
    };
  }

  #change({ manners }: Resource): void {
    this.#nowMs += this.#of(0, 0, 500, 4_000, 7_000, 30_000, 100_000);
    this.#origin.manner = manners[this.#pick(manners.length)];
    this.#origin.turns = this.#pick(12);
    if (this.#chance(0.2)) this.#origin.version++;
    this.#origin.down = this.#chance(this.#origin.down ? 0.5 : 0.15);
    if (this.#chance(0.01)) this.#loseMemory(this.#of(...POPS));
    if (this.#chance(0.001) && this.#revokedAtMs === Number.POSITIVE_INFINITY) {
      this.#revokedAtMs = this.#nowMs;
      this.#standIns.revoke(
        `tenant:${FLEETING}`,
        String(this.#config.tenants.findIndex(({ id }) => id === FLEETING)).padStart(16, "0"),
      );
    }
  }

  async #ask({ path, scope }: Resource, sequence: number): Promise<void> {
    const tenant = this.#of(undefined, undefined, undefined, "acme", "acme", "acme", "anonymous", FLEETING);
    const pop = this.#chance(0.85) ? POPS[0] : POPS[1];
    const marks: Record<string, string | null> = {
      authorization: this.#chance(0.75) ? null : this.#of("Basic dTE=", "Basic dTI="),
      cookie: this.#chance(0.75) ? null : this.#of("sid=1", "sid=2"),
      "accept-language": this.#of(null, "de", "en", "en, DE", "de,en", ""),
      "x-flavour": this.#of(null, "", "a", "A", "a, b", "a,b"),
    };
    const headers = new Headers({ "cf-connecting-ip": "192.0.2.1" });
    for (const name of MARKS) {
      const value = marks[name];
      if (typeof value === "string") headers.set(name, value);
    }
    const key = tenant === undefined ? undefined : this.#keys.get(tenant);
    if (key !== undefined) headers.set("x-api-key", key);
    // What Connection names is gone before the origin sees it.
    if (this.#chance(0.03)) {
      headers.set("connection", "x-flavour, authorization");
      marks["x-flavour"] = null;
      marks["authorization"] = null;
    }
    const range = this.#chance(0.1);
    if (range) headers.set("range", `bytes=${this.#of("0-", "5-", "-")}${TRACEABLE_BYTES + 4}`);
    if (this.#chance(0.1))
      headers.set("cache-control", this.#of("no-cache", "max-age=0", "no-store", "max-stale", "only-if-cached"));
    if (this.#chance(0.1)) headers.set("if-none-match", this.#of("*", `"${this.#origin.version}"`, '"x"'));
    const method = this.#chance(0.9) ? "GET" : this.#of("HEAD", "HEAD", "POST");
    const site = this.#chance(0.9) ? "https://a.example" : this.#of(...OTHER_SITES);
    const url = site + path + (this.#chance(0.9) ? "" : this.#of("?q=1", "?q=2"));
    const question: Question = {
      step: this.#origin.step,
      atMs: this.#nowMs,
      method,
      url,
      scope,
      tenant,
      marks,
      ranged: range,
      revoked: tenant === FLEETING && this.#nowMs > this.#revokedAtMs + REVOKED_AFTER_MS,
    };
    this.#judge(question, await this.#send(pop, new Request(url, { method, headers }), question), pop, sequence);
  }

  async #send(pop: string, request: Request, { tenant, scope }: Question): Promise<Answer> {
    const edge = this.#edges.get(pop);
    if (edge === undefined) throw new Error("no such PoP");
    const context = {
      waitUntil: (work: Promise<unknown>) => {
        this.#pending.add(work);
        work.catch(() => undefined).finally(() => this.#pending.delete(work));
      },
    };
    // oxlint-disable-next-line typescript/no-unnecessary-type-assertion -- the linter does not see the runtime's types here
    const response = await handle(edge, request, this.#env, context as unknown as ExecutionContext);
    const { headers } = response;
    const requestId = headers.get("weir-request-id") ?? "";
    this.#askers.set(requestId.slice(-16), { tenant, scope, pop });
    return {
      status: response.status,
      served: headers.get("weir-served") ?? "",
      requestId,
      serial: headers.get("x-serial"),
      setCookie: headers.get("set-cookie"),
      body: await response.text(),
    };
  }

  /** At the end of the step: before, nobody knows whom the leader of a collapsed miss asked for. */
  #judge(question: Question, answer: Answer, pop: string, sequence: number): void {
    const report = this.#report;
    report.answers++;
    const by = answer.served === "" ? String(answer.status) : answer.served;
    report.served[by] = (report.served[by] ?? 0) + 1;
    const made = this.#origin.exchanges[Number(answer.serial ?? Number.NaN)];
    if (made !== undefined && made.traceId !== answer.requestId.slice(-16)) report.shared++;
    this.#judgements.push(() => {
      const why = whyLeaked(question, answer, this.#knowledge(pop));
      if (why === undefined) return;
      const made = this.#origin.exchanges.filter(({ url }) => url === question.url);
      report.leaks.push({ seed: this.#seed, sequence, why, question, answer, made });
    });
  }
}
