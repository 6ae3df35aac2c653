import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketSpec, durationMs, isExact, parseRate } from "../../src/config/units.ts";

describe("durations", () => {
  it.each([
    ["500ms", 500],
    ["3s", 3_000],
    ["10m", 600_000],
    ["1h", 3_600_000],
    ["2d", 172_800_000],
    ["0s", 0],
  ])("%s is %d ms", (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it.each(["", "3", "s", "-3s", "1.5s", "3 s", "3S", "3w", "3s ", "1234567890s"])("%j is none", (text) => {
    expect(durationMs(text)).toBeNaN();
  });
});

describe("rates", () => {
  it.each([
    ["1/s", 1_000, 1],
    ["1.5/s", 1_500, 1],
    ["1/d", 5, 432],
    ["100/m", 5_000, 3],
    ["5/h", 25, 18],
    ["0.001/d", 1, 86_400],
    ["9999999.999/s", 9_999_999_999, 1],
  ])("%s is %d/%d micro-tokens per millisecond", (text, numerator, denominator) => {
    expect(parseRate(text)).toMatchObject({ numerator, denominator });
  });

  it("give back exactly the tokens of their unit, in lowest terms", () => {
    const units = { s: 1_000n, m: 60_000n, h: 3_600_000n, d: 86_400_000n };
    const unit = fc.constantFrom("s" as const, "m" as const, "h" as const, "d" as const);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9_999_999_999 }), unit, (thousandths, per) => {
        const rate = parseRate(
          `${Math.floor(thousandths / 1_000)}.${String(thousandths % 1_000).padStart(3, "0")}/${per}`,
        );
        const [numerator, denominator] = [BigInt(rate!.numerator), BigInt(rate!.denominator)];
        expect(numerator * units[per]).toBe(BigInt(thousandths) * 1_000n * denominator);
        for (const prime of [2n, 3n, 5n]) expect(numerator % prime === 0n && denominator % prime === 0n).toBe(false);
      }),
    );
  });

  it.each(["0/s", "0.000/h", "-1/s", "1", "1/w", "1.0001/s", "12345678/s", ".5/s", "1e3/s", ""])(
    "%j is none",
    (text) => {
      expect(parseRate(text)).toBeUndefined();
    },
  );

  it("say how many tokens a second they are", () => {
    expect(parseRate("90/m")?.tokensPerSecond).toBe(1.5);
  });

  it("are exact as long as the full bucket stays within the safe integers", () => {
    const daily = parseRate("0.001/d")!;
    expect(isExact(daily, 10_000)).toBe(true);
    expect(isExact(daily, 100_000)).toBe(false);
    expect(isExact(parseRate("1/s")!, 10_000_000)).toBe(true);
  });

  it("make a bucket in micro-tokens", () => {
    const expected = { kind: "bucket", refillNumerator: 5, refillDenominator: 432, burstMicro: 3_000_000 };
    expect(bucketSpec(parseRate("1/d")!, 3)).toEqual(expected);
  });
});
