import { describe, expect, it } from "vitest";
import {
  hearTransition,
  type HeardTransition,
  MAX_BREAKERS,
  MAX_INCIDENTS,
  meanTimes,
  newOutages,
  noteTold,
  type Outages,
} from "../../../src/policy/objectives/incidents.ts";

/** `steps`: "from>to@time", `by` after a comma. */
function news(steps: readonly string[], originId = "shop"): readonly HeardTransition[] {
  return steps.map((step, index) => {
    const [, from = "", to = "", at = "", by] = /^([\w-]+)>([\w-]+)@(\d+)(?:,(\w+))?$/.exec(step) ?? [];
    const atMs = Number(at);
    const hand = by === undefined ? {} : { by };
    const transition = { atMs, from, to, reason: "r", score: 0, pops: [], epoch: index + 2, ...hand };
    return { originId, transition, sinceMs: from === "closed" || from === "ramp" ? atMs - 100 : atMs };
  });
}
function heard(steps: readonly string[]): Outages {
  const outages = newOutages();
  for (const one of news(steps)) hearTransition(outages, one);
  return outages;
}
const OUTAGE = ["closed>open@1000", "open>half-open@2000", "half-open>open@2500", "open>half-open@4000"];
const RECOVERY = ["half-open>ramp@5000", "ramp>closed@15000"];
const FIRST = {
  originId: "shop",
  pop: undefined,
  beganAtMs: 900,
  detectedAtMs: 1_000,
  toldAtMs: undefined,
  reason: "r",
};

describe("an incident", () => {
  it("lasts from the first failure to the ramp's end, through probes that fail", () => {
    expect(heard(OUTAGE).incidents).toEqual([{ ...FIRST, recoveredAtMs: undefined, byHand: false }]);
    expect(heard([...OUTAGE, ...RECOVERY]).incidents).toEqual([{ ...FIRST, recoveredAtMs: 15_000, byHand: false }]);
  });

  it("is the same one when the ramp opens again", () => {
    const { incidents } = heard([...OUTAGE, "half-open>ramp@5000", "ramp>open@6000", "open>half-open@7000"]);
    expect(incidents).toHaveLength(1);
    expect(incidents[0]?.recoveredAtMs).toBeUndefined();
  });

  it.each([
    [["closed>forced-open@1000,ann", "forced-open>closed@2000,ann"]],
    [["closed>open@1000", "open>closed@2000,ann"]],
    [["closed>open@1000", "open>forced-closed@2000,ann", "forced-closed>closed@9000"]],
  ])("that a hand opened or closed is marked so: %j", (steps) => {
    expect(heard(steps).incidents).toMatchObject([{ detectedAtMs: 1_000, recoveredAtMs: 2_000, byHand: true }]);
  });

  it("is none where a breaker is forced closed, or probed", () => {
    expect(heard(["closed>forced-closed@1000,ann", "forced-closed>closed@2000"]).incidents).toEqual([]);
  });

  it("goes on when a hand opens what was open", () => {
    const { incidents } = heard(["closed>open@1000", "open>forced-open@2000,ann", "forced-open>open@3000"]);
    expect(incidents).toMatchObject([{ detectedAtMs: 1_000, recoveredAtMs: undefined }]);
  });

  it("of a PoP is one of its own, over by itself, and one with the next if that comes within a minute", () => {
    const outages = newOutages();
    const opened = (atMs: number, untilMs: number): HeardTransition => ({
      originId: "shop",
      pop: "FRA",
      transition: { atMs, from: "closed", to: "open", reason: "r", score: 9, pops: ["FRA"], epoch: 1 },
      sinceMs: atMs - 50,
      untilMs,
    });
    expect(hearTransition(outages, opened(1_000, 6_000))).toBe(true);
    expect(hearTransition(outages, opened(1_000, 6_000))).toBe(false);
    expect(hearTransition(outages, opened(7_000, 17_000))).toBe(true);
    expect(outages.incidents).toMatchObject([{ pop: "FRA", beganAtMs: 950, recoveredAtMs: 17_000 }]);
    expect(hearTransition(outages, opened(77_001, 82_000))).toBe(true);
    expect(outages.incidents).toHaveLength(2);
    expect(outages.breakers.size).toBe(0);
  });

  it("is not changed by news that are told again", () => {
    const outages = heard([...OUTAGE, ...RECOVERY]);
    const before = structuredClone(outages);
    expect(news([...OUTAGE, ...RECOVERY]).map((one) => hearTransition(outages, one))).not.toContain(true);
    expect(outages).toEqual(before);
  });

  it("is heard of an origin whose epochs begin anew", () => {
    const outages = heard([...OUTAGE, ...RECOVERY]);
    for (const one of news(["closed>open@20000"])) expect(hearTransition(outages, one)).toBe(true);
    expect(outages.incidents).toHaveLength(2);
  });

  it("is told once", () => {
    const outages = heard(OUTAGE);
    expect([1_200, 1_300].map((atMs) => noteTold(outages, "shop", undefined, atMs))).toEqual([true, false]);
    expect(outages.incidents[0]?.toldAtMs).toBe(1_200);
    expect(noteTold(outages, "search", undefined, 1)).toBe(false);
  });
});

describe("incidents", () => {
  it("and breakers are bounded, the newest are kept", () => {
    const outages = newOutages();
    for (let index = 0; index < MAX_BREAKERS + 50; index++) {
      for (const one of news(["closed>open@1000", "open>closed@2000,ann", "closed>open@3000"], `o${index}`)) {
        hearTransition(outages, one);
      }
    }
    expect(outages.breakers.size).toBe(MAX_BREAKERS);
    expect(outages.breakers.has("o0")).toBe(false);
    expect(outages.incidents).toHaveLength(MAX_INCIDENTS);
    expect(outages.incidents.at(-1)?.originId).toBe(`o${MAX_BREAKERS + 49}`);
  });

  it("have mean times over those that no hand had part in, and MTTR over those that are over", () => {
    const outages = heard([
      "closed>open@1000",
      "open>half-open@2000",
      "half-open>ramp@3000",
      "ramp>closed@13000",
      "closed>forced-open@20000,ann",
      "forced-open>closed@90000,ann",
      "closed>open@100000",
    ]);
    expect(meanTimes(outages.incidents)).toEqual([{ origin: "shop", incidents: 2, mttdMs: 100, mttrMs: 12_100 }]);
    expect(meanTimes([])).toEqual([]);
  });
});
