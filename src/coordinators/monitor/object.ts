/**
 * Records what became of the counters, judges objectives, raises alerts and delivers them, and tells those who watch live.
 * There is one; nothing on a request's way waits for it. While it is away totals go on growing, breakers' news wait with
 * their origins, and deliveries in its outbox: it catches up.
 *
 * Its one alarm is for whatever is due first: a reading, an evaluation of alerts, a delivery. It rests when nothing has
 * changed for three minutes, nobody watches and nothing fires; whoever counts something wakes it.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../platform/bindings.ts";
import { logError } from "../../platform/log.ts";
import { breakerOf, burnConditions, counterConditions, spikeConditions } from "../../policy/alerting/conditions.ts";
import type { Condition } from "../../policy/alerting/types.ts";
import { addTally, isEmpty, newTally } from "../../policy/recording/tally.ts";
import { MAX_POINTS, type MonitorProtocol, type MonitorSettings } from "../../protocol/monitor.ts";
import { Alerts } from "./alerts.ts";
import { Breakers } from "./breakers.ts";
import { IncidentTable } from "./incident-table.ts";
import { Lately } from "./lately.ts";
import { Live, tickPoint } from "./live.ts";
import { Objectives } from "./objectives.ts";
import { paceOf } from "./pace.ts";
import { readMetrics, type Readings } from "./readings.ts";
import { HOUR_MS, MINUTE_MS, Recorder } from "./recorder.ts";
import { readSettings } from "./settings.ts";
import { MonitorStorage } from "./storage.ts";

type Request<Method extends keyof MonitorProtocol> = Parameters<MonitorProtocol[Method]>[0];
type Reply<Method extends keyof MonitorProtocol> = ReturnType<MonitorProtocol[Method]>;

const EVALUATE_EVERY_MS = 5_000;
const QUIET_TICK_MS = 5_000;
/** The alarm never comes sooner than this after the last one, whatever is due: no fault makes it spin. */
const LEAST_ALARM_GAP_MS = 50;
/** A Metrics object that cannot be read takes no flushes either, and those that fail are not counted anywhere. */
const READING_WEIGHS = 3;
const MAX_SETTINGS_CHARACTERS = 1_500_000;
const DEFAULT_SPIKE_FOR_MS = 120_000;

export class Monitor extends DurableObject<Env> implements MonitorProtocol {
  readonly #storage: MonitorStorage;
  readonly #recorder: Recorder;
  readonly #objectives: Objectives;
  readonly #incidents: IncidentTable;
  readonly #alerts: Alerts;
  readonly #live: Live;
  readonly #breakers: Breakers;
  readonly #lately = new Lately();
  #settings: MonitorSettings | undefined;
  /** What counters said at the last evaluation; breakers and objectives are looked at each time. */
  #counterConditions: readonly Condition[] = [];
  #changedAtMs: number;
  #evaluatedAtMs = Number.NEGATIVE_INFINITY;
  /** Undefined: none until somebody wakes it. */
  #readAtMs: number | undefined;
  #isReading = false;
  #tookMs = 0;
  /** Since the last tick. */
  #tick = newTally();
  #tickedAtMs: number;
  /** Somebody came, and knows nothing yet. */
  #isGreeting = false;
  #edges = 0;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    const nowMs = Date.now();
    this.#storage = new MonitorStorage(state.storage);
    this.#recorder = new Recorder(this.#storage, nowMs);
    this.#objectives = new Objectives(this.#storage, this.#recorder);
    this.#incidents = new IncidentTable(state.storage);
    this.#alerts = new Alerts(state.storage, env, (alerts, atMs) => {
      for (const alert of alerts) {
        const about = breakerOf(alert);
        if (about !== undefined) this.#incidents.noteTold(about.originId, about.pop, atMs);
      }
    });
    this.#live = new Live(state);
    this.#breakers = new Breakers(env);
    this.#settings = readSettings(this.#storage.meta("settings"));
    this.#objectives.take(this.#settings?.objectives ?? []);
    this.#changedAtMs = nowMs;
    this.#tickedAtMs = nowMs;
    this.#readAtMs = nowMs;
  }

  async wake(_request: Request<"wake">): Reply<"wake"> {
    this.#readSoon(Date.now());
    await this.#schedule();
    return { configVersion: this.#settings?.configVersion ?? 0 };
  }

  async configure({ settings }: Request<"configure">): Promise<void> {
    if (settings.configVersion <= (this.#settings?.configVersion ?? 0)) return;
    const checked = readSettings(settings);
    if (checked === undefined || JSON.stringify(settings).length > MAX_SETTINGS_CHARACTERS) {
      throw new TypeError("not the settings of a config");
    }
    this.#storage.saveMeta("settings", checked);
    this.#settings = checked;
    this.#objectives.take(checked.objectives);
    await this.#schedule();
  }

  async hearBreaker({ news }: Request<"hearBreaker">): Promise<void> {
    const nowMs = Date.now();
    try {
      this.ctx.storage.transactionSync(() => {
        this.#incidents.hear(news);
        this.#evaluate(nowMs);
      });
    } catch (error) {
      this.#incidents.reload();
      throw error;
    }
    this.#breakers.hear(news);
    if (this.#live.isWatched) this.#sendTick(nowMs);
    await this.#schedule();
  }

  async series({ fromMs, toMs, stepMs }: Request<"series">): Reply<"series"> {
    const widthMs = stepMs < HOUR_MS ? MINUTE_MS : HOUR_MS;
    if (!(stepMs >= MINUTE_MS && stepMs % widthMs === 0 && (toMs - fromMs) / stepMs <= MAX_POINTS)) {
      throw new RangeError("series refused: whole minutes or hours, and not too many");
    }
    return { points: this.#recorder.series(fromMs, toMs, stepMs) };
  }

  async objectives(): Reply<"objectives"> {
    const nowMs = Date.now();
    this.#objectives.update(nowMs);
    return { objectives: this.#objectives.status(nowMs), incidents: this.#incidents.list() };
  }

  async alerts(): Reply<"alerts"> {
    return this.#alerts.view();
  }

  async silence({ match, forMs, reason, by }: Request<"silence">): Reply<"silence"> {
    const nowMs = Date.now();
    const made = this.#alerts.silence({ id: crypto.randomUUID(), match, untilMs: nowMs + forMs, reason, by });
    if (made === undefined) return { kind: "full" };
    this.#evaluate(nowMs);
    await this.#schedule();
    return made;
  }

  async endSilence({ id }: Request<"endSilence">): Reply<"endSilence"> {
    const ended = this.#alerts.endSilence(id);
    if (ended) this.#evaluate(Date.now());
    await this.#schedule();
    return { ended };
  }

  async redeliver({ id }: Request<"redeliver">): Reply<"redeliver"> {
    const found = this.#alerts.redeliver(id, Date.now());
    await this.#schedule();
    return { found };
  }

  async demand({ fromMs, toMs }: Request<"demand">): Reply<"demand"> {
    return this.#recorder.demand(fromMs, toMs);
  }

  /** A WebSocket of somebody whom the admin API let in. */
  override async fetch(request: globalThis.Request): Promise<Response> {
    const nowMs = Date.now();
    const response = this.#live.open(request, nowMs);
    if (response.status !== 101) return response;
    this.#isGreeting = true;
    this.#readSoon(nowMs);
    await this.#schedule();
    return response;
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    socket.close();
  }

  /** Whatever fails is told and tried again: the next alarm is always set. */
  override async alarm(): Promise<void> {
    try {
      await this.#work(Date.now());
    } catch (error) {
      logError({ where: "monitor", error: String(error) });
    }
    await this.#schedule();
  }

  async #work(nowMs: number): Promise<void> {
    // A clock that stepped back does not put it off.
    const isDue = this.#readAtMs !== undefined && (this.#readAtMs <= nowMs || this.#readAtMs > nowMs + 2 * MINUTE_MS);
    if (isDue) await this.#read();
    const { unreadable } = this.#storage;
    if (unreadable > 0) logError({ where: "monitor", error: `${unreadable} stored rows cannot be read` });
    this.#storage.unreadable = 0;
    if (this.#alerts.evaluateAtMs() <= Date.now()) this.#evaluate(Date.now());
    if (this.#settings === undefined || (this.#alerts.dueAtMs() ?? Number.POSITIVE_INFINITY) > Date.now()) return;
    // Not waited for: a receiver that is slow holds nobody up.
    this.ctx.waitUntil(this.#deliver(this.#settings));
  }

  async #deliver(settings: MonitorSettings): Promise<void> {
    try {
      await this.#alerts.deliverDue(settings.alerts);
    } catch (error) {
      logError({ where: "monitor delivery", error: String(error) });
    }
    await this.#schedule();
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    const beganAtMs = Date.now();
    try {
      this.#take(await readMetrics(this.env), Date.now());
    } finally {
      this.#isReading = false;
      const nowMs = Date.now();
      this.#tookMs = Math.max(0, nowMs - beganAtMs);
      const paceMs = paceOf({
        isWatched: this.#live.isWatched,
        isFiring: this.#alerts.firing() > 0,
        quietMs: Math.max(0, nowMs - this.#changedAtMs),
        tookMs: this.#tookMs,
      });
      this.#readAtMs = paceMs === undefined ? undefined : nowMs + paceMs;
    }
  }

  /** Synchronous from here on: nothing comes between what is read and what is made of it. */
  #take({ totals, failed }: Readings, nowMs: number): void {
    this.#recorder.proceed(nowMs, this.#objectives.eventsOf);
    let hasChanged = false;
    this.#edges = 0;
    for (const { shard, totals: read } of totals) {
      const grown = this.#recorder.take(shard, read);
      this.#edges += read.edges;
      this.#lately.noteSeries(shard, read.series);
      if (isEmpty(grown)) continue;
      hasChanged = true;
      addTally(this.#tick, grown);
      this.#lately.note(grown, this.#settings?.alerts.spikeForMs ?? DEFAULT_SPIKE_FOR_MS, nowMs);
    }
    this.#recorder.sample(nowMs);
    if (hasChanged) this.#changedAtMs = nowMs;
    if (failed > 0) this.#lately.noteGrown("weir_metrics_flush_failures_total", failed * READING_WEIGHS);
    if (Math.abs(nowMs - this.#evaluatedAtMs) >= EVALUATE_EVERY_MS) {
      const { grown, requests } = this.#lately.takeGrown();
      this.#counterConditions = [
        ...counterConditions(grown, requests),
        ...(this.#settings === undefined
          ? []
          : spikeConditions(this.#lately.tenants(this.#settings.alerts.spikeForMs, nowMs), this.#settings.alerts)),
      ];
      this.#evaluate(nowMs);
    }
    if (!this.#live.isWatched) {
      this.#tick = newTally();
      this.#tickedAtMs = nowMs;
      return;
    }
    this.#live.closeOld(nowMs);
    const asking = this.#breakers.ask(this.#settings?.origins ?? [], nowMs);
    if (asking !== undefined) this.ctx.waitUntil(asking);
    if (hasChanged || this.#isGreeting || Math.abs(nowMs - this.#tickedAtMs) >= QUIET_TICK_MS) this.#sendTick(nowMs);
  }

  #evaluate(nowMs: number): void {
    if (this.#settings === undefined) return;
    this.#objectives.update(nowMs);
    const conditions = [
      ...this.#incidents.conditions(nowMs),
      ...burnConditions(this.#objectives.status(nowMs)),
      ...this.#counterConditions,
    ];
    this.#alerts.evaluate(nowMs, conditions, this.#settings.alerts);
    this.#evaluatedAtMs = nowMs;
  }

  #sendTick(nowMs: number): void {
    this.#live.tell({
      v: 1,
      atMs: nowMs,
      point: tickPoint(this.#tick, Math.min(this.#tickedAtMs, nowMs), nowMs),
      breakers: this.#breakers.list(),
      firing: this.#alerts.firing(),
      edges: this.#edges,
    });
    this.#tick = newTally();
    this.#tickedAtMs = nowMs;
    this.#isGreeting = false;
  }

  /** Now, unless one is due as soon as they come while somebody calls. */
  #readSoon(nowMs: number): void {
    const soonMs = paceOf({ isWatched: this.#live.isWatched, isFiring: false, quietMs: 0, tookMs: this.#tookMs }) ?? 0;
    if (this.#readAtMs === undefined || this.#readAtMs > nowMs + soonMs) this.#readAtMs = nowMs;
  }

  async #schedule(): Promise<void> {
    const nowMs = Date.now();
    const due = [this.#readAtMs];
    if (this.#settings !== undefined) {
      due.push(Math.max(this.#alerts.evaluateAtMs(), this.#evaluatedAtMs + EVALUATE_EVERY_MS / 10));
      due.push(this.#alerts.dueAtMs());
    }
    const atMs = Math.min(...due.filter((one) => one !== undefined));
    if (!Number.isFinite(atMs)) return;
    const alarmMs = Math.max(nowMs + LEAST_ALARM_GAP_MS, atMs);
    const setMs = await this.ctx.storage.getAlarm();
    if (setMs === null || setMs > alarmMs + LEAST_ALARM_GAP_MS) await this.ctx.storage.setAlarm(alarmMs);
  }
}
