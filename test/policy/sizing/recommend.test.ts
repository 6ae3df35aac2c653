import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  atMostAtOnce,
  callsAtOnce,
  HEADROOM,
  recommend,
  recommendConcurrency,
  SHED_FROM_RATIO,
  stepUp,
} from "../../../src/policy/sizing/recommend.ts";
import { asked, originAsked } from "./recorded.ts";

describe("a step", () => {
  it.each([
    [0, 1],
    [0.3, 1],
    [1, 1],
    [8.2, 9],
    [10, 10],
    [12, 15],
    [37.2, 40],
    [40.000_000_000_1, 40],
    [99, 100],
    [123, 150],
    [1_234, 1_500],
    [98_000, 100_000],
  ])("of %d is %d", (value, step) => {
    expect(stepUp(value)).toBe(step);
  });

  it("is never below its value, at most half of it above, and no step above itself", () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e7, noNaN: true }), (value) => {
        const step = stepUp(value);
        expect(step).toBeGreaterThanOrEqual(value - value * 1e-6);
        expect(step).toBeLessThanOrEqual(Math.max(value * 1.5, value + 1));
        expect(Number.isInteger(step)).toBe(true);
        expect(stepUp(step)).toBe(step);
      }),
    );
  });
});

describe("what is recommended", () => {
  it.each([
    // p99, peak, mean seconds -> rate, burst, at once
    [0, 0, 0, 1, 1, 1],
    [8, 4, 0.05, 10, 10, 3],
    [30, 90, 0.1, 40, 90, 10],
    [30, 91, 1, 40, 95, 55],
    [500, 2_000, 0.25, 600, 2_000, 200],
  ])(
    "of %d/s, %d in the fullest second, %d s each: %d/s, burst %d, %d at once",
    (p99, peakTokens, meanSeconds, ...size) => {
      const [ratePerSecond, burstTokens, concurrency] = size;
      expect(recommend(asked("a", p99, { peakTokens, meanSeconds }))).toEqual({
        ratePerSecond,
        burstTokens,
        concurrency,
      });
    },
  );

  it("takes no refused request for a fast one", () => {
    // Nine in ten are refused in no time: the tenth takes a second.
    const demand = asked("a", 100, { admitted: 10, throttled: 90, meanSeconds: 0.1 });
    expect(callsAtOnce(demand)).toBeCloseTo(100);
    expect(callsAtOnce(asked("a", 100, { admitted: 0, throttled: 90, meanSeconds: 0.1 }))).toBeCloseTo(10);
  });

  it("of an origin leaves its callers below the load at which they are shed, with those that were shed", () => {
    for (const concurrencyP99 of [0.2, 3, 14, 70, 900]) {
      const slots = recommendConcurrency(originAsked({ concurrencyP99 }));
      expect(concurrencyP99 * HEADROOM).toBeLessThanOrEqual(slots * SHED_FROM_RATIO);
      const shed = recommendConcurrency(originAsked({ concurrencyP99, shed: 1_000 }));
      expect(2 * concurrencyP99 * HEADROOM).toBeLessThanOrEqual(shed * SHED_FROM_RATIO);
    }
  });

  it("of calls at once covers how many there happen to be: of independent arrivals more in 2 of 100 at most", () => {
    for (const mean of [0.05, 0.5, 1, 5, 50]) {
      const slots = stepUp(atMostAtOnce(mean));
      let atMost = 0;
      // Poisson.
      for (let calls = 0, chance = Math.exp(-mean); calls <= slots; calls++, chance *= mean / calls) atMost += chance;
      expect(1 - atMost).toBeLessThan(0.02);
    }
  });
});
