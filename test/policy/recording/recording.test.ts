import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { OTHER } from "../../../src/policy/kernel/other.ts";
import { takeReading, type Reading } from "../../../src/policy/recording/reading.ts";
import { addSample, quantile, type Spread } from "../../../src/policy/recording/spread.ts";
import { addRoute, addTenant, addTally, bounded, newTally, type Tally } from "../../../src/policy/recording/tally.ts";

const sumOf = ({ routes, tenants }: Tally): readonly number[] => {
  const add = (all: Iterable<readonly number[]>): number =>
    [...all].reduce((sum, counts) => sum + counts.reduce((a, b) => a + b, 0), 0);
  return [add([...routes.values()].map(({ counts }) => counts)), add(tenants.values())];
};

describe("a spread", () => {
  it.each([1, 2, 3])("tells quantiles that are never too small, and too large by 19 % at most: seed %i", (seed) => {
    const random = seeded(seed);
    const values = Array.from({ length: 1_000 }, () => 10 ** (random() * 8 - 2));
    const spread: Spread = new Map();
    for (const value of values) addSample(spread, value);
    values.sort((a, b) => a - b);
    for (const ratio of [0.01, 0.5, 0.95, 0.99, 1]) {
      const exact = values[Math.ceil(ratio * values.length) - 1] ?? 0;
      const told = quantile(spread, ratio);
      expect(told).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
      expect(told).toBeLessThan(exact * 2 ** 0.25 * (1 + 1e-9));
    }
  });

  it("tells nothing of nothing, and takes no sample that is none", () => {
    const spread: Spread = new Map();
    for (const value of [0, -1, Number.NaN]) addSample(spread, value);
    expect([spread.size, quantile(spread, 0.5)]).toEqual([0, 0]);
  });
});

describe("a tally with bounds", () => {
  it("loses nothing, and keeps the busiest routes and the most throttled tenants", () => {
    const tally = newTally();
    for (let index = 1; index <= 50; index++) {
      addRoute(tally, `route-${index}`, "shop", [index, index]);
      addTenant(tally, `tenant-${index}`, [1_000 - index, index % 10, 0, 0, 0]);
    }
    const kept = bounded(tally, 5, 5);
    expect(sumOf(kept)).toEqual(sumOf(tally));
    expect([...kept.routes.values()].map(({ route }) => route)).toEqual([
      "route-50",
      "route-49",
      "route-48",
      "route-47",
      "route-46",
      OTHER,
    ]);
    expect([...kept.tenants.keys()]).toEqual(["tenant-9", "tenant-19", "tenant-29", "tenant-39", "tenant-49", OTHER]);
  });
});

describe("a reading", () => {
  const counted = (beganAtMs: number, tenants: Readonly<Record<string, number>>) => ({
    beganAtMs,
    routes: [{ route: "all", origin: "shop", counts: [tenants["a"] ?? 0] }],
    tenants: Object.entries(tenants).map(([tenant, count]) => ({ tenant, counts: [count] })),
  });

  it("of the same totals again is nothing", () => {
    const { reading } = takeReading(undefined, counted(1, { a: 3, other: 4 }));
    expect(sumOf(takeReading(reading, counted(1, { a: 3, other: 4 })).grown)).toEqual([0, 0]);
  });

  it("counts a tenant that is not told apart any more under other, and anew when it is again", () => {
    let reading: Reading | undefined;
    const all = newTally();
    const told: Readonly<Record<string, number>>[] = [
      { a: 10, b: 5, other: 0 },
      // b gave way to c, and went on a little.
      { a: 10, c: 2, other: 6 },
      { a: 11, b: 3, other: 8 },
    ];
    for (const totals of told) {
      const taken = takeReading(reading, counted(1, totals));
      reading = taken.reading;
      addTally(all, taken.grown);
    }
    expect(Object.fromEntries(all.tenants)).toEqual({ a: [11], b: [8], c: [2], other: [1] });
  });

  it("of totals that went back is nothing until they are above what they were; of a counter that is new, all of it", () => {
    let { reading } = takeReading(undefined, counted(1, { a: 10, b: 5, other: 1 }));
    const next = (beganAtMs: number, totals: Readonly<Record<string, number>>) => {
      const taken = takeReading(reading, counted(beganAtMs, totals));
      reading = taken.reading;
      return [...sumOf(taken.grown)];
    };
    expect(next(1, { a: 7, other: 1 })).toEqual([0, 0]);
    expect(next(1, { a: 12, other: 1 })).toEqual([2, 2]);
    expect(next(1, { a: 12, b: 5, other: 1 })).toEqual([0, 0]);
    expect(next(2, { a: 1, other: 0 })).toEqual([1, 1]);
  });
});
