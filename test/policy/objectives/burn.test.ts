import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { budgetLeft, burnRate, burnWindows, judgeBurn, LEAST_BAD_EVENTS } from "../../../src/policy/objectives/burn.ts";
import type { EventCounts, Objective } from "../../../src/policy/objectives/types.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SEED = Number(process.env["WEIR_SEED"] ?? 1);
const objective = (targetRatio: number, windowMs = 30 * DAY): Objective => ({
  id: "o",
  kind: "good",
  origin: "shop",
  targetRatio,
  windowMs,
});

describe("burn windows", () => {
  it("are those of the SRE workbook at 30 days", () => {
    expect(
      burnWindows(30 * DAY).map(({ factor, ...rest }) => ({ ...rest, factor: Number(factor.toFixed(9)) })),
    ).toEqual([
      { longMs: HOUR, shortMs: 5 * MINUTE, factor: 14.4, severity: "page" },
      { longMs: 6 * HOUR, shortMs: 30 * MINUTE, factor: 6, severity: "page" },
      { longMs: DAY, shortMs: 2 * HOUR, factor: 3, severity: "ticket" },
      { longMs: 3 * DAY, shortMs: 6 * HOUR, factor: 1, severity: "ticket" },
    ]);
  });

  it("have sloth's factors at 28 days", () => {
    expect(burnWindows(28 * DAY).map(({ factor }) => Number(factor.toFixed(3)))).toEqual([13.44, 5.6, 2.8, 0.933]);
  });

  it.each([7, 28, 30])("are whole minutes, and shares of 2, 5, 10 and 10 %% of the budget, at %i days", (days) => {
    const windows = burnWindows(days * DAY);
    expect(windows.map(({ factor, longMs }) => Number(((factor * longMs) / (days * DAY)).toFixed(9)))).toEqual([
      0.02, 0.05, 0.1, 0.1,
    ]);
    for (const { longMs, shortMs, factor } of windows) {
      expect([longMs % MINUTE, shortMs % MINUTE]).toEqual([0, 0]);
      expect(shortMs).toBeLessThan(longMs);
      expect(longMs).toBeLessThan(days * DAY);
      // Below about 1 it would tell of a budget that lasts.
      expect(factor).toBeGreaterThan(0.9);
    }
  });
});

describe("a burn rate", () => {
  it.each([
    [{ total: 0, bad: 0 }, 0.999, 0],
    [{ total: 1_000, bad: 1 }, 0.999, 1],
    [{ total: 1_000, bad: 144 }, 0.99, 14.4],
    [{ total: 10, bad: 10 }, 0.5, 2],
  ])("of %o at a target of %d is %d", (events, target, rate) => {
    expect(burnRate(events, target)).toBeCloseTo(rate, 9);
  });

  it("says what is left of the budget, also when it is overspent", () => {
    expect(budgetLeft({ total: 0, bad: 0 }, 0.99)).toBe(1);
    expect(budgetLeft({ total: 1_000, bad: 5 }, 0.99)).toBeCloseTo(0.5, 9);
    expect(budgetLeft({ total: 1_000, bad: 20 }, 0.99)).toBeCloseTo(-1, 9);
  });
});

describe("judging a burn", () => {
  it("needs both windows: it ends soon after its cause, and does not begin with an old one", () => {
    const judged = (long: EventCounts, short: EventCounts) =>
      judgeBurn(objective(0.99), (lastMs) => (lastMs === HOUR ? long : short))[0];
    expect(judged({ total: 1_000, bad: 200 }, { total: 100, bad: 20 })?.burning).toBe(true);
    expect(judged({ total: 1_000, bad: 200 }, { total: 100, bad: 0 })?.burning).toBe(false);
    expect(judged({ total: 1_000, bad: 20 }, { total: 100, bad: 20 })?.burning).toBe(false);
  });

  it.each([
    [LEAST_BAD_EVENTS - 1, true],
    [LEAST_BAD_EVENTS, false],
  ])("with %i bad events of as many is guarded: %s", (bad, guarded) => {
    for (const burn of judgeBurn(objective(0.99), () => ({ total: bad, bad }))) {
      expect(burn).toMatchObject({ guarded, burning: !guarded });
    }
  });

  it("agrees with a count of single events, over random series (WEIR_SEED)", () => {
    const minute = fc.record({ total: fc.nat(40), badRatio: fc.constantFrom(0, 0, 0.01, 0.2, 1) });
    const series = fc.record({
      minutes: fc.array(minute, { minLength: 1, maxLength: 400 }),
      target: fc.constantFrom(0.5, 0.9, 0.99, 0.999),
      days: fc.constantFrom(7, 28, 30),
    });
    let burning = 0;
    fc.assert(
      fc.property(series, ({ minutes, target, days }) => {
        const counts = minutes.map(({ total, badRatio }) => ({ total, bad: Math.round(total * badRatio) }));
        const judged = judgeBurn(objective(target, days * DAY), (lastMs) => {
          const last = counts.slice(-lastMs / MINUTE);
          return { total: last.reduce((n, c) => n + c.total, 0), bad: last.reduce((n, c) => n + c.bad, 0) };
        });
        // Event by event, with the workbook's words: budget spent so far, against what may be spent in that time.
        const events = counts.flatMap(({ total, bad }, at) =>
          Array.from({ length: total }, (_, n) => ({ at, bad: n < bad })),
        );
        for (const { longMs, shortMs, factor, ...got } of judged) {
          const spent = (windowMs: number): { readonly rate: number; readonly bad: number } => {
            const within = events.filter(({ at }) => at >= counts.length - windowMs / MINUTE);
            const bad = within.filter((event) => event.bad).length;
            const allowed = within.length * (1 - target);
            return { rate: within.length === 0 ? 0 : bad / allowed, bad };
          };
          const long = spent(longMs);
          const short = spent(shortMs);
          expect(got.longBurnRate).toBeCloseTo(long.rate, 9);
          expect(got.shortBurnRate).toBeCloseTo(short.rate, 9);
          const expected = long.bad >= 10 && got.longBurnRate > factor && got.shortBurnRate > factor;
          expect(got.burning).toBe(expected);
          if (expected) burning++;
        }
      }),
      { seed: SEED, numRuns: 100 },
    );
    // The series are such that it happens.
    expect(burning).toBeGreaterThan(20);
  });
});
