/**
 * Tables in the docs that are made of what the tests try: they say the same, or this fails. `WEIR_WRITE_DOCS=1` writes
 * them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { casesNotPassed, suiteFigures } from "./conformance/suite-figures.ts";
import { metricTable } from "./support/metric-table.ts";
import { outageTables } from "./support/outage-table.ts";

const docs = join(import.meta.dirname, "..", "docs");

/** Between the marks of this name stands `text`. */
function expectTable(file: string, name: string, text: string): void {
  const path = join(docs, file);
  const all = readFileSync(path, "utf8");
  const [before, , after] = all.split(new RegExp(`(?<=<!-- begin: ${name} -->\\n)([^]*)(?=\\n<!-- end: ${name} -->)`));
  if (before === undefined || after === undefined) throw new Error(`${file} has no marks of ${name}`);
  if (process.env["WEIR_WRITE_DOCS"] === "1") writeFileSync(path, `${before}${text}${after}`);
  else expect(all.slice(before.length, all.length - after.length)).toBe(text);
}

it("docs/outages.md says what every cell of the outage table is tried against", () => {
  expectTable("outages.md", "outage table", outageTables());
});

it("docs/caching.md says what of the public suite passes, and why the rest does not", () => {
  expectTable("caching.md", "figures", suiteFigures());
  expectTable("caching.md", "not passed", casesNotPassed());
});

it("docs/monitoring.md has every metric of the table", () => {
  expectTable("monitoring.md", "metrics", metricTable());
});
