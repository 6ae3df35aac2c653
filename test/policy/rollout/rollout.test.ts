import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Arms,
  isInCanary,
  judgeTrial,
  MAX_OVERTIME_MS,
  MIN_REQUESTS,
  NO_COUNTS,
  parseInForce,
} from "../../../src/policy/rollout/rollout.ts";

const TRIAL = { startedAtMs: 0, endsAtMs: 60_000 };
const arm = (requests: number, failed = 0, throttled = 0) => ({ requests, failed, throttled });
const judge = (canary: Arms["canary"], control: Arms["control"], nowMs = 1_000) =>
  judgeTrial(TRIAL, { canary, control }, nowMs).kind;

describe("a trial", () => {
  it("is taken back when the canary fails always, as soon as there are 20 requests", () => {
    expect(judge(arm(MIN_REQUESTS - 1, MIN_REQUESTS - 1), arm(1_000))).toBe("go-on");
    expect(judge(arm(MIN_REQUESTS, MIN_REQUESTS), arm(1_000))).toBe("take-back");
  });

  it("is taken back when the canary is throttled much more often", () => {
    expect(judge(arm(200, 0, 60), arm(4_000, 0, 40))).toBe("take-back");
  });

  it("bears what the others have, too", () => {
    expect(judge(arm(100, 50), arm(1_000, 500))).toBe("go-on");
    expect(judge(arm(100, 5), arm(1_000, 0))).toBe("go-on");
  });

  it("without others to compare with is taken back when most of its requests fail", () => {
    expect(judge(arm(40, 19), NO_COUNTS)).toBe("go-on");
    expect(judge(arm(40, 21), NO_COUNTS)).toBe("take-back");
  });

  it("goes to everybody at its end, when there was enough to judge by", () => {
    expect(judge(arm(MIN_REQUESTS), arm(500), TRIAL.endsAtMs)).toBe("complete");
    expect(judge(arm(MIN_REQUESTS - 1), arm(500), TRIAL.endsAtMs)).toBe("go-on");
    expect(judge(arm(MIN_REQUESTS - 1), arm(500), TRIAL.endsAtMs + MAX_OVERTIME_MS)).toBe("take-back");
  });

  it("says in words why it was taken back", () => {
    expect(judgeTrial(TRIAL, { canary: arm(20, 20), control: arm(380, 3) }, 1)).toEqual({
      kind: "take-back",
      reason: "100.0 % of the canary's 20 requests were failed, of the others' 380 only 0.8 %",
    });
  });

  it("of a config that changes nothing is hardly ever taken back, though it is looked at every second", () => {
    const seed = Number(process.env["WEIR_SEED"] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}`);
    const random = mulberry(seed);
    let takenBack = 0;
    for (let trial = 0; trial < 300; trial++) {
      let canary = NO_COUNTS;
      let control = NO_COUNTS;
      for (let second = 1; second < 60; second++) {
        canary = arm(canary.requests + 5, canary.failed + fails(random, 5, 0.02));
        control = arm(control.requests + 95, control.failed + fails(random, 95, 0.02));
        if (judge(canary, control, second * 1_000) === "take-back") {
          takenBack++;
          break;
        }
      }
    }
    console.log(`${takenBack} of 300 trials that changed nothing were taken back`);
    expect(takenBack).toBeLessThan(12);
  });
});

function fails(random: () => number, requests: number, ratio: number): number {
  let count = 0;
  for (let index = 0; index < requests; index++) if (random() < ratio) count++;
  return count;
}

function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe("the canary", () => {
  it("is about the asked share of callers, always the same for one trial, others for the next", () => {
    const callers = Array.from({ length: 20_000 }, (_, index) => `tenant:t${index}`);
    const first = callers.filter((caller) => isInCanary(caller, 7, 0.05));
    expect(first.length).toBeGreaterThan(850);
    expect(first.length).toBeLessThan(1_150);
    expect(callers.filter((caller) => isInCanary(caller, 7, 0.05))).toEqual(first);
    const both = first.filter((caller) => isInCanary(caller, 8, 0.05));
    expect(both.length).toBeLessThan(150);
  });

  it("grows with its share: who is in a small one is in a larger one, too", () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(1_000), fc.double({ min: 0, max: 1, noNaN: true }), (caller, number, share) => {
        if (isInCanary(caller, number, share)) expect(isInCanary(caller, number, Math.min(1, share * 2))).toBe(true);
        expect(isInCanary(caller, number, 1)).toBe(true);
        expect(isInCanary(caller, number, 0)).toBe(false);
      }),
    );
  });
});

describe("what is in force, as it comes back", () => {
  it("is taken as it was written", () => {
    const inForce = { sequence: 3, number: 2, canary: { number: 4, shareRatio: 0.05 } };
    expect(parseInForce(JSON.parse(JSON.stringify(inForce)))).toEqual(inForce);
    expect(parseInForce({ sequence: 3, number: 2 })).toEqual({ sequence: 3, number: 2 });
  });

  it("is nothing when it is something else, and never throws", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const parsed = parseInForce(value);
        if (parsed !== undefined) expect(Number.isSafeInteger(parsed.sequence)).toBe(true);
      }),
    );
    for (const bad of [null, 1, {}, { sequence: -1, number: 1 }, { sequence: 1.5, number: 1 }]) {
      expect(parseInForce(bad)).toBeUndefined();
    }
  });

  it("without a canary when that cannot be read", () => {
    expect(parseInForce({ sequence: 3, number: 2, canary: { number: 4, shareRatio: 7 } })).toEqual({
      sequence: 3,
      number: 2,
    });
  });
});
