/** Merges the counters of all edges into exact totals: each batch counts once, and survives a restart. */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../platform/bindings.ts";
import {
  METRICS_PROTOCOL_VERSION,
  type MetricsBatch,
  type MetricsProtocol,
  type MetricsReply,
  type TailReply,
  type TailRequest,
} from "../../protocol/metrics.ts";
import { series } from "../../protocol/series.ts";
import { Listeners } from "./listeners.ts";
import { MetricsStorage } from "./storage.ts";

/** More series than this are counted under DROPPED_SERIES instead of being kept. */
const MAX_SERIES = 20_000;
const MAX_SERIES_PER_BATCH = 8_000;
/** Edges whose last batch number is remembered; the longest unheard is forgotten first. */
const MAX_EDGES = 5_000;
/** An edge in use is heard about every second. */
const HEARD_LATELY_MS = 5_000;
/** They are counted anew after so long. */
const COUNT_EDGES_MS = 1_000;
const DROPPED_SERIES = series("weir_dropped_series_total");

export class Metrics extends DurableObject<Env> implements MetricsProtocol {
  readonly #storage: MetricsStorage;
  readonly #totals: Map<string, number>;
  /** In the order in which they were last heard. */
  readonly #edges: Map<string, { seq: number; seenAtMs: number }>;
  readonly #listeners = new Listeners();
  #activeEdges = 1;
  #countedAtMs = Number.NEGATIVE_INFINITY;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#storage = new MetricsStorage(state.storage);
    this.#totals = this.#storage.totals();
    this.#edges = this.#storage.lastSeqs();
  }

  async flush(batch: MetricsBatch): Promise<MetricsReply> {
    if (batch.v !== METRICS_PROTOCOL_VERSION || typeof batch.edgeId !== "string" || !Number.isSafeInteger(batch.seq)) {
      throw new TypeError("not a metrics batch of this version");
    }
    const known = this.#edges.get(batch.edgeId);
    if (known !== undefined && batch.seq <= known.seq) return this.#reply(batch, Date.now());
    const changed = new Map<string, number>();
    for (const [series, increase] of Object.entries(batch.counters).slice(0, MAX_SERIES_PER_BATCH)) {
      if (!Number.isFinite(increase) || increase < 0) continue;
      const name = this.#totals.has(series) || this.#totals.size + changed.size < MAX_SERIES ? series : DROPPED_SERIES;
      changed.set(name, (changed.get(name) ?? this.#totals.get(name) ?? 0) + increase);
    }
    const nowMs = Date.now();
    const forgotten = this.#oldestEdges(known === undefined ? 1 : 0);
    this.#storage.save(changed, batch.edgeId, batch.seq, nowMs, forgotten);
    // Memory follows storage: if saving throws, the batch was not counted and may come again.
    for (const [series, total] of changed) this.#totals.set(series, total);
    for (const edgeId of forgotten) this.#edges.delete(edgeId);
    this.#edges.delete(batch.edgeId);
    this.#edges.set(batch.edgeId, { seq: batch.seq, seenAtMs: nowMs });
    if (batch.tail !== undefined) this.#listeners.take(batch.tail);
    return this.#reply(batch, nowMs);
  }

  async watch(request: TailRequest): Promise<TailReply> {
    const nowMs = Date.now();
    return this.#listeners.ask(request, this.#edgesHeardLately(nowMs), nowMs);
  }

  #reply({ seq }: MetricsBatch, nowMs: number): MetricsReply {
    if (this.#listeners.isEmpty) return { seq };
    const tail = this.#listeners.order(this.#edgesHeardLately(nowMs), nowMs);
    return tail === undefined ? { seq } : { seq, tail };
  }

  #edgesHeardLately(nowMs: number): number {
    if (nowMs - this.#countedAtMs < COUNT_EDGES_MS) return this.#activeEdges;
    this.#countedAtMs = nowMs;
    this.#activeEdges = 0;
    for (const { seenAtMs } of this.#edges.values()) if (nowMs - seenAtMs <= HEARD_LATELY_MS) this.#activeEdges++;
    return this.#activeEdges;
  }

  async totals(): Promise<Readonly<Record<string, number>>> {
    return Object.fromEntries(this.#totals);
  }

  #oldestEdges(coming: number): string[] {
    const excess = this.#edges.size + coming - MAX_EDGES;
    return excess > 0 ? [...this.#edges.keys()].slice(0, excess) : [];
  }
}
