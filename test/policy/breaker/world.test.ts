/** What DESIGN asks of the breaker, in simulated worlds of 100 PoPs of 4 isolates; `npm run sim -- breaker` has all of it. */
import { describe, expect, it } from "vitest";
import { runBreaker, WEIR } from "../../../sim/breaker/run.ts";
import { BREAKER_SCENARIOS } from "../../../sim/breaker/scenarios.ts";

const SEED = Number(process.env["WEIR_SEED"] ?? 1);

describe.each(["dead-50", "dead-500", "black-hole-50", "black-hole-500", "one-bad-pop", "errors-40", "slower"])(
  "%s",
  (name) => {
    it(`keeps its targets (seed ${SEED})`, () => {
      const scenario = BREAKER_SCENARIOS[name];
      if (scenario === undefined) throw new Error("no such scenario");
      const { target } = scenario;
      const figures = runBreaker(scenario, WEIR, SEED);
      expect(figures.sentToFailing).toBeLessThanOrEqual(target.mostSent ?? Number.POSITIVE_INFINITY);
      expect(figures.openings).toBeLessThanOrEqual(target.mostOpenings ?? 1);
      expect(figures.transitionsPerMinute).toBeLessThanOrEqual(target.transitionsPerMinute ?? 20);
      expect(figures.mostProbes).toBeLessThanOrEqual(1);
      if (target.detectionMs !== undefined) expect(figures.detectionMs).toBeLessThanOrEqual(target.detectionMs);
      if (target.firstSecondRatio !== undefined) {
        expect(figures.firstSecondRatio).toBeLessThanOrEqual(target.firstSecondRatio);
      }
    });
  },
);
