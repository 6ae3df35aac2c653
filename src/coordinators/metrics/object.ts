/**
 * Adds up the counters of the edges that flush here: each batch counts once (policy/telemetry/ledger). Totals are in
 * memory, and stored whole in one transaction: at once after a quiet time, else within STORE_EVERY_MS of the first count
 * that is not stored yet, by alarm, so also when edges go quiet. Replies say what is counted and what is stored; edges
 * keep what is not stored, and send it again to an object that was evicted, so totals stay exact.
 *
 * What can be lost: of an isolate that dies, what it had counted since its last flush that was received; of an object
 * that dies, what it had counted in the last STORE_EVERY_MS from edges that do not flush any more.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../platform/bindings.ts";
import { callCoordinator } from "../../platform/coordinators.ts";
import { countSeries, isSent, type Ledger, takeBatches } from "../../policy/telemetry/ledger.ts";
import { tenantTotals } from "../../policy/telemetry/tenant-ledger.ts";
import {
  METRICS_PROTOCOL_VERSION,
  type MetricsFlush,
  type MetricsProtocol,
  type MetricsReply,
  type ShardTotals,
  type TailReply,
  type TailRequest,
} from "../../protocol/metrics.ts";
import { MONITOR_OBJECT } from "../../protocol/monitor.ts";
import { series } from "../../protocol/series.ts";
import { Listeners } from "./listeners.ts";
import { MetricsStorage } from "./storage.ts";

const STORE_EVERY_MS = 5_000;
/** An edge in use is heard that often, ... */
const FLUSH_AFTER_MS = 1_000;
/** ... or less often where there are many: an object takes about a thousand calls a second, and has more to do. */
const MAX_FLUSHES_PER_SECOND = 300;
const HEARD_LATELY_MS = 5_000;
/** They are counted anew after so long. */
const COUNT_EDGES_MS = 1_000;
const WAKE_EVERY_MS = 30_000;
/** One isolate is asked, and it may not be able to. */
const ASK_SETTINGS_EVERY_MS = 5_000;

export class Metrics extends DurableObject<Env> implements MetricsProtocol {
  readonly #storage: MetricsStorage;
  readonly #ledger: Ledger;
  readonly #listeners = new Listeners();
  readonly #shard: number;
  #isDirty = false;
  #isAlarmSet = false;
  #storedAtMs = Number.NEGATIVE_INFINITY;
  #activeEdges = 1;
  #countedAtMs = Number.NEGATIVE_INFINITY;
  #wokeAtMs = Number.NEGATIVE_INFINITY;
  #askedSettingsAtMs = Number.NEGATIVE_INFINITY;
  /** Of the Monitor's settings; undefined: it has not said. */
  #settingsVersion: number | undefined;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#shard = Number(state.id.name?.split(":")[1] ?? 0);
    this.#storage = new MetricsStorage(state.storage);
    this.#ledger = this.#storage.load(Date.now());
  }

  async flush(flush: MetricsFlush): Promise<MetricsReply> {
    if (flush.v !== METRICS_PROTOCOL_VERSION || !isSent(flush)) {
      throw new TypeError("not a flush of metrics of this version");
    }
    const nowMs = Date.now();
    const mark = takeBatches(this.#ledger, flush, nowMs);
    if (mark.received > mark.durable) this.#isDirty = true;
    if (flush.tail !== undefined) this.#listeners.take(flush.tail);
    this.#wakeMonitor(nowMs);
    await this.#seeToStoring(nowMs);
    const edges = this.#edgesHeardLately(nowMs);
    const tail = this.#listeners.isEmpty ? undefined : this.#listeners.order(edges, nowMs);
    return {
      received: mark.received,
      durable: mark.durable,
      flushAfterMs: this.#flushAfterMs(edges),
      wantsSettings: this.#wantsSettings(flush.configVersion, nowMs),
      ...(tail === undefined ? {} : { tail }),
    };
  }

  async totals(): Promise<ShardTotals> {
    const nowMs = Date.now();
    const { series: rare, routes, tenants } = this.#ledger;
    return {
      beganAtMs: this.#storage.beganAtMs,
      series: Object.fromEntries(rare),
      routes: [...routes.values()],
      tenants: tenantTotals(tenants, nowMs),
      edges: this.#edgesHeardLately(nowMs),
    };
  }

  async watch(request: TailRequest): Promise<TailReply> {
    const nowMs = Date.now();
    return this.#listeners.ask(request, this.#edgesHeardLately(nowMs), nowMs);
  }

  override async alarm(): Promise<void> {
    this.#isAlarmSet = false;
    if (this.#isDirty) this.#store(Date.now());
    if (this.#isDirty) await this.#setAlarm(Date.now());
  }

  async #seeToStoring(nowMs: number): Promise<void> {
    if (!this.#isDirty) return;
    if (nowMs - this.#storedAtMs >= STORE_EVERY_MS) this.#store(nowMs);
    if (this.#isDirty && !this.#isAlarmSet) await this.#setAlarm(this.#storedAtMs);
  }

  async #setAlarm(sinceMs: number): Promise<void> {
    this.#isAlarmSet = true;
    await this.ctx.storage.setAlarm(sinceMs + STORE_EVERY_MS);
  }

  /** Where it fails, what is counted stays, and is stored with what comes. */
  #store(nowMs: number): void {
    this.#storedAtMs = nowMs;
    try {
      this.#storage.save(this.#ledger);
    } catch {
      countSeries(this.#ledger, series("weir_metrics_store_failures_total"), 1);
      return;
    }
    this.#isDirty = false;
    for (const mark of this.#ledger.edges.values()) mark.durable = mark.received;
  }

  #edgesHeardLately(nowMs: number): number {
    if (nowMs - this.#countedAtMs < COUNT_EDGES_MS) return this.#activeEdges;
    this.#countedAtMs = nowMs;
    const sinceMs = nowMs - Math.max(HEARD_LATELY_MS, 2 * this.#flushAfterMs(this.#activeEdges));
    this.#activeEdges = 0;
    for (const { seenAtMs } of this.#ledger.edges.values()) if (seenAtMs >= sinceMs) this.#activeEdges++;
    return this.#activeEdges;
  }

  #flushAfterMs(edges: number): number {
    return Math.max(FLUSH_AFTER_MS, Math.ceil((edges * 1_000) / MAX_FLUSHES_PER_SECOND));
  }

  /** Behind the reply: what is counted does not wait for the Monitor. */
  #wakeMonitor(nowMs: number): void {
    if (this.env.MONITOR === undefined || nowMs - this.#wokeAtMs < WAKE_EVERY_MS) return;
    this.#wokeAtMs = nowMs;
    const woken = callCoordinator(this.env, "MONITOR", MONITOR_OBJECT, "wake", { v: 1, shard: this.#shard });
    this.ctx.waitUntil(
      woken.then(
        ({ configVersion }) => {
          this.#settingsVersion = configVersion;
        },
        () => {
          countSeries(this.#ledger, series("weir_metrics_wake_failures_total"), 1);
        },
      ),
    );
  }

  #wantsSettings(configVersion: number, nowMs: number): boolean {
    if (this.#settingsVersion === undefined || this.#settingsVersion >= configVersion) return false;
    if (nowMs - this.#askedSettingsAtMs < ASK_SETTINGS_EVERY_MS) return false;
    this.#askedSettingsAtMs = nowMs;
    return true;
  }
}
