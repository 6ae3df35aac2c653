import { describe, expect, it } from "vitest";
import type { Freshness } from "../../../src/policy/cache/freshness.ts";
import { judgeSnapshot, mayServeSnapshot, mayTakeSnapshot } from "../../../src/policy/cache/snapshot.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const T0 = 1_000_000_000;
const FRESH: Freshness = {
  bornAtMs: T0,
  lifetimeMs: 0,
  noCache: false,
  neverStale: false,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
};

describe("a snapshot", () => {
  const known = { fingerprint: "a", writtenAtMs: T0 };

  it("is written when there is none, then when the content changed, at most once in the interval", () => {
    expect(judgeSnapshot(undefined, "a", MINUTE, T0)).toEqual({ write: true, askAgainMs: MINUTE });
    expect(judgeSnapshot(known, "b", MINUTE, T0 + MINUTE - 1)).toEqual({ write: false, askAgainMs: 1 });
    expect(judgeSnapshot(known, "b", MINUTE, T0 + MINUTE)).toEqual({ write: true, askAgainMs: MINUTE });
  });

  it("of what did not change is written once an hour, and asked about once in the interval", () => {
    expect(judgeSnapshot(known, "a", MINUTE, T0 + MINUTE)).toEqual({ write: false, askAgainMs: MINUTE });
    expect(judgeSnapshot(known, "a", MINUTE, T0 + HOUR - 1_000)).toEqual({ write: false, askAgainMs: 1_000 });
    expect(judgeSnapshot(known, "a", MINUTE, T0 + HOUR)).toMatchObject({ write: true });
    expect(judgeSnapshot(known, "a", 5 * HOUR, T0 + HOUR)).toEqual({ write: false, askAgainMs: 4 * HOUR });
  });

  it("is not held up by a clock that was set back", () => {
    expect(judgeSnapshot(known, "a", MINUTE, T0 - HOUR)).toMatchObject({ write: true });
  });

  it("is never taken of what must be revalidated, nor of a large body, and is no answer after thirty days", () => {
    expect(mayTakeSnapshot(FRESH, 1_048_576)).toBe(true);
    expect(mayTakeSnapshot(FRESH, 1_048_577)).toBe(false);
    expect(mayTakeSnapshot({ ...FRESH, neverStale: true }, 1)).toBe(false);
    expect(mayTakeSnapshot({ ...FRESH, noCache: true }, 1)).toBe(false);
    expect(mayServeSnapshot(FRESH, T0 + 30 * 24 * HOUR)).toBe(true);
    expect(mayServeSnapshot(FRESH, T0 + 30 * 24 * HOUR + 1)).toBe(false);
    expect(mayServeSnapshot({ ...FRESH, neverStale: true }, T0)).toBe(false);
  });
});
