import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { periodEndMs } from "../../../src/policy/limits/calendar.ts";
import { runs, SEED } from "./builders.ts";

describe("calendar periods", () => {
  const at = (text: string): number => Date.parse(text);
  it.each([
    ["day", "UTC", "2026-11-23T13:00:00Z", "2026-11-24T00:00:00Z"],
    ["day", "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T22:00:00Z"],
    ["day", "Europe/Berlin", "2026-10-25T10:00:00Z", "2026-10-25T23:00:00Z"],
    ["month", "UTC", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"],
    ["month", "America/New_York", "2026-11-01T03:00:00Z", "2026-11-01T04:00:00Z"],
    ["hour", "Asia/Kolkata", "2026-11-23T13:10:00Z", "2026-11-23T13:30:00Z"],
    ["minute", "UTC", "2026-11-23T13:10:59.999Z", "2026-11-23T13:11:00Z"],
    ["minute", "UTC", "2026-11-23T13:11:00Z", "2026-11-23T13:12:00Z"],
    ["minute", "UTC", "2026-12-31T23:59:30Z", "2027-01-01T00:00:00Z"],
    ["hour", "UTC", "2026-11-23T23:59:59Z", "2026-11-24T00:00:00Z"],
    ["day", "UTC", "2028-02-28T12:00:00Z", "2028-02-29T00:00:00Z"],
    ["day", "UTC", "2026-12-31T12:34:56Z", "2027-01-01T00:00:00Z"],
    ["month", "UTC", "2026-11-23T13:10:00Z", "2026-12-01T00:00:00Z"],
    ["month", "UTC", "2026-01-31T13:10:00Z", "2026-02-01T00:00:00Z"],
    ["month", "Europe/Berlin", "2026-03-15T12:00:00Z", "2026-03-31T22:00:00Z"],
    ["month", "Europe/Berlin", "2026-10-15T12:00:00Z", "2026-10-31T23:00:00Z"],
    ["hour", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"],
    // The local start that summer time skips: two o'clock in Berlin, midnight in Santiago.
    ["hour", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"],
    ["minute", "Europe/Berlin", "2026-03-29T00:59:30Z", "2026-03-29T01:00:00Z"],
    ["day", "America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"],
    ["day", "America/Santiago", "2026-09-06T03:30:00Z", "2026-09-06T04:00:00Z"],
    ["day", "America/Santiago", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"],
    ["day", "Asia/Kolkata", "2026-12-31T20:00:00Z", "2027-01-01T18:30:00Z"],
  ] as const)("a %s in %s that holds %s ends at %s", (period, zone, now, end) => {
    expect(new Date(periodEndMs(at(now), period, zone)).toISOString()).toBe(new Date(at(end)).toISOString());
  });

  it.each([
    ["Europe/Berlin", "2026-03-29T01:00:00Z"],
    ["Europe/Berlin", "2026-10-25T01:00:00Z"],
    ["America/Santiago", "2026-09-06T04:00:00Z"],
    ["America/Santiago", "2026-04-05T03:00:00Z"],
    ["Australia/Lord_Howe", "2026-10-03T15:30:00Z"],
  ])("in %s are not shorter by the clock change at %s, so no quota comes anew too soon", (zone, change) => {
    for (const [period, lengthMs] of [
      ["minute", 60_000],
      ["hour", 3_600_000],
      ["day", 86_400_000],
    ] as const) {
      let nowMs = at(change) - 2 * lengthMs;
      for (let count = 0; nowMs < at(change) + 2 * lengthMs; count++) {
        const endMs = periodEndMs(nowMs, period, zone);
        const lasted = endMs - nowMs;
        // The first may have begun before. A day has 23 hours at least; half an hour is the smallest change there is.
        if (count > 0)
          expect(lasted).toBeGreaterThanOrEqual(
            period === "minute" ? lengthMs : lengthMs - 3_600_000 / (period === "hour" ? 2 : 1),
          );
        expect(lasted).toBeGreaterThan(0);
        nowMs = endMs;
      }
    }
  });

  it("end after now, always", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: at("2020-01-01T00:00:00Z"), max: at("2035-01-01T00:00:00Z") }),
        fc.constantFrom("minute", "hour", "day", "month"),
        fc.constantFrom("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Auckland", "Asia/Kathmandu"),
        (nowMs, period, zone) => {
          const endMs = periodEndMs(nowMs, period, zone);
          expect(endMs).toBeGreaterThan(nowMs);
          expect(endMs - nowMs).toBeLessThanOrEqual(32 * 86_400_000);
        },
      ),
      { seed: SEED, numRuns: runs(300) },
    );
  });
});
