import { describe, expect, it } from "vitest";
import { keySetStep } from "../../../src/policy/identity/key-set.ts";

const NOW_MS = 1_000_000_000;
const step = (ageMs: number | undefined, askedMsAgo: number) =>
  keySetStep({ fetchedAtMs: ageMs === undefined ? undefined : NOW_MS - ageMs, askedAtMs: NOW_MS - askedMsAgo }, NOW_MS);

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
const LONG_AGO = Number.POSITIVE_INFINITY;

describe("an issuer's keys", () => {
  it.each([
    ["that are fresh are used", 0, 0, "use"],
    ["of five minutes are used", 5 * MINUTE_MS, LONG_AGO, "use"],
    ["that are older are refreshed behind requests", 5 * MINUTE_MS + 1, LONG_AGO, "refresh"],
    ["up to ten minutes", 10 * MINUTE_MS, LONG_AGO, "refresh"],
    ["and in front of them after", 10 * MINUTE_MS + 1, LONG_AGO, "wait"],
    ["but not twice in ten seconds", 10 * MINUTE_MS + 1, 9_999, "use"],
    ["serve for a day while nothing better comes", DAY_MS, 9_999, "use"],
    ["and no longer", DAY_MS + 1, 9_999, "none"],
    ["but are asked for again then", DAY_MS + 1, 10_000, "wait"],
    ["that are not there are asked for", undefined, LONG_AGO, "wait"],
    ["and not again at once", undefined, 9_999, "none"],
  ] as const)("%s", (_name, ageMs, askedMsAgo, expected) => {
    expect(step(ageMs, askedMsAgo)).toBe(expected);
  });
});
