import { describe, expect, it } from "vitest";
import { canSpendLocally, newLocalShare, spendLocally } from "../../../src/policy/limits/fail-local.ts";
import type { Holding } from "../../../src/policy/limits/lessee.ts";
import { bucket, holding, quota, slots, T0, TOKEN } from "./builders.ts";

/** How many requests of one token come through at `atMs`. */
function admitted(share: ReturnType<typeof newLocalShare>, of: Holding, atMs: number, tokens = 1): number {
  let count = 0;
  while (count < 10_000 && canSpendLocally(share, of, tokens * TOKEN, atMs)) {
    spendLocally(share, of, tokens * TOKEN);
    count++;
  }
  return count;
}

describe("while the coordinator is out of reach, an isolate alone", () => {
  it("admits its part of the burst, then its part of the rate, up to its part of the burst", () => {
    const shared = holding(bucket(100, 40), { activeLessees: 4 });
    const share = newLocalShare(shared, T0);
    expect(share.atMs).toBe(T0);
    expect(admitted(share, shared, T0)).toBe(10);
    expect(admitted(share, shared, T0 + 39)).toBe(0);
    expect(admitted(share, shared, T0 + 200)).toBe(5);
    expect(admitted(share, shared, T0 + 60_000)).toBe(10);
  });

  it("is one of eight where the coordinator was never heard", () => {
    const unheard = holding(bucket(1, 80));
    expect(admitted(newLocalShare(unheard, T0), unheard, T0)).toBe(10);
  });

  it("has at least one token, and takes no fraction of one", () => {
    const small = holding(bucket(1, 3), { activeLessees: 100 });
    expect(admitted(newLocalShare(small, T0), small, T0)).toBe(1);
    const odd = holding(bucket(1, 7), { activeLessees: 2 });
    expect(newLocalShare(odd, T0).tokensMicro).toBe(3_500_000);
    const uneven = holding({ kind: "bucket", refillNumerator: 1, refillDenominator: 1, burstMicro: 10 * TOKEN + 1 });
    expect(newLocalShare({ ...uneven, activeLessees: 2 }, T0).tokensMicro).toBe(5 * TOKEN);
  });

  it("shares a quota by what was last known to be free, and gets nothing more of it", () => {
    const daily = holding(quota(1_000), { freeMicro: 60 * TOKEN, activeLessees: 3 });
    const share = newLocalShare(daily, T0);
    expect(admitted(share, daily, T0)).toBe(20);
    expect(admitted(share, daily, T0 + 86_400_000)).toBe(0);
  });

  it("lets a request through that costs more than its part, once that has come in", () => {
    const shared = holding(bucket(10, 40), { activeLessees: 10 });
    const share = newLocalShare(shared, T0);
    expect(admitted(share, shared, T0, 6)).toBe(0);
    expect(admitted(share, shared, T0 + 1_999, 6)).toBe(0);
    expect(admitted(share, shared, T0 + 2_000, 6)).toBe(1);
  });

  it("gets nothing for a clock that steps back, and counts from there", () => {
    const shared = holding(bucket(100, 100), { activeLessees: 1 });
    const share = newLocalShare(shared, T0);
    expect(admitted(share, shared, T0)).toBe(100);
    expect(admitted(share, shared, T0 - 5_000)).toBe(0);
    expect(admitted(share, shared, T0 - 4_990)).toBe(1);
  });

  it("has its part of the slots in use at once", () => {
    const shared = holding(slots(9), { activeLessees: 4 });
    const share = newLocalShare(shared, T0);
    expect(canSpendLocally(share, shared, 5 * TOKEN, T0)).toBe(true);
    spendLocally(share, shared, 5 * TOKEN);
    shared.busyMicro = TOKEN;
    expect(canSpendLocally(share, shared, TOKEN, T0)).toBe(true);
    shared.busyMicro = 2 * TOKEN;
    expect(canSpendLocally(share, shared, TOKEN, T0)).toBe(false);
    expect(share.tokensMicro).toBe(2_250_000);
    const two = holding(slots(8), { activeLessees: 4, busyMicro: TOKEN });
    expect(canSpendLocally(newLocalShare(two, T0), two, TOKEN, T0)).toBe(true);
  });

  it("goes by an override, where one is in force", () => {
    const overridden = holding(bucket(1, 80), { override: bucket(1, 800), activeLessees: 8 });
    expect(admitted(newLocalShare(overridden, T0), overridden, T0)).toBe(100);
    const fewer = holding(slots(80), { override: slots(8), activeLessees: 8, busyMicro: TOKEN });
    expect(canSpendLocally(newLocalShare(fewer, T0), fewer, TOKEN, T0)).toBe(false);
  });
});
