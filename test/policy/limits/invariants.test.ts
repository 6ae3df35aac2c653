/** The invariants of limits, after every single operation of random programs of faults. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import type { LimitSpec } from "../../../src/policy/limits/types.ts";
import { bucket, quota, runs, SEED } from "./builders.ts";
import { Chaos } from "./chaos.ts";

const plans = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  rate: fc.integer({ min: 1, max: 200 }),
  burst: fc.integer({ min: 3, max: 300 }),
  isolates: fc.integer({ min: 1, max: 6 }),
  lossRatio: fc.double({ min: 0, max: 0.4, noNaN: true }),
  duplicateRatio: fc.double({ min: 0, max: 0.4, noNaN: true }),
  changes: fc.boolean(),
  stepsBack: fc.boolean(),
});
const OPERATIONS = 400;

/** Up to four times as much, or a fourth. */
function changed(spec: LimitSpec, random: () => number): LimitSpec {
  const factor = 4 ** (2 * random() - 1);
  const tokens = (micro: number): number => Math.max(3, Math.round((micro / 1_000_000) * factor));
  switch (spec.kind) {
    case "bucket":
      return bucket(Math.max(1, Math.round((spec.refillNumerator / 1_000) * factor)), tokens(spec.burstMicro));
    case "quota":
      return quota(tokens(spec.quotaMicro), spec.period);
    case "slots":
      return spec;
  }
}

describe("whatever happens, in whatever order", () => {
  it("no window sees too much, free + leased stay within the limit, a lessee holds what is counted for it", () => {
    let operations = 0;
    let admitted = 0;
    let refunded = 0;
    fc.assert(
      fc.property(plans, ({ seed, rate, burst, changes, ...options }) => {
        const chaos = new Chaos({
          ...options,
          limits: {
            tenant: bucket(rate, burst),
            route: bucket(Math.ceil(rate / 3), burst),
            month: quota(burst, "minute"),
          },
          random: seeded(seed),
          ...(changes ? { change: changed } : {}),
        });
        chaos.run(OPERATIONS);
        operations += chaos.operations;
        admitted += chaos.admitted;
        refunded += chaos.refunded;
      }),
      { numRuns: runs(100), seed: SEED },
    );
    console.log(`seed ${SEED}: ${operations} operations, ${admitted} tokens admitted, ${refunded} requests refunded`);
    expect(operations).toBeGreaterThan(runs(10_000));
    expect(admitted).toBeGreaterThan(operations / 20);
  });
});
