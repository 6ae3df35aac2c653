import { describe, expect, it } from "vitest";
import { isShed, tierOf } from "../../../src/policy/forwarding/shedding.ts";

describe("an origin's slots", () => {
  it("are refused to lower tiers from a load of their own on, and to the highest by none", () => {
    const shedFrom = (tier: number): number =>
      Array.from({ length: 200 }, (_, underWay) => underWay).find((underWay) => isShed(tier, underWay, 100, "acme")) ??
      Number.POSITIVE_INFINITY;
    expect(shedFrom(0)).toBe(Number.POSITIVE_INFINITY);
    for (const [tier, ratio] of [
      [1, 0.9],
      [2, 0.7],
      [3, 0.5],
    ] as const) {
      expect(shedFrom(tier)).toBeGreaterThanOrEqual(100 * ratio);
      expect(shedFrom(tier)).toBeLessThanOrEqual(100 * (ratio + 0.1));
    }
    // One call at least may always be under way.
    expect(isShed(3, 0, 1, "acme")).toBe(false);
  });

  it("are refused tenant by tenant, to more of them the higher the load, always the same first", () => {
    const tenants = Array.from({ length: 1_000 }, (_, index) => `tenant-${index}`);
    const shed = (underWay: number): Set<string> =>
      new Set(tenants.filter((tenant) => isShed(2, underWay, 1_000, tenant)));
    expect(shed(699).size).toBe(0);
    expect(shed(749).size).toBeGreaterThan(450);
    expect(shed(749).size).toBeLessThan(550);
    for (const tenant of shed(719)) expect(shed(749)).toContain(tenant);
    expect(shed(800).size).toBe(1_000);
  });

  it("are shed by priority, and within it those first who have more than their share", () => {
    expect([tierOf("high", 0, 0, 0), tierOf("normal", 0, 9, 3), tierOf("low", 0, 9, 3)]).toEqual([0, 1, 2]);
    // Alone, nobody has too much.
    expect(tierOf("normal", 50, 50, 1)).toBe(1);
    // Nine of ten, beside one other.
    expect(tierOf("normal", 9, 10, 2)).toBe(2);
    expect(tierOf("normal", 1, 10, 2)).toBe(1);
    expect(tierOf("low", 9, 10, 2)).toBe(3);
    // Nothing of its own under way, so nothing too much.
    expect(tierOf("high", 0, 500, 2)).toBe(0);
  });
});
