import { describe, expect, it } from "vitest";
import { addLatencies, earlyAgeOf, newLatencies } from "../../../src/policy/breaker/early-age.ts";
import { addEvidence, type Evidence, newEvidence, scoreOf } from "../../../src/policy/breaker/evidence.ts";
import { BREAKER_DEFAULTS } from "../../../src/policy/breaker/types.ts";
import { latencyBucket, newLatencyCounts } from "../../../src/policy/kernel/histogram.ts";

const T0 = 1_000_000;
const score = (evidence: Evidence, nowMs: number): number => scoreOf(evidence, BREAKER_DEFAULTS, nowMs).score;
const add = (evidence: Evidence, nowMs: number, outcome: readonly [number, number, number]): void => {
  addEvidence(evidence, [outcome], BREAKER_DEFAULTS, nowMs);
};

/** 100 successes a second for ten seconds, told at once. */
function busy(): Evidence {
  const evidence = newEvidence(T0 - 10_000);
  for (let told = 0; told < 100; told++) add(evidence, T0 - 10_000 + told * 100, [0, 10, 0]);
  return evidence;
}

describe("evidence", () => {
  it("does not let successes from before the rise speak against it, however late they are told", () => {
    const evidence = busy();
    for (let told = 0; told < 5; told++) add(evidence, T0 + told * 100, [0, 0, 10]);
    const before = score(evidence, T0 + 600);
    add(evidence, T0 + 600, [900, 50, 0]);
    expect(before).toBeGreaterThan(20);
    // All it does is to make the usual traffic a little more.
    expect(score(evidence, T0 + 600)).toBeGreaterThan(before - 5);
    add(evidence, T0 + 600, [300, 50, 0]);
    expect(score(evidence, T0 + 600)).toBeLessThan(10);
  });

  it("takes what the usual traffic would have brought, and was not told yet, for successes", () => {
    const evidence = busy();
    // 30 of 100 a second fail and are told at once; the others are not told for a second.
    for (let told = 0; told < 10; told++) add(evidence, T0 + told * 100, [0, 0, 3]);
    expect(score(evidence, T0 + 1_000)).toBe(0);
  });

  it("does not wait for ever for traffic that went away", () => {
    const evidence = busy();
    // A tenth of the usual requests still come, and all fail.
    for (let told = 0; told < 60; told++) add(evidence, T0 + told * 100, [0, 0, 1]);
    expect(score(evidence, T0 + 6_000)).toBeGreaterThan(20);
  });

  it("weighs an outcome when it has had time to be told, with its fellows", () => {
    const evidence = newEvidence(T0);
    add(evidence, T0, [0, 0, 10]);
    expect(score(evidence, T0 + 99)).toBe(0);
    expect(score(evidence, T0 + 150)).toBeGreaterThan(8);
  });

  it("keeps its sum when its steps grow old, and is bounded", () => {
    const evidence = newEvidence(T0);
    for (let minute = 0; minute < 60; minute++) add(evidence, T0 + minute * 60_000, [0, 0, 1]);
    expect(score(evidence, T0 + 60 * 60_000)).toBeCloseTo(60 * Math.log(0.9 / 0.35), 5);
    add(evidence, T0 + 60 * 60_000, [-86_400_000, 0, 1]);
    add(evidence, T0 + 60 * 60_000, [86_400_000, 0, 1]);
    expect(evidence.failures.length).toBeLessThanOrEqual(129);
  });
});

describe("the early age", () => {
  const after = (nowMs: number, ...calls: readonly (readonly [ms: number, count: number])[]): number | undefined => {
    const latencies = newLatencies(T0);
    for (const [ms, count] of calls) {
      const counts = newLatencyCounts();
      counts[latencyBucket(ms)] = count;
      addLatencies(latencies, counts, nowMs);
    }
    return earlyAgeOf(latencies, 500);
  };

  it("is unknown until a hundred calls were answered, then never below the configured", () => {
    expect(after(T0, [10, 99])).toBeUndefined();
    expect(after(T0, [10, 100])).toBe(500);
  });

  it("is twice what hardly any call takes", () => {
    expect(after(T0, [10, 980], [800, 20])).toBe(2_000);
    expect(after(T0, [10, 990], [800, 10])).toBe(500);
    expect(after(T0, [60_000, 200])).toBe(Number.POSITIVE_INFINITY);
  });

  it("forgets: an origin that became fast is soon watched closely again", () => {
    const latencies = newLatencies(T0);
    const counts = newLatencyCounts();
    counts[latencyBucket(800)] = 1_000;
    addLatencies(latencies, counts, T0);
    const fast = newLatencyCounts();
    fast[latencyBucket(10)] = 1_000;
    for (let minute = 1; minute <= 8; minute++) addLatencies(latencies, fast, T0 + minute * 60_000);
    expect(earlyAgeOf(latencies, 500)).toBe(500);
  });
});
