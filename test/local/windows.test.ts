import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { worstExcess } from "../../local/windows.ts";

/** Every window (s, t], by trying them all. */
function naive(admittedAtMs: readonly number[], ratePerSecond: number, burst: number): number {
  let worst = Number.NEGATIVE_INFINITY;
  for (const from of admittedAtMs) {
    for (const to of admittedAtMs.filter((at) => at >= from)) {
      const count = admittedAtMs.filter((at) => at >= from && at <= to).length;
      worst = Math.max(worst, count - burst - (ratePerSecond * (to - from)) / 1_000);
    }
  }
  return worst;
}

describe("the worst excess over all windows", () => {
  it("is what trying every window finds", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(5_000), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(20),
        (times, rate, burst) => {
          expect(worstExcess(times, rate, burst)).toBeCloseTo(naive(times, rate, burst), 6);
        },
      ),
    );
  });
});
