import { describe, expect, it } from "vitest";
import { matches, newSample, offer } from "../../../src/policy/tail/sample.ts";
import { decision } from "../../support/decision.ts";

describe("a filter", () => {
  it("lets through what all of its parts name", () => {
    const throttled = decision({ status: 429, outcome: "throttled" });
    expect(matches({}, throttled)).toBe(true);
    for (const status of ["429", "4xx"]) expect(matches({ status }, throttled)).toBe(true);
    for (const status of ["428", "2xx", "5xx"]) expect(matches({ status }, throttled)).toBe(false);
    expect(matches({ tenants: ["acme"], route: "all", outcome: "throttled", status: "4xx" }, throttled)).toBe(true);
    expect(matches({ tenants: ["acme"], route: "other" }, throttled)).toBe(false);
    expect(matches({ outcome: "origin" }, throttled)).toBe(false);
  });

  it("of tenants lets through nobody who was not found out", () => {
    expect(matches({ tenants: ["acme"] }, decision({ tenant: "globex" }))).toBe(false);
    expect(matches({ tenants: ["acme"] }, decision({ tenant: null }))).toBe(false);
    expect(matches({ tenants: [] }, decision())).toBe(false);
  });
});

describe("a sample", () => {
  it("keeps everything up to its most, then each with the same chance, and says how many there were", () => {
    let seed = 1;
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const chosen = Array.from({ length: 100 }, () => 0);
    for (let round = 0; round < 2_000; round++) {
      const sample = newSample();
      for (let index = 0; index < 100; index++) offer(sample, decision({ atMs: index }), 10, random());
      expect(sample.matched).toBe(100);
      expect(sample.kept).toHaveLength(10);
      for (const { atMs } of sample.kept) chosen[atMs] = (chosen[atMs] ?? 0) + 1;
    }
    // 200 of 2,000 each; six standard deviations are 80.
    for (const count of chosen) expect(Math.abs(count - 200)).toBeLessThan(80);
  });
});
