/**
 * The limiter alone, without sockets: what a warm decision costs, and what the tables weigh. Run as a process of its own
 * (with --expose-gc), so that nothing else is on its heap; sends its figures to the parent. Weir's own classes decide, on
 * leases of a real lease book; hono-rate-limiter decides with its MemoryStore. The engine is Node's V8; inside workerd
 * the clock stands still between I/O, so single decisions cannot be timed there.
 */
import { MemoryStore } from "hono-rate-limiter";
import type { Config, LimitConfig } from "../src/config/model.ts";
import { compileTables } from "../src/config/compile.ts";
import { loadConfig } from "../src/config/load.ts";
import { Edge } from "../src/edge/edge.ts";
import { Lessees } from "../src/edge/lessees.ts";
import type { Exchange } from "../src/edge/exchange.ts";
import { beginExchange } from "../src/edge/begin-exchange.ts";
import { access } from "../src/edge/stages/access.ts";
import { admit } from "../src/edge/stages/admit.ts";
import { identify } from "../src/edge/stages/identify.ts";
import type { Env } from "../src/platform/bindings.ts";
import { answerLease, type LeaseBook, newLeaseBook } from "../src/policy/limits/lease-replies.ts";
import type { LeaseRequest } from "../src/protocol/tenant.ts";
import type { LimiterFigures } from "./limiter-report.ts";

const DECISIONS = 100_000;
const TENANTS = 10_000;
const CALLERS = [100_000, 1_000_000] as const;
/** Decisions between two looks at the event loop, in which lease calls are answered. */
const BATCH = 500;

const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** Coordinators in this process: real lease books, answered at once. `forget` drops them: they live elsewhere. */
function localCoordinators(): { readonly env: Env; readonly forget: () => void } {
  const books = new Map<string, LeaseBook>();
  const call = async (_kind: string, name: string, method: string, argument: unknown): Promise<unknown> => {
    if (method !== "lease") return { seq: 0 };
    let book = books.get(name);
    if (book === undefined) books.set(name, (book = newLeaseBook()));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the only caller of "lease" is the lessee under test
    const request = argument as LeaseRequest;
    const answer = answerLease(book, request, Date.now());
    if (answer.kind !== "decided") throw new Error(answer.kind);
    return { kind: "granted", seq: request.seq, ...answer.decision, record: undefined };
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- WAN takes every call, so no namespace is touched
  const env = { WAN: { call }, WEIR_KEY_SECRET: "bench-key-secret-0123456789abcdefghij" } as unknown as Env;
  return { env, forget: () => books.clear() };
}

async function limitsOf(rate: string, burst: number): Promise<readonly LimitConfig[]> {
  const text = JSON.stringify({
    version: 1,
    origins: { app: { url: "http://app.invalid" } },
    identity: [],
    plans: { bench: { limits: { first: { rate, burst }, second: { rate, burst } } } },
    tenants: { acme: { plan: "bench" } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  const loaded = await loadConfig(text, { configVersion: 1, readPage: async () => undefined });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return compileTables(loaded.config).tenant("acme")?.limits ?? [];
}

function newLessees(): Lessees {
  return new Lessees({ edgeId: "bench", now: Date.now, onShadowRefused: () => undefined });
}

const site = { waitUntil: (work: Promise<unknown>) => void work, configVersion: 1, keyId: undefined };
const NO_LIMITS: readonly LimitConfig[] = [];

function quantiles(nanoseconds: Float64Array): { p50Us: number; p99Us: number } {
  nanoseconds.sort();
  const at = (q: number): number => (nanoseconds[Math.floor(nanoseconds.length * q)] ?? Number.NaN) / 1_000;
  return { p50Us: at(0.5), p99Us: at(0.99) };
}

async function time(decide: () => unknown): Promise<{ p50Us: number; p99Us: number }> {
  const taken = new Float64Array(DECISIONS);
  for (let index = -BATCH * 20; index < DECISIONS; index++) {
    if (index % BATCH === 0) await breathe();
    const began = process.hrtime.bigint();
    const decided = decide();
    const ended = process.hrtime.bigint();
    if (decided instanceof Promise) await decided;
    if (index >= 0) taken[index] = Number(ended - began);
  }
  return quantiles(taken);
}

async function decisions(): Promise<LimiterFigures["decisions"]> {
  const { env } = localCoordinators();
  const tenantLimits = await limitsOf("900000/s", 10_000_000);
  const lessees = newLessees();
  const admit = (): unknown =>
    lessees.admit({
      ...site,
      env,
      nowMs: Date.now(),
      coordinatorName: "tenant:acme",
      tenantLimits,
      routeLimits: NO_LIMITS,
      principal: "key",
      costMicro: 1_000_000,
    });
  await admit();
  const weir = await time(admit);
  const store = new MemoryStore();
  store.init({ windowMs: 60_000 } as Parameters<MemoryStore["init"]>[0]);
  const hono = await time(() => store.increment("acme"));
  store.shutdown();
  return [
    { name: "Weir, two limits", ...weir },
    { name: "hono-rate-limiter, one counter in memory", ...hono },
  ];
}

function heapBytes(): number {
  // Twice: the first may leave what only finalizers held.
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function memory(): Promise<LimiterFigures["bytesPerTenant"]> {
  const { env, forget } = localCoordinators();
  const tenantLimits = await limitsOf("100/s", 100);
  const lessees = newLessees();
  let before = heapBytes();
  for (let index = 0; index < TENANTS; index++) {
    const admission = lessees.admit({
      ...site,
      env,
      nowMs: Date.now(),
      coordinatorName: `tenant:t${index}`,
      tenantLimits,
      routeLimits: NO_LIMITS,
      principal: "key",
      costMicro: 1_000_000,
    });
    await admission;
  }
  await breathe();
  forget();
  const weir = (heapBytes() - before) / TENANTS;
  // Read after the look at the heap, so that the table is still there for it.
  if (lessees.stats.calls < TENANTS) throw new Error("not every tenant was warm");
  const store = new MemoryStore();
  store.init({ windowMs: 60_000 } as Parameters<MemoryStore["init"]>[0]);
  before = heapBytes();
  for (let index = 0; index < TENANTS; index++) store.increment(`t${index}`);
  const hono = (heapBytes() - before) / TENANTS;
  if (store.get("t0") === undefined) throw new Error("the store forgot its tenants");
  store.shutdown();
  return [
    { name: "Weir, two limits", tenants: TENANTS, bytes: Math.round(weir) },
    { name: "hono-rate-limiter, one counter", tenants: TENANTS, bytes: Math.round(hono) },
  ];
}

/** The stages that know callers, with one caller after the other: each has an address of its own. */
async function callers(): Promise<LimiterFigures["callers"]> {
  const { env, forget } = localCoordinators();
  const edge = new Edge(await anonymousConfig(), "bench");
  const figures: { callers: number; heapMiB: number }[] = [];
  let seen = 0;
  for (const count of CALLERS) {
    for (; seen < count; seen++) {
      const x = exchangeOf(edge, env, `10.${(seen >> 16) & 255}.${(seen >> 8) & 255}.${seen & 255}`);
      for (const stage of [identify, access, admit]) await stage(edge, x);
      if (seen % BATCH === 0) await breathe();
    }
    forget();
    figures.push({ callers: count, heapMiB: Number((heapBytes() / 2 ** 20).toFixed(1)) });
  }
  return figures;
}

async function anonymousConfig(): Promise<Config> {
  const text = JSON.stringify({
    version: 1,
    origins: { app: { url: "http://app.invalid" } },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { limits: { requests: { rate: "100/s", burst: 100 } } } },
    access: { deny: ["192.0.2.0/24"] },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  const loaded = await loadConfig(text, { configVersion: 1, readPage: async () => undefined });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

function exchangeOf(edge: Edge, env: Env, clientIp: string): Exchange {
  const request = REQUEST;
  const x = beginExchange(edge, request, env, { waitUntil: (work: Promise<unknown>) => void work });
  x.clientIp = clientIp;
  x.route = edge.tables.matchRoute("GET", "gateway.example", "/");
  return x;
}

const REQUEST = new Request("https://gateway.example/");

const figures: LimiterFigures = {
  decisions: await decisions(),
  bytesPerTenant: await memory(),
  callers: await callers(),
};
process.send?.(figures);
process.disconnect?.();
