/** The public HTTP cache tests as they are; what does not pass stands in the table, with its reason. */
import { expect, it } from "vitest";
import { runPublicSuite } from "./public-suite.ts";

it("passes what it can of the public HTTP cache tests", async () => {
  const only = (process.env.WEIR_CASES ?? "").split(",").filter((id) => id !== "");
  const results = await runPublicSuite(only);
  for (const kind of ["required", "optimal", "check"] as const) {
    const ofKind = results.filter((result) => result.kind === kind);
    const failed = ofKind.filter(({ why }) => why !== undefined);
    console.log(`${kind}: ${ofKind.length - failed.length} of ${ofKind.length}`);
    for (const { suite, id, why } of failed) console.log(`  ${suite} ${id}: ${why}`);
  }
  expect(results.filter(({ kind, why }) => kind === "required" && why === undefined).length).toBeGreaterThan(125);
}, 60_000);
