/**
 * The public HTTP cache tests as they are. What does not pass stands in `not-passed.ts`, with its reason; whatever else
 * fails is a regression. `npm test` runs the cases without a pause, `npm run conformance` all of them.
 */
import { expect, it } from "vitest";
import { failing } from "./not-passed.ts";
import { runPublicSuite } from "./public-suite.ts";

it("passes the public HTTP cache tests, but for those it is known not to pass", async () => {
  const only = (process.env["WEIR_CASES"] ?? "").split(",").filter((id) => id !== "");
  const known = failing(process.env["WEIR_SUITE"] === undefined ? "release" : "source");
  const results = await runPublicSuite(only, process.env["WEIR_DRILL"] === "1" || only.length > 0, known);
  for (const kind of ["required", "optimal", "check"] as const) {
    const ofKind = results.filter((result) => result.kind === kind);
    console.log(`${kind}: ${ofKind.filter(({ why }) => why === undefined).length} of ${ofKind.length}`);
  }
  const news = results.filter(({ id, why }) => (why !== undefined) !== known.has(id));
  expect(results.length).toBeGreaterThan(only.length === 0 ? 150 : 0);
  expect(news).toEqual([]);
}, 60_000);
