import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ladder } from "../../../src/policy/degradation/ladder.ts";

const all = {
  mayServeStale: true,
  hasFailover: true,
  repeatable: true,
  hasPage: true,
  hasOriginAnswer: true,
  keepsSnapshots: true,
};

describe("the ladder", () => {
  it("goes from the truest answer to the plainest", () => {
    expect(ladder(all)).toEqual(["stale", "failover", "page", "origin-answer", "plain"]);
  });
  it("looks for a snapshot where nothing stored may be served", () => {
    expect(ladder({ ...all, mayServeStale: false })[0]).toBe("snapshot");
    expect(ladder({ ...all, mayServeStale: false, keepsSnapshots: false })[0]).toBe("failover");
  });
  it("sends nothing a second time that must not be sent twice", () => {
    expect(ladder({ ...all, repeatable: false })).not.toContain("failover");
  });
  it("always ends in an answer that needs nothing", () => {
    const facts = fc.record({
      mayServeStale: fc.boolean(),
      hasFailover: fc.boolean(),
      keepsSnapshots: fc.boolean(),
      repeatable: fc.boolean(),
      hasPage: fc.boolean(),
      hasOriginAnswer: fc.boolean(),
    });
    fc.assert(fc.property(facts, (some) => ladder(some).at(-1) === "plain"));
  });
});
