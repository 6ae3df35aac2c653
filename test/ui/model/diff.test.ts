import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { type DiffLine, diffLines, folded } from "../../../ui/model/diff.ts";

const side = (lines: readonly DiffLine[], without: DiffLine["kind"]): string =>
  lines
    .filter(({ kind }) => kind !== without)
    .map(({ text }) => text)
    .join("\n");
const marks = (lines: readonly DiffLine[]): string =>
  lines.map(({ kind, text }) => ({ same: " ", removed: "-", added: "+" })[kind] + text).join("");

describe("the difference of two texts", () => {
  it("is each line taken out or put in, and no more of them than must be", () => {
    expect(marks(diffLines("a\nb\nc\na\nb\nb\na", "c\nb\na\nb\na\nc")).match(/[-+]/g)).toHaveLength(5);
    expect(marks(diffLines("a\nb\nc", "a\nx\nc"))).toBe(" a-b+x c");
    expect(marks(diffLines("", ""))).toBe(" ");
    expect(marks(diffLines("a", "a\nb"))).toBe(" a+b");
  });

  it("gives both texts back, with their line numbers, whatever they are", () => {
    const seed = Number(process.env["WEIR_SEED"] ?? Math.floor(Math.random() * 1e9));
    const random = seeded(seed);
    const text = (): string =>
      Array.from({ length: Math.floor(random() * 20) }, () => "abcd".charAt(Math.floor(random() * 4))).join("\n");
    for (let turn = 0; turn < 2_000; turn++) {
      const [before, after] = [text(), text()];
      const lines = diffLines(before, after);
      expect([seed, side(lines, "added"), side(lines, "removed")]).toEqual([seed, before, after]);
      const numbers = (which: "before" | "after"): number[] =>
        lines.flatMap((line) => (line[which] === undefined ? [] : [line[which]]));
      expect(numbers("before")).toEqual(before.split("\n").map((_, index) => index + 1));
      expect(numbers("after")).toEqual(after.split("\n").map((_, index) => index + 1));
    }
  });

  it("of texts that have little in common is found in bounded time", () => {
    const of = (word: string): string => Array.from({ length: 5_000 }, (_, index) => `${word} ${index}`).join("\n");
    const lines = diffLines(of("a"), of("b"));
    expect([side(lines, "added"), side(lines, "removed")]).toEqual([of("a"), of("b")]);
  });

  it("is shown with three lines around, and says how many are left out", () => {
    const before = Array.from({ length: 30 }, (_, index) => String(index));
    const shown = folded(diffLines(before.join("\n"), before.toSpliced(15, 1, "x").join("\n")));
    expect(shown.map((line) => (typeof line === "number" ? line : line.text)).join(" ")).toBe(
      "12 12 13 14 15 x 16 17 18 11",
    );
  });
});
