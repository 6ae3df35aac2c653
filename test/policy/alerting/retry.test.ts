import { describe, expect, it } from "vitest";
import { fateOf, GIVE_UP_MS, type Tried } from "../../../src/policy/alerting/retry.ts";

const T0 = 1_000_000;
const answered = (status: number, retryAfterMs = 0): Tried => ({ kind: "answered", status, retryAfterMs });
const failed: Tried = { kind: "failed", why: "no connection" };
const waitOf = (tried: Tried, attempts: number, random: number): number | undefined => {
  const fate = fateOf(tried, attempts, T0, T0, random);
  return fate.kind === "again" ? fate.atMs - T0 : undefined;
};

describe("the fate of a delivery", () => {
  it.each([200, 202, 204, 299])("answered with %i is delivered", (status) => {
    expect(fateOf(answered(status), 1, T0, T0 + GIVE_UP_MS * 2, 0.5)).toEqual({ kind: "delivered" });
  });

  it.each([302, 401, 403, 404, 408, 429, 500, 503])("answered with %i is tried again", (status) => {
    expect(fateOf(answered(status), 50, T0, T0, 0.5).kind).toBe("again");
  });

  it("is death at once where the receiver wants no more, and after three tries where these bytes are refused", () => {
    expect(fateOf(answered(410), 1, T0, T0, 0.5).kind).toBe("dead");
    for (const status of [400, 413, 422]) {
      expect([1, 2, 3].map((attempts) => fateOf(answered(status), attempts, T0, T0, 0.5).kind)).toEqual([
        "again",
        "again",
        "dead",
      ]);
    }
  });

  it("is a wait that doubles, with full jitter, within its bounds", () => {
    expect([1, 2, 3, 4].map((attempts) => waitOf(failed, attempts, 0.5))).toEqual([2_000, 4_000, 8_000, 16_000]);
    expect(waitOf(failed, 1, 0)).toBe(500);
    expect(waitOf(failed, 1_000, 0.999_999)).toBe(600_000 - 1);
  });

  it("is a wait as long as the receiver asks for, an hour at most", () => {
    expect(waitOf(answered(503, 30_000), 1, 0.5)).toBe(30_000);
    expect(waitOf(answered(429, 100), 1, 0.5)).toBe(2_000);
    expect(waitOf(answered(429, 9e9), 1, 0.5)).toBe(3_600_000);
  });

  it("is death after a day", () => {
    expect(fateOf(failed, 9, T0, T0 + GIVE_UP_MS - 1, 0.5).kind).toBe("again");
    expect(fateOf(failed, 9, T0, T0 + GIVE_UP_MS, 0.5).kind).toBe("dead");
  });
});
