import { describe, expect, it } from "vitest";
import { duration, percent, rate } from "../../../ui/model/format.ts";
import {
  bucketsAt,
  merged,
  outcomesAt,
  type Point,
  quantileMs,
  ratesAt,
  servedWell,
  summed,
  sumOf,
  tenantsOf,
  withGaps,
} from "../../../ui/model/traffic.ts";
import { partsOf } from "../../../ui/model/limit-words.ts";

const point = (tenants: Point["tenants"]): Point => ({ fromMs: 0, toMs: 1_000, routes: {}, tenants });
const tenant = (throttled: number, admitted: number, shadowed = 0) => ({ throttled, admitted, shadowed });

describe("tenants", () => {
  it("come the most throttled first, then by shadow, then by what they asked; all others last", () => {
    const points = [
      point({ a: tenant(1, 9), b: tenant(5, 1), other: tenant(100, 1) }),
      point({ a: tenant(6, 0), c: tenant(0, 50), d: tenant(0, 2, 2) }),
    ];
    expect(tenantsOf(points).map((one) => [one.tenant, one.throttled])).toEqual([
      ["a", 7],
      ["b", 5],
      ["d", 0],
      ["c", 0],
      ["other", 100],
    ]);
  });
});

describe("what was served as meant", () => {
  const outcomes = outcomesAt({
    ...point({}),
    routes: {
      x: {
        outcomes: { origin: 6, cache: 2, stale: 1, error: 1, throttled: 90, refused: 5 },
        buckets: [],
        goodBuckets: [],
        durationSecondsSum: 0,
      },
    },
  });
  it("leaves out what the caller earned, and is not known of nothing", () => {
    expect(servedWell(outcomes)).toBe(0.8);
    expect(sumOf(outcomes)).toBe(105);
    expect(servedWell(outcomesAt(point({})))).toBeNaN();
  });
});

describe("a quantile", () => {
  it("lies in its bucket by straight lines; above the last bound it is that; of nothing it is nothing", () => {
    const none = Array.from({ length: 14 }, () => 0);
    expect(quantileMs(none, 0.5)).toBeNull();
    expect(quantileMs(none.with(0, 10), 0.5)).toBeCloseTo(0.5);
    expect(quantileMs(none.with(3, 100).with(5, 100), 0.75)).toBeCloseTo(37.5);
    expect(quantileMs(none.with(13, 1), 0.99)).toBe(10_000);
  });
});

describe("numbers in words", () => {
  it("never say all or nothing of what is not", () => {
    expect([percent(0.99999), percent(0.00001), percent(1), percent(0), percent(0.2857)]).toEqual([
      ">99.9 %",
      "<0.1 %",
      "100 %",
      "0 %",
      "28.6 %",
    ]);
    expect([rate(0), rate(0.01), rate(3.14), rate(1_234), rate(250_000)]).toEqual([
      "0",
      "<0.1",
      "3.1",
      "1,234",
      "250K",
    ]);
  });

  it("say a duration in its two largest units", () => {
    const said = [0.5, 12, 1_234, 59_000, 61_000, 3_600_000, 7_500_000, 90_000_000].map(duration);
    expect(said).toEqual(["0.5 ms", "12 ms", "1.2 s", "59 s", "1 min 1 s", "1 h", "2 h 5 min", "1 d 1 h"]);
  });
});

describe("a limit in words", () => {
  it("is taken apart, to be filled in again", () => {
    expect(partsOf("200/s, burst 400")).toEqual({ kind: "bucket", rate: 200, unit: "s", burst: 400 });
    expect(partsOf("0.5/h, burst 1")).toEqual({ kind: "bucket", rate: 0.5, unit: "h", burst: 1 });
    expect(partsOf("1000 per day")).toEqual({ kind: "quota", quota: 1_000, period: "day" });
    expect(partsOf("20 at once")).toEqual({ kind: "slots", slots: 20 });
    expect(partsOf("something else")).toBeUndefined();
  });
});

describe("points that follow each other", () => {
  const at = (fromMs: number, toMs: number, origin: number): Point => ({
    fromMs,
    toMs,
    routes: { x: { outcomes: { origin }, buckets: [origin], goodBuckets: [], durationSecondsSum: origin } },
    tenants: { a: tenant(origin, 0) },
  });

  it("are one point of all their time, with all that was counted", () => {
    const one = merged([at(0, 1_000, 3), at(1_000, 1_100, 0), at(1_100, 3_000, 6)]);
    expect([one.fromMs, one.toMs]).toEqual([0, 3_000]);
    expect(one.routes["x"]).toMatchObject({ outcomes: { origin: 9 }, durationSecondsSum: 9 });
    expect(one.routes["x"]?.buckets[0]).toBe(9);
    expect(one.tenants).toEqual({ a: tenant(9, 0) });
    expect(ratesAt(one).get("x")).toBe(3);
  });

  it("fall to nothing where none is between them, and nowhere else", () => {
    const points = [at(0, 60_000, 1), at(60_000, 120_000, 1), at(600_000, 660_000, 1)];
    expect(withGaps(points, 60_000).map(({ fromMs }) => fromMs)).toEqual([0, 60_000, 120_000, 540_000, 600_000]);
    expect(withGaps(points.slice(0, 2), 60_000)).toEqual(points.slice(0, 2));
    // Of a first point with nothing of a route there is no latency, and of all of them there is.
    expect(quantileMs(summed([at(0, 1, 0), at(1, 2, 4)].map(bucketsAt)), 0.5)).toBeCloseTo(0.5);
    expect(quantileMs(summed([bucketsAt({ ...at(0, 1, 0), routes: {} }), bucketsAt(at(1, 2, 4))]), 0.5)).toBeCloseTo(
      0.5,
    );
  });
});
