import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { requestsUntilSample } from "../../../src/policy/tail/skip.ts";

const SEED = Number(process.env["WEIR_SEED"] ?? 1);

describe("requests until the next sampled one", () => {
  it.each([0.01, 0.1, 0.5, 0.9])(
    `are so many that the share %d is sampled, of every phase of a rhythm (seed ${SEED})`,
    (ratio) => {
      const random = seeded(SEED);
      const requests = 500_000;
      const byPhase = Array.from({ length: 10 }, () => 0);
      for (let at = requestsUntilSample(ratio, random()); at <= requests; at += requestsUntilSample(ratio, random())) {
        byPhase[at % 10] = (byPhase[at % 10] ?? 0) + 1;
      }
      // Five standard deviations of a binomial.
      const perPhase = requests / 10;
      const mostOff = 5 * Math.sqrt(perPhase * ratio * (1 - ratio));
      for (const sampled of byPhase) expect(Math.abs(sampled - perPhase * ratio)).toBeLessThan(mostOff);
    },
  );

  it("are none for all, and never reached for nobody", () => {
    for (const random of [0, 0.5, 1 - Number.EPSILON]) {
      expect(requestsUntilSample(1, random)).toBe(1);
      expect(requestsUntilSample(0, random)).toBe(Number.POSITIVE_INFINITY);
      expect(requestsUntilSample(1e-9, random)).toBeGreaterThanOrEqual(1);
    }
  });
});
