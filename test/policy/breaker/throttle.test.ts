import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { isThrottled, newThrottle, noteAnswer } from "../../../src/policy/breaker/throttle.ts";
import type { Priority } from "../../../src/policy/limits/types.ts";

/** Shares of requests refused in the last 30 of 90 s, by priority, when so many of the calls fail. */
function refusedRatio(failureRatio: number, priority: Priority, perSecond = 50): number {
  const random = seeded(1);
  const throttle = newThrottle(0);
  let refused = 0;
  let requests = 0;
  for (let nowMs = 0; nowMs < 90_000; nowMs += 1_000 / perSecond) {
    const stopped = isThrottled(throttle, priority, nowMs, random());
    if (!stopped) noteAnswer(throttle, random() >= failureRatio, nowMs);
    if (nowMs < 60_000) continue;
    requests++;
    if (stopped) refused++;
  }
  return refused / requests;
}

describe("in a brown-out", () => {
  it("nobody of normal priority is refused while no more than half of the calls fail", () => {
    expect(refusedRatio(0.2, "normal")).toBe(0);
    expect(refusedRatio(0.4, "normal")).toBe(0);
    expect(refusedRatio(0.5, "normal")).toBeLessThan(0.02);
  });

  it("more is refused the more fails, low priority first and high priority last", () => {
    const [low, normal, high] = (["low", "normal", "high"] as const).map((priority) => refusedRatio(0.7, priority));
    expect(low).toBeGreaterThan(normal ?? 1);
    expect(normal).toBeGreaterThan(high ?? 1);
    expect(normal).toBeGreaterThan(0.2);
    expect(refusedRatio(0.4, "low")).toBeGreaterThan(0.05);
  });

  it("an isolate with few calls does not take chance for one", () => {
    const throttle = newThrottle(0);
    for (let call = 0; call < 10; call++) {
      expect(isThrottled(throttle, "low", call, 0)).toBe(false);
      noteAnswer(throttle, false, call);
    }
  });

  it("nothing is refused half a minute after the last failure", () => {
    const throttle = newThrottle(0);
    for (let call = 0; call < 100; call++) {
      isThrottled(throttle, "normal", call, 0.5);
      noteAnswer(throttle, false, call);
    }
    expect(isThrottled(throttle, "normal", 200, 0.5)).toBe(true);
    expect(isThrottled(throttle, "normal", 31_000, 0)).toBe(false);
  });
});
