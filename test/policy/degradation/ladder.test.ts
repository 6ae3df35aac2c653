import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ladder, LADDER_RUNGS, type LadderFacts } from "../../../src/policy/degradation/ladder.ts";

const all: LadderFacts = {
  order: LADDER_RUNGS,
  mayServeStale: true,
  mayUseSnapshot: true,
  repeatable: true,
  isMaintenance: false,
  hasOriginAnswer: true,
};

describe("the ladder", () => {
  it("goes from the truest answer to the plainest", () => {
    expect(ladder(all)).toEqual(["stale", "snapshot", "failover", "page", "origin-answer", "plain"]);
  });
  it("passes over what this request cannot have", () => {
    expect(ladder({ ...all, mayServeStale: false })[0]).toBe("snapshot");
    expect(ladder({ ...all, mayServeStale: false, mayUseSnapshot: false })[0]).toBe("failover");
  });
  it("sends nothing a second time that must not be sent twice, and nothing at all in maintenance", () => {
    expect(ladder({ ...all, repeatable: false })).not.toContain("failover");
    expect(ladder({ ...all, isMaintenance: true })).toEqual(["stale", "snapshot", "page", "origin-answer", "plain"]);
  });
  it("is the route's own: its order, without what it leaves out", () => {
    expect(ladder({ ...all, order: ["failover", "stale"] })).toEqual(["failover", "stale", "origin-answer", "plain"]);
    expect(ladder({ ...all, order: ["page"] })[0]).toBe("page");
    expect(ladder({ ...all, order: [] })).toEqual(["origin-answer", "plain"]);
  });
  it("always ends in an answer that needs nothing, whatever the route says", () => {
    const facts = fc.record({
      order: fc.shuffledSubarray([...LADDER_RUNGS]),
      mayServeStale: fc.boolean(),
      mayUseSnapshot: fc.boolean(),
      repeatable: fc.boolean(),
      isMaintenance: fc.boolean(),
      hasOriginAnswer: fc.boolean(),
    });
    fc.assert(
      fc.property(facts, (some) => {
        const rungs = ladder(some);
        const own = rungs.filter((rung) => rung !== "origin-answer" && rung !== "plain");
        return (
          rungs.at(-1) === "plain" &&
          own.every((rung, at) => at === 0 || some.order.indexOf(own[at - 1] ?? rung) < some.order.indexOf(rung))
        );
      }),
    );
  });
});
