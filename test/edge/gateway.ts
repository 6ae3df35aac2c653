/** What tests of the pipeline share. */
import { env } from "cloudflare:workers";
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { vi } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { preparePage } from "../../src/config/pages/prepare.ts";
import { Edge } from "../../src/edge/edge.ts";
import { handle } from "../../src/edge/pipeline.ts";
import { mintApiKey } from "../../src/platform/api-key.ts";
import type { CoordinatorKind, Env } from "../../src/platform/bindings.ts";
import { flatTotals } from "./flat-totals.ts";
import { newLedger, takeBatches } from "../../src/policy/telemetry/ledger.ts";
import { tenantTotals } from "../../src/policy/telemetry/tenant-ledger.ts";
import type { MetricsFlush, MetricsReply, MetricsTotals } from "../../src/protocol/metrics.ts";

export const KEY = "0123456789abcdef";

const BASE = {
  version: 1,
  origins: { app: { url: "https://app.example" } },
  identity: [
    { type: "apiKey", header: "x-api-key" },
    { type: "anonymous", plan: "open" },
  ],
  plans: { open: { limits: { requests: { rate: "1/h", burst: 2 } } } },
  tenants: { acme: { plan: "open" } },
  routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
};

type Instead = (method: string, real: () => Promise<unknown> | undefined, argument: unknown) => Promise<unknown>;
type Remote = Readonly<Record<string, ((argument: unknown) => Promise<unknown>) | undefined>>;

/** One edge with its pipeline, in front of real coordinators; the origin is what the test makes of `fetch`. */
export class Gateway {
  readonly edge: Edge;
  /** Calls to coordinators, but for the flush of counters behind the answers. */
  readonly calls: CoordinatorKind[] = [];
  /** The Metrics object says so. */
  wantsSettings = false;
  /** The Metrics object cannot be reached. */
  breakMetrics = false;
  readonly #ledger = newLedger(0);
  readonly #cutOff = new Set<CoordinatorKind>();
  readonly #instead = new Map<CoordinatorKind, Instead>();
  readonly #context = createExecutionContext();
  #env: Env;

  private constructor(edge: Edge) {
    this.edge = edge;
    const call = async (kind: CoordinatorKind, name: string, method: string, argument: unknown): Promise<unknown> => {
      if (this.#cutOff.has(kind)) return new Promise(() => undefined);
      if (kind === "METRICS") return this.#count(argument as MetricsFlush);
      this.calls.push(kind);
      const stub = env[kind].getByName(name) as unknown as Remote;
      const real = (): Promise<unknown> | undefined => stub[method]?.(argument);
      return this.#instead.get(kind)?.(method, real, argument) ?? real();
    };
    this.#env = { ...env, WAN: { call } };
  }

  static readonly #made: Gateway[] = [];

  static async allSettled(): Promise<void> {
    for (const gateway of Gateway.#made.splice(0)) await gateway.settled();
  }

  /**
   * `file` replaces top-level keys of a small config. `pop`: what gateways of one PoP share is its cache. `pages`: texts of
   * page files.
   */
  static async of(
    file: Record<string, unknown>,
    pop?: string,
    pages: Readonly<Record<string, string>> = {},
  ): Promise<Gateway> {
    const text = JSON.stringify({ ...BASE, ...file });
    const readPage = async (path: string): Promise<string | undefined> => pages[path];
    const loaded = await loadConfig(text, { configVersion: 1, readPage, preparePage });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    const gateway = new Gateway(new Edge(loaded.config, pop ?? `test-${crypto.randomUUID()}`));
    // A test that waits for what goes on behind its answers waits for this, too.
    gateway.edge.counters.leastFlushMs = 20;
    Gateway.#made.push(gateway);
    return gateway;
  }

  /** Waits for limits' coordinators for longer than a busy machine stops: no fail mode decides in their place. */
  static async patient(file: Record<string, unknown>): Promise<Gateway> {
    const gateway = await Gateway.of(file);
    gateway.edge.lessees.leastDeadlineMs = 5_000;
    return gateway;
  }

  async send(headers: Record<string, string>, path = "/", init: RequestInit = {}): Promise<Response> {
    return this.answer(headers, path, init);
  }

  /** As the Worker answers: a promise only where something is waited for. */
  answer(headers: Record<string, string>, path = "/", init: RequestInit = {}): Response | Promise<Response> {
    const request = new Request(`https://gateway.example${path}`, { ...init, headers });
    return handle(this.edge, request, this.#env, this.#context);
  }

  /** From now on the secret is another. */
  bindSecret(name: "WEIR_KEY_SECRET" | "WEIR_PROXY_SECRET", secret: string): void {
    this.#env = { ...this.#env, [name]: secret };
  }

  /** From now on these coordinators never answer. */
  cutOff(kind: CoordinatorKind): void {
    this.#cutOff.add(kind);
  }

  /** From now on these coordinators answer so; `real` asks the real one. */
  answerInstead(kind: CoordinatorKind, instead: Instead): void {
    this.#instead.set(kind, instead);
  }

  /** What goes on behind the answers has come to its end. */
  async settled(): Promise<void> {
    await waitOnExecutionContext(this.#context);
  }

  async statuses(count: number, headers: Record<string, string>, path = "/"): Promise<number[]> {
    const statuses: number[] = [];
    for (let index = 0; index < count; index++) statuses.push((await this.send(headers, path)).status);
    return statuses;
  }

  #count(flush: MetricsFlush): MetricsReply {
    if (this.breakMetrics) throw new Error("out of reach");
    const { received } = takeBatches(this.#ledger, flush, 0);
    return { received, durable: received, flushAfterMs: 0, wantsSettings: this.wantsSettings };
  }

  /** What has been counted, once it is flushed. */
  async totals(): Promise<Record<string, number>> {
    await waitOnExecutionContext(this.#context);
    return flatTotals(this.metrics());
  }

  /** What has been counted, as it is now. */
  metrics(): MetricsTotals {
    const { series, routes, tenants } = this.#ledger;
    return {
      series: Object.fromEntries(series),
      routes: [...routes.values()],
      tenants: tenantTotals(tenants, 0),
      edges: 1,
    };
  }
}

export const from = (address: string): Record<string, string> => ({ "cf-connecting-ip": address });

export async function withKey(address: string, keyId = KEY, tenantId = "acme"): Promise<Record<string, string>> {
  return { ...from(address), "x-api-key": await mintApiKey(env.WEIR_KEY_SECRET ?? "", { tenantId, keyId }) };
}

/** What the origin answers from now on; `vi.unstubAllGlobals` ends it. */
export const origin = (answer: () => Response | Promise<Response>): void => {
  vi.stubGlobal("fetch", async () => answer());
};

/** An origin that answers when told to. */
export function slowOrigin(): { answerAll(): void; readonly waiting: () => number } {
  const waiting: (() => void)[] = [];
  origin(
    () =>
      new Promise<Response>((resolve) => {
        waiting.push(() => {
          resolve(new Response("late"));
        });
      }),
  );
  return {
    answerAll: () => {
      for (const answer of waiting.splice(0)) answer();
    },
    waiting: () => waiting.length,
  };
}

/** On a busy machine a second may pass before anything happens. */
export const eventually = <Result>(check: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(check, { timeout: 4_000 });
