/**
 * What became of the totals: points by the minute and the hour, demand by the hour. The minute that runs is in memory, and
 * so is its hour; both are stored when the minute ends, in one transaction with the readings they were made of.
 *
 * What a crash loses: no count. What was counted since the minute began is read again as an increase above the stored
 * readings, and belongs to the minute in which that happens; its samples of demand become one, and the one that was under
 * way when it began is gone.
 * A clock that steps back goes on in the minute it shows, whose row is added to.
 */
import {
  addDemand,
  boundDemand,
  type Demand,
  mergeDemand,
  newDemand,
  quantiles,
  SAMPLE_MS,
} from "../../policy/recording/demand.ts";
import { type Reading, takeReading } from "../../policy/recording/reading.ts";
import { addTally, bounded, isEmpty, newTally, type Tally } from "../../policy/recording/tally.ts";
import type { ShardTotals } from "../../protocol/metrics.ts";
import type { DemandReport, SeriesPoint } from "../../protocol/monitor.ts";
import { countedOf, pointOf, requestsOf } from "./points.ts";
import { MOST_ROUTES, MOST_TENANTS } from "./rows.ts";
import type { MonitorStorage, Step } from "./storage.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
/** Tenants whose demand is kept for an hour. */
const MOST_DEMANDING = 300;
/** Of the hour that runs, in memory. */
const MOST_TENANTS_IN_MEMORY = 1_000;
/** Readings come when they come: a sample may be so much shorter. */
const SAMPLE_SLACK_MS = 500;
/** A crash within a minute makes one of this length at most; who began longer ago had rested. */
const LONGEST_SAMPLE_MS = 120_000;
/** Of the points of one answer together. */
const MOST_ROUTES_TOLD = 60_000;

/** For each objective: its events of this minute or hour. */
export type EventsOf = (tally: Tally) => unknown;

export class Recorder {
  readonly #storage: MonitorStorage;
  readonly #readings: Map<number, Reading | "lost">;
  /** Shards whose reading is not stored as it is. */
  readonly #unstored = new Set<number>();
  #minuteMs: number;
  minute: Tally;
  hour: Tally;
  #demand: Demand;
  #sample = newTally();
  /** Of each tenant, by shard. */
  readonly #peaks = new Map<string, number[]>();
  #sampleFromMs: number;
  /** Something is not stored. */
  #isDirty = false;

  constructor(storage: MonitorStorage, nowMs: number) {
    this.#storage = storage;
    this.#readings = new Map(storage.readings());
    this.#minuteMs = floor(nowMs, MINUTE_MS);
    this.minute = this.#stored("minute", nowMs);
    this.hour = this.#stored("hour", nowMs);
    this.#demand = storage.demand(this.hourMs) ?? newDemand();
    const storedAtMs = Number(storage.meta("stored-at") ?? 0);
    this.#sampleFromMs = nowMs >= storedAtMs && nowMs - storedAtMs < LONGEST_SAMPLE_MS ? storedAtMs : nowMs;
  }

  get minuteMs(): number {
    return this.#minuteMs;
  }

  get hourMs(): number {
    return floor(this.#minuteMs, HOUR_MS);
  }

  /** What is new of one Metrics object's. */
  take(shard: number, totals: ShardTotals): Tally {
    const last = this.#readings.get(shard);
    const taken = takeReading(last === "lost" ? undefined : last, countedOf(totals));
    this.#readings.set(shard, taken.reading);
    // What was made of it before is not known: to count it again would be worse than not to count it.
    const grown = last === "lost" ? newTally() : taken.grown;
    if (last !== "lost" && isEmpty(grown)) return grown;
    this.#unstored.add(shard);
    this.#isDirty = true;
    for (const tally of [this.minute, this.hour, this.#sample]) addTally(tally, grown);
    for (const { tenant, peakTokens } of totals.tenants) {
      if (!grown.tenants.has(tenant)) continue;
      const peaks = this.#peaks.get(tenant) ?? [];
      peaks[shard] = Math.max(peaks[shard] ?? 0, peakTokens);
      this.#peaks.set(tenant, peaks);
    }
    return grown;
  }

  /** Ends the sample, when it is long enough. After what is new is taken. */
  sample(nowMs: number): void {
    const elapsedMs = nowMs - this.#sampleFromMs;
    if (elapsedMs < 0) this.#endSample(SAMPLE_MS, nowMs);
    else if (elapsedMs >= SAMPLE_MS - SAMPLE_SLACK_MS) this.#endSample(elapsedMs, nowMs);
  }

  /** Ends the minute that is over. Before what is new is taken. */
  proceed(nowMs: number, eventsOf: EventsOf): void {
    if (floor(nowMs, MINUTE_MS) === this.#minuteMs) return;
    const hourMs = this.hourMs;
    this.store(nowMs, eventsOf);
    this.#minuteMs = floor(nowMs, MINUTE_MS);
    this.minute = this.#stored("minute", nowMs);
    if (this.hourMs === hourMs) return;
    this.hour = this.#stored("hour", nowMs);
    this.#demand = this.#storage.demand(this.hourMs) ?? newDemand();
    this.#storage.forgetOld(nowMs);
  }

  /** All of it in one transaction; nothing where nothing is new. */
  store(nowMs: number, eventsOf: EventsOf): void {
    if (!this.#isDirty) return;
    boundDemand(this.#demand, MOST_DEMANDING);
    this.#storage.transaction(() => {
      this.#storage.saveTally("minute", this.#minuteMs, this.minute, eventsOf(this.minute));
      this.#storage.saveTally("hour", this.hourMs, this.hour, eventsOf(this.hour));
      this.#storage.saveDemand(this.hourMs, this.#demand);
      for (const shard of this.#unstored) {
        const reading = this.#readings.get(shard);
        if (reading !== undefined && reading !== "lost") this.#storage.saveReading(shard, reading);
      }
      this.#storage.saveMeta("stored-at", nowMs);
    });
    this.#unstored.clear();
    this.#isDirty = false;
    this.hour = bounded(this.hour, MOST_ROUTES, MOST_TENANTS_IN_MEMORY);
  }

  /** The oldest first. Steps begin at whole steps since 1970. */
  series(fromMs: number, toMs: number, stepMs: number): readonly SeriesPoint[] {
    const [step, widthMs] = stepMs < HOUR_MS ? (["minute", MINUTE_MS] as const) : (["hour", HOUR_MS] as const);
    const steps = new Map<number, Tally>();
    const add = (atMs: number, tally: Tally): void => {
      const stepMsOf = floor(atMs, stepMs);
      const known = steps.get(stepMsOf) ?? newTally();
      steps.set(stepMsOf, known);
      addTally(known, tally);
    };
    const runningMs = step === "minute" ? this.#minuteMs : this.hourMs;
    const firstMs = floor(fromMs, widthMs);
    if (runningMs >= firstMs && runningMs < toMs) add(runningMs, step === "minute" ? this.minute : this.hour);
    for (const { atMs, tally } of this.#storage.tallies(step, firstMs, toMs)) if (atMs !== runningMs) add(atMs, tally);
    const mostRoutes = Math.min(MOST_ROUTES, Math.max(1, Math.floor(MOST_ROUTES_TOLD / Math.max(1, steps.size))));
    return [...steps]
      .filter(([, tally]) => !isEmpty(tally))
      .toSorted(([a], [b]) => a - b)
      .map(([atMs, tally]) => pointOf(tally, atMs, atMs + stepMs, mostRoutes, MOST_TENANTS));
  }

  demand(fromMs: number, toMs: number): DemandReport {
    const demand = newDemand();
    mergeDemand(demand, this.#demand);
    for (const hour of this.#storage.demands(floor(fromMs, HOUR_MS), this.hourMs)) mergeDemand(demand, hour);
    boundDemand(demand, MOST_DEMANDING);
    return {
      fromMs,
      toMs,
      tenants: [...demand.tenants].map(([tenant, { rates, peakTokens, admitted, throttled, durationSecondsSum }]) => ({
        tenant,
        ...quantiles(rates),
        peakTokens,
        admitted,
        throttled,
        meanSeconds: durationSecondsSum / Math.max(1, admitted + throttled),
      })),
      origins: [...demand.origins].map(([origin, { rates, atOnce, requests, durationSecondsSum }]) => ({
        origin,
        ...quantiles(rates),
        concurrencyP99: quantiles(atOnce).p99,
        meanSeconds: durationSecondsSum / Math.max(1, requests),
      })),
    };
  }

  #endSample(elapsedMs: number, nowMs: number): void {
    if (!isEmpty(this.#sample)) {
      // A tenant's isolates are spread over the shards: all together it may have been the sum.
      const peaks = new Map(
        [...this.#peaks].map(([tenant, all]) => [tenant, all.reduce((sum, peak) => sum + peak, 0)]),
      );
      addDemand(this.#demand, this.#sample, requestsOf, peaks, elapsedMs);
      this.#isDirty = true;
    }
    this.#sample = newTally();
    this.#peaks.clear();
    this.#sampleFromMs = nowMs;
  }

  #stored(step: Step, nowMs: number): Tally {
    return this.#storage.tally(step, floor(nowMs, step === "minute" ? MINUTE_MS : HOUR_MS)) ?? newTally();
  }
}

const floor = (ms: number, stepMs: number): number => Math.floor(ms / stepMs) * stepMs;
