import { describe, expect, it } from "vitest";
import { type AdaptiveLimit, newAdaptiveLimit, noteLatency } from "../../../src/policy/forwarding/adaptive-limit.ts";

const BOUNDS = { min: 10, max: 200 };
const T0 = 1_000_000;

/** `seconds` of 100 calls a second that take `ms` each; returns the slots published at each second's end. */
function run(adaptive: AdaptiveLimit, fromMs: number, seconds: number, ms: number): number[] {
  return Array.from({ length: seconds }, (_, second) => {
    noteLatency(adaptive, BOUNDS, 100, 100 * ms, fromMs + (second + 1) * 1_000);
    return adaptive.published.slots;
  });
}

describe("a concurrency that follows latency", () => {
  it("stays at its most while calls take no more than twice the usual", () => {
    const adaptive = newAdaptiveLimit(BOUNDS, T0);
    run(adaptive, T0, 60, 50);
    expect(run(adaptive, T0 + 60_000, 60, 95).every((slots) => slots === 200)).toBe(true);
  });

  it("falls to its least in an origin that became ten times slower, and comes back with it", () => {
    const adaptive = newAdaptiveLimit(BOUNDS, T0);
    run(adaptive, T0, 60, 50);
    const slots = run(adaptive, T0 + 60_000, 60, 500);
    expect(slots[5]).toBeLessThan(100);
    expect(slots.at(-1)).toBe(10);
    const back = run(adaptive, T0 + 120_000, 60, 50);
    expect(back.at(-1)).toBe(200);
    expect(back.every((value, index) => index === 0 || value >= (back[index - 1] ?? 0))).toBe(true);
  });

  it("takes an origin that stays slower for ten minutes as it is", () => {
    const adaptive = newAdaptiveLimit(BOUNDS, T0);
    run(adaptive, T0, 60, 50);
    run(adaptive, T0 + 60_000, 660, 500);
    expect(adaptive.published.slots).toBe(200);
  });

  it("is never squeezed to measure, and the version only grows", () => {
    const adaptive = newAdaptiveLimit(BOUNDS, T0);
    let { version } = adaptive.published;
    for (let minute = 0; minute < 30; minute++) {
      run(adaptive, T0 + minute * 60_000, 60, 50 + (minute % 3) * 10);
      expect(adaptive.published.slots).toBe(200);
      expect(adaptive.published.version).toBeGreaterThanOrEqual(version);
      version = adaptive.published.version;
    }
  });

  it("does nothing by a handful of calls, and follows a changed config at once", () => {
    const adaptive = newAdaptiveLimit(BOUNDS, T0);
    for (let second = 0; second < 30; second++) noteLatency(adaptive, BOUNDS, 0, 0, T0 + second * 1_000);
    expect(adaptive.records).toEqual([]);
    noteLatency(adaptive, { min: 5, max: 50 }, 1, 10_000, T0 + 30_000);
    expect(adaptive.published.slots).toBe(50);
  });
});
