import { describe, expect, it } from "vitest";
import { legible } from "../../../src/policy/kernel/legible.ts";

describe("legible text", () => {
  it("has no control character, nothing that turns the direction of reading or hides, and an end", () => {
    expect(legible("/a\u001B[31mb\u0000\r\n\u202Ec\u200Bd\uD800e", 99)).toBe("/a·[31mb····c·d·e");
    expect(legible("\u061C\u180E\uFFF9\u{E0041}\u00AD", 99)).toBe("·····");
    expect(legible("\u0602\u{1BCA0}\u{1D173}\u{13430}\u2065", 99)).toBe("·····");
    expect(legible("/übung/日本/😀", 99)).toBe("/übung/日本/😀");
    expect(legible("x".repeat(300), 200)).toHaveLength(200);
    // Not half a character.
    expect(legible(`${"x".repeat(8)}😀x`, 10)).toBe(`${"x".repeat(8)}·…`);
  });
});
