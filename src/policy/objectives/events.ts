/**
 * What one objective sees of what was counted. Not every request is an event: what the caller earned (throttled, refused)
 * says nothing of the service. Degraded answers are bad unless the objective says otherwise, so they never count as good
 * unseen. `latency` looks at good answers only: what failed fast is no fast answer.
 * Cost: O(outcomes + buckets) for each route.
 */
import { LATENCY_BOUNDS_SECONDS } from "../kernel/histogram.ts";
import type { EventCounts, Objective } from "./types.ts";

/** What was counted of one route within some time. */
export interface CountedRoute {
  readonly outcomes: Readonly<Partial<Record<string, number>>>;
  /** Of good answers, by LATENCY_BOUNDS_SECONDS, the last +Inf; not cumulative. */
  readonly goodBuckets: readonly number[];
}

/** By outcome: is it good, good only where degraded answers are, or bad. What is not here is no event. */
export const OUTCOME_WORTH: Readonly<Record<string, "good" | "degraded" | "bad">> = {
  origin: "good",
  cache: "good",
  stale: "degraded",
  snapshot: "degraded",
  failover: "degraded",
  deferred: "degraded",
  fallback: "bad",
  maintenance: "bad",
  shed: "bad",
  error: "bad",
};

export const NO_EVENTS: EventCounts = { total: 0, bad: 0 };

/** `withinMs` that is none of the bounds counts as the bound below it: a stricter objective, never a laxer one. */
export function eventsOf({ kind, withinMs = 0 }: Objective, counted: CountedRoute): EventCounts {
  let total = 0;
  let bad = 0;
  if (kind === "latency") {
    counted.goodBuckets.forEach((count, index) => {
      total += count;
      const boundSeconds = LATENCY_BOUNDS_SECONDS[index];
      if (boundSeconds === undefined || boundSeconds * 1_000 > withinMs) bad += count;
    });
    return { total, bad };
  }
  for (const [outcome, count = 0] of Object.entries(counted.outcomes)) {
    const worth = OUTCOME_WORTH[outcome];
    if (worth === undefined) continue;
    total += count;
    if (worth === "bad" || (worth === "degraded" && kind === "good")) bad += count;
  }
  return { total, bad };
}

export const addEvents = (one: EventCounts, other: EventCounts): EventCounts => ({
  total: one.total + other.total,
  bad: one.bad + other.bad,
});

/** Of all routes that the objective is about. `routes`: which origin each belongs to; one that is gone counts for none. */
export function eventsOfRoutes(
  objective: Objective,
  routes: readonly { readonly id: string; readonly origin: string }[],
  counted: Readonly<Record<string, CountedRoute>>,
): EventCounts {
  let events = NO_EVENTS;
  for (const { id, origin } of routes) {
    if (objective.route === undefined ? origin !== objective.origin : id !== objective.route) continue;
    const route = Object.hasOwn(counted, id) ? counted[id] : undefined;
    if (route !== undefined) events = addEvents(events, eventsOf(objective, route));
  }
  return events;
}
