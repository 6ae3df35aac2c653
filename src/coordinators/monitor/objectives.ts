/**
 * Objectives, judged by what is recorded: the events of each by the minute for 26 hours and by the hour for 35 days, in
 * memory, from small columns of the rows. Windows up to a day go by minutes, longer ones by hours; the minute or hour in
 * which a window begins counts whole.
 * An objective is recorded from when the config has it: what it counts is its name here (target and window may change).
 * Cost of a judgement: the minutes and hours that are kept, for each objective.
 */
import { budgetLeft, judgeBurn } from "../../policy/objectives/burn.ts";
import { addEvents, eventsOf, NO_EVENTS } from "../../policy/objectives/events.ts";
import type { EventCounts, Objective } from "../../policy/objectives/types.ts";
import type { Tally } from "../../policy/recording/tally.ts";
import type { ObjectiveStatus } from "../../protocol/monitor.ts";
import { routePointOf } from "./points.ts";
import { HOUR_MS, MINUTE_MS, type Recorder } from "./recorder.ts";
import { type EventsRow, KEEP_HOURS_MS, KEEP_MINUTES_MS, type MonitorStorage, type Step } from "./storage.ts";

/** By when the minute or the hour began. */
type Timeline = Map<number, EventCounts>;

interface Recorded {
  readonly minute: Timeline;
  readonly hour: Timeline;
}

export class Objectives {
  readonly #recorder: Recorder;
  #objectives: readonly Objective[] = [];
  /** By `nameOf`. */
  readonly #recorded = new Map<string, Recorded>();

  constructor(storage: MonitorStorage, recorder: Recorder) {
    this.#recorder = recorder;
    this.#load("minute", storage.events("minute"));
    this.#load("hour", storage.events("hour"));
  }

  /** Those of the config in force. */
  take(objectives: readonly Objective[]): void {
    this.#objectives = objectives;
    const names = new Set(objectives.map(nameOf));
    for (const name of this.#recorded.keys()) if (!names.has(name)) this.#recorded.delete(name);
  }

  /** As it is stored beside a minute or an hour: `[name, total, bad]` of each. */
  readonly eventsOf = (tally: Tally): unknown =>
    this.#counted(tally).map(([name, { total, bad }]) => [name, total, bad]);

  /** What runs is brought up to date, what is too old is forgotten. */
  update(nowMs: number): void {
    const { minuteMs, hourMs, minute, hour } = this.#recorder;
    for (const [name, events] of this.#counted(minute)) this.#of(name).minute.set(minuteMs, events);
    for (const [name, events] of this.#counted(hour)) this.#of(name).hour.set(hourMs, events);
    for (const recorded of this.#recorded.values()) {
      forget(recorded.minute, nowMs - KEEP_MINUTES_MS);
      forget(recorded.hour, nowMs - KEEP_HOURS_MS);
    }
  }

  status(nowMs: number): readonly ObjectiveStatus[] {
    return this.#objectives.map((objective) => {
      const recorded = this.#of(nameOf(objective));
      const within = (lastMs: number): EventCounts =>
        lastMs <= KEEP_MINUTES_MS
          ? since(recorded.minute, nowMs - lastMs, MINUTE_MS)
          : since(recorded.hour, nowMs - lastMs, HOUR_MS);
      const budget = within(objective.windowMs);
      const firstMs = Math.min(nowMs, ...recorded.hour.keys());
      return {
        objective,
        ...budget,
        budgetLeftRatio: budgetLeft(budget, objective.targetRatio),
        burn: judgeBurn(objective, within),
        recordedSinceMs: Math.max(firstMs, nowMs - objective.windowMs),
      };
    });
  }

  #counted(tally: Tally): readonly (readonly [name: string, events: EventCounts])[] {
    if (this.#objectives.length === 0) return [];
    const routes = [...tally.routes.values()].map(({ counts, ...route }) => ({
      ...route,
      point: routePointOf(counts),
    }));
    return this.#objectives.map((objective) => {
      let events = NO_EVENTS;
      for (const { route, origin, point } of routes) {
        const isIts = objective.route === undefined ? origin === objective.origin : route === objective.route;
        if (isIts) events = addEvents(events, eventsOf(objective, point));
      }
      return [nameOf(objective), events] as const;
    });
  }

  #of(name: string): Recorded {
    const known = this.#recorded.get(name) ?? { minute: new Map(), hour: new Map() };
    this.#recorded.set(name, known);
    return known;
  }

  #load(step: Step, rows: readonly EventsRow[]): void {
    for (const { atMs, events } of rows) {
      for (const entry of Array.isArray(events) ? events : []) {
        const [name, total, bad]: readonly unknown[] = Array.isArray(entry) ? entry : [];
        if (typeof name !== "string" || typeof total !== "number" || typeof bad !== "number") continue;
        this.#of(name)[step].set(atMs, { total, bad });
      }
    }
  }
}

/** What is counted under it. */
const nameOf = ({ id, kind, origin = "", route = "", withinMs = 0 }: Objective): string =>
  [id, kind, origin, route, withinMs].join("|");

function since(timeline: Timeline, fromMs: number, widthMs: number): EventCounts {
  let total = 0;
  let bad = 0;
  for (const [atMs, events] of timeline) {
    if (atMs + widthMs <= fromMs) continue;
    total += events.total;
    bad += events.bad;
  }
  return { total, bad };
}

function forget(timeline: Timeline, beforeMs: number): void {
  for (const atMs of timeline.keys()) if (atMs < beforeMs) timeline.delete(atMs);
}
