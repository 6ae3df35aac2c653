/** docs/threat-model.md and the attacks are one list. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const ATTACKS = "test/attacks";

/** Cells of every row that stands in a table of attacks. */
const rows = readFileSync(join(ROOT, "docs/threat-model.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| attack |"))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
const files = rows.map((cells) => /^`([^`]+)`$/.exec(cells[4] ?? "")?.[1]);

describe("the table of attacks", () => {
  it("says of each what is tried, what happens, and which file shows it", () => {
    expect(rows.length).toBeGreaterThan(20);
    for (const cells of rows) {
      expect([cells, cells.length]).toEqual([cells, 6]);
      expect(cells.slice(1, 5).every((cell) => cell !== "")).toBe(true);
    }
  });

  it("has a file for each row", () => {
    expect(files.filter((file) => file === undefined || !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it("has a row for each file", () => {
    const attacks = readdirSync(join(ROOT, ATTACKS), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".test.ts"),
    );
    expect(attacks.filter((name) => !files.includes(`${ATTACKS}/${name}`))).toEqual([]);
    expect(attacks.length).toBeGreaterThan(15);
  });

  it("has a file of its own for each attack", () => {
    const own = files.filter((file) => file?.startsWith(ATTACKS));
    expect(own.filter((file, index) => own.indexOf(file) !== index)).toEqual([]);
  });
});
