import { describe, expect, it } from "vitest";
import { newLatencyCounts } from "../../../src/policy/kernel/histogram.ts";
import { type CountedRoute, eventsOf, eventsOfRoutes, OUTCOME_WORTH } from "../../../src/policy/objectives/events.ts";
import type { Objective } from "../../../src/policy/objectives/types.ts";
import { OUTCOMES } from "../../../src/protocol/metrics.ts";

const objective = (change: Partial<Objective> = {}): Objective => ({
  id: "shop-good",
  kind: "good",
  origin: "shop",
  targetRatio: 0.999,
  windowMs: 30 * 86_400_000,
  ...change,
});
const counted = (outcomes: CountedRoute["outcomes"], goodBuckets = newLatencyCounts()): CountedRoute => ({
  outcomes,
  goodBuckets,
});

describe("events of an objective", () => {
  it.each([
    ["origin", { total: 1, bad: 0 }, { total: 1, bad: 0 }],
    ["cache", { total: 1, bad: 0 }, { total: 1, bad: 0 }],
    ["stale", { total: 1, bad: 1 }, { total: 1, bad: 0 }],
    ["snapshot", { total: 1, bad: 1 }, { total: 1, bad: 0 }],
    ["failover", { total: 1, bad: 1 }, { total: 1, bad: 0 }],
    ["deferred", { total: 1, bad: 1 }, { total: 1, bad: 0 }],
    ["fallback", { total: 1, bad: 1 }, { total: 1, bad: 1 }],
    ["maintenance", { total: 1, bad: 1 }, { total: 1, bad: 1 }],
    ["shed", { total: 1, bad: 1 }, { total: 1, bad: 1 }],
    ["error", { total: 1, bad: 1 }, { total: 1, bad: 1 }],
    ["throttled", { total: 0, bad: 0 }, { total: 0, bad: 0 }],
    ["refused", { total: 0, bad: 0 }, { total: 0, bad: 0 }],
  ] as const)(
    "takes an answer of outcome %s for %o, and where degraded ones are good for %o",
    (outcome, good, also) => {
      expect(eventsOf(objective(), counted({ [outcome]: 1 }))).toEqual(good);
      expect(eventsOf(objective({ kind: "good-or-degraded" }), counted({ [outcome]: 1 }))).toEqual(also);
    },
  );

  it("has decided about every outcome that there is", () => {
    const noEvents = ["throttled", "refused"];
    expect(new Set([...Object.keys(OUTCOME_WORTH), ...noEvents])).toEqual(new Set(OUTCOMES));
  });

  it("counts as too late what was good but above the bound, and nothing else", () => {
    // Buckets up to 1, 2.5, 5, 10, 25 ms and so on; one answer in each, and one above them all.
    const each = counted(
      { origin: 14, error: 100 },
      newLatencyCounts().map(() => 1),
    );
    expect(eventsOf(objective({ kind: "latency", withinMs: 10 }), each)).toEqual({ total: 14, bad: 10 });
    expect(eventsOf(objective({ kind: "latency", withinMs: 10_000 }), each)).toEqual({ total: 14, bad: 1 });
    // Between two bounds: the stricter one.
    expect(eventsOf(objective({ kind: "latency", withinMs: 9 }), each)).toEqual({ total: 14, bad: 11 });
  });

  it("adds up all routes of an origin, or takes one", () => {
    const routes = [
      { id: "a", origin: "shop" },
      { id: "b", origin: "shop" },
      { id: "c", origin: "search" },
      { id: "toString", origin: "shop" },
    ];
    const all = { a: counted({ origin: 5, error: 1 }), b: counted({ cache: 3 }), c: counted({ origin: 7, shed: 2 }) };
    expect(eventsOfRoutes(objective(), routes, all)).toEqual({ total: 9, bad: 1 });
    const { origin: _, ...one } = objective({ route: "c" });
    expect(eventsOfRoutes(one, routes, all)).toEqual({ total: 9, bad: 2 });
  });
});
