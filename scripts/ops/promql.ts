/** Objectives as PromQL: the same events as `policy/objectives` counts, of the metrics that are exposed. */
import { LATENCY_BOUNDS_SECONDS } from "../../src/policy/kernel/histogram.ts";
import { OUTCOME_WORTH } from "../../src/policy/objectives/events.ts";
import type { Objective } from "../../src/policy/objectives/types.ts";

const outcomes = (...worths: readonly string[]): string =>
  Object.entries(OUTCOME_WORTH)
    .flatMap(([outcome, worth]) => (worths.includes(worth) ? [outcome] : []))
    .join("|");

const place = ({ origin, route }: Objective): string =>
  route === undefined ? `origin="${origin ?? ""}"` : `route="${route}"`;

/** How much of `part` there was within `window`, by scrape job: one Prometheus may watch several gateways. */
export function eventsOf(objective: Objective, part: "total" | "bad", by: "rate" | "increase", window: string): string {
  const sum = (name: string, matcher: string): string =>
    `sum by (job) (${by}(${name}{${place(objective)},${matcher}}[${window}]))`;
  if (objective.kind === "latency") {
    const all = sum("weir_good_requests_total", 'within="+Inf"');
    // As `eventsOf` of the policy: a time that is none of the bounds counts as the bound below it.
    const within = LATENCY_BOUNDS_SECONDS.findLast((bound) => bound * 1_000 <= (objective.withinMs ?? 0));
    if (part === "total" || within === undefined) return all;
    return `${all} - ${sum("weir_good_requests_total", `within="${within}"`)}`;
  }
  const bad = objective.kind === "good" ? ["degraded", "bad"] : ["bad"];
  const counted = part === "bad" ? outcomes(...bad) : outcomes("good", "degraded", "bad");
  return sum("weir_requests_total", `outcome=~"${counted}"`);
}

/** How many times as fast as it may the budget is spent. */
export function burnOf(objective: Objective, window: string): string {
  const budget = Number((1 - objective.targetRatio).toPrecision(12));
  return `(${eventsOf(objective, "bad", "rate", window)}) / (${eventsOf(objective, "total", "rate", window)}) / ${budget}`;
}
