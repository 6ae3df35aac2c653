import { describe, expect, it } from "vitest";
import { usableSlots } from "../../../src/policy/forwarding/shedding.ts";

describe("an origin's slots", () => {
  it("are kept back from lower priorities", () => {
    expect([usableSlots(100, "low"), usableSlots(100, "normal"), usableSlots(100, "high")]).toEqual([70, 90, 100]);
  });

  it("are one at least for everybody", () => {
    expect([usableSlots(1, "low"), usableSlots(1, "normal"), usableSlots(1, "high")]).toEqual([1, 1, 1]);
  });
});
