import { describe, expect, it } from "vitest";
import { parseTags } from "../../../src/policy/cache/tags.ts";

describe("Cache-Tag", () => {
  it.each([
    [null, []],
    ["", []],
    ["a", ["a"]],
    [" a , b,,a ,", ["a", "b"]],
    ["sale items,A", ["sale items", "A"]],
  ])("%j names %j", (value, tags) => {
    expect(parseTags(value)).toEqual({ tags, ignored: 0 });
  });

  it("has 64 tags of 128 characters at most; what is ignored is said", () => {
    const many = Array.from({ length: 70 }, (_, index) => `t${index}`).join(",");
    expect(parseTags(many).tags).toHaveLength(64);
    expect(parseTags(many).ignored).toBe(6);
    expect(parseTags(`${"a".repeat(128)},${"b".repeat(129)}`)).toEqual({ tags: ["a".repeat(128)], ignored: 1 });
  });
});
