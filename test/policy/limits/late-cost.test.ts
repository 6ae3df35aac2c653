import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lateCostMicro } from "../../../src/policy/limits/late-cost.ts";
import { MICRO_TOKENS_PER_TOKEN } from "../../../src/policy/limits/types.ts";

const TOKEN = MICRO_TOKENS_PER_TOKEN;

describe("a late cost", () => {
  it.each([
    ["12", 11 * TOKEN],
    ["12.5", 11.5 * TOKEN],
    ["1.0001", 0.001 * TOKEN],
    [".5", 0],
    ["5.", 4 * TOKEN],
    ["0", 0],
    ["1000000", 99 * TOKEN],
    ["9".repeat(32), 99 * TOKEN],
  ])("of %s, one token charged, at most 100, adds %d micro-tokens", (text, extra) => {
    expect(lateCostMicro(text, TOKEN, 100 * TOKEN)).toBe(extra);
  });

  it.each(["", " 1", "-1", "+1", "1e3", "NaN", "Infinity", "0x10", "1,5", "1.2.3", ".", "1 ", "9".repeat(33), "١"])(
    "is not %j",
    (text) => {
      expect(lateCostMicro(text, TOKEN, 100 * TOKEN)).toBeUndefined();
    },
  );

  it("is a whole number of micro-tokens between nothing and the cap, whatever the origin says", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 0, max: 1_000 }),
        (text, cap, charged) => {
          const extra = lateCostMicro(text, charged * TOKEN, cap * TOKEN);
          if (extra === undefined) return;
          expect(Number.isSafeInteger(extra)).toBe(true);
          expect(extra).toBeGreaterThanOrEqual(0);
          expect(extra).toBeLessThanOrEqual(cap * TOKEN);
        },
      ),
    );
  });
});
