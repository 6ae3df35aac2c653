import { describe, expect, it } from "vitest";
import { earnRetry, mayRepeat, newRetryBudget, retryWait } from "../../../src/policy/forwarding/retry.ts";
import { verdictOfStatus } from "../../../src/policy/forwarding/verdict.ts";
import { seeded } from "../../../sim/kernel/random.ts";

describe("the verdict of a status", () => {
  it.each([
    [103, "failure"],
    [200, "success"],
    [204, "success"],
    [304, "success"],
    [400, "success"],
    [401, "success"],
    [404, "success"],
    [429, "success"],
    [500, "failure"],
    [501, "success"],
    [502, "failure"],
    [503, "failure"],
    [504, "failure"],
    [505, "success"],
    [599, "failure"],
  ])("%i is a %s", (status, kind) => {
    expect(verdictOfStatus(status).kind).toBe(kind);
  });
});

describe("retries", () => {
  const attempt = {
    attempt: 1,
    attempts: 3,
    status: undefined,
    retryAfterMs: undefined,
    leftMs: 5_000,
  };

  it("are for idempotent methods, and for others only with a key the origin honours", () => {
    expect(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].every((method) => mayRepeat(method, false, false))).toBe(true);
    expect(mayRepeat("POST", false, true)).toBe(false);
    expect(mayRepeat("POST", true, false)).toBe(false);
    expect(mayRepeat("POST", true, true)).toBe(true);
  });

  it("are for transient failures, inside the attempts and the deadline", () => {
    const wait = (change: Partial<Parameters<typeof retryWait>[1]>): number | undefined =>
      retryWait(newRetryBudget(), { ...attempt, ...change }, 0.5);
    expect(wait({})).toBe(25);
    expect(wait({ status: 503 })).toBe(25);
    expect(wait({ status: 500 })).toBeUndefined();
    expect(wait({ attempt: 3 })).toBeUndefined();
    expect(wait({ leftMs: 20 })).toBeUndefined();
    expect(wait({ retryAfterMs: 1_000 })).toBe(1_000);
    expect(wait({ retryAfterMs: 6_000 })).toBeUndefined();
  });

  it("are at most a tenth of what was answered, and one", () => {
    const budget = newRetryBudget();
    const random = seeded(5);
    let retries = 0;
    let answered = 0;
    const requests = 500 * 60;
    for (let request = 1; request <= requests; request++) {
      if (random() < 0.5) {
        earnRetry(budget, 0.1);
        answered++;
      } else if (retryWait(budget, attempt, random()) !== undefined) retries++;
      expect(retries).toBeLessThanOrEqual(1 + 0.1 * answered + 1e-6);
    }
    expect(retries / requests).toBeGreaterThan(0.045);
  });

  it("are saved up to ten only, however long nothing failed", () => {
    const budget = newRetryBudget();
    for (let request = 0; request < 10_000; request++) earnRetry(budget, 0.1);
    const waits = Array.from({ length: 20 }, () => retryWait(budget, attempt, 0.5));
    expect(waits.filter((wait) => wait !== undefined)).toHaveLength(10);
  });
});
