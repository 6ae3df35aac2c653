import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { isMetricName, METRICS, parseSeries, series } from "../../src/protocol/series.ts";

describe("the table of metrics", () => {
  it("names them by Prometheus' convention: weir_, counters _total, nothing else so", () => {
    for (const [name, { type, help, labels }] of Object.entries(METRICS)) {
      expect(name).toMatch(/^weir_[a-z]+(_[a-z]+)*$/);
      expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
      expect(name).not.toMatch(/_(bucket|sum|count|ms|milliseconds|percent)$/);
      expect(help).toMatch(/^[A-Z1].*\.$/);
      expect(new Set<string>(labels).size).toBe(labels.length);
      for (const label of labels) expect(label).toMatch(/^(?!le$|quantile$|__)[a-z]+$/);
    }
  });
});

describe("series", () => {
  it("puts labels in the table's order, whatever order they come in", () => {
    const text = 'weir_rungs_total{route="r",rung="stale",result="nothing"}';
    expect(series("weir_rungs_total", { result: "nothing", rung: "stale", route: "r" })).toBe(text);
    expect(series("weir_cache_collapsed_total")).toBe("weir_cache_collapsed_total");
  });

  it("escapes what a value may hold, and parseSeries reads it back", () => {
    expect(series("weir_admin_refused_total", { reason: 'a"b\\c\nd' })).toBe(
      String.raw`weir_admin_refused_total{reason="a\"b\\c\nd"}`,
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (origin, reason) => {
        expect(parseSeries(series("weir_origin_failures_total", { origin, reason }))).toEqual({
          name: "weir_origin_failures_total",
          labels: { origin, reason },
        });
      }),
    );
  });

  it("compiles for names and labels of the table alone", () => {
    // @ts-expect-error -- no such metric
    expect(() => series("weir_wishes_total")).toThrow();
    // @ts-expect-error -- not an event: it is made of other counts
    series("weir_edges");
    // @ts-expect-error -- no such label
    series("weir_admin_refused_total", { because: "x" });
    // @ts-expect-error -- a label is missing
    series("weir_rungs_total", { route: "r", rung: "stale" });
    // @ts-expect-error -- it has labels
    series("weir_admin_refused_total");
    // @ts-expect-error -- it has none
    series("weir_cache_collapsed_total", { route: "r" });
  });
});

describe("parseSeries", () => {
  it.each([
    "weir_wishes_total",
    "weir_rungs_total",
    'weir_rungs_total{route="r"}',
    'weir_admin_refused_total{reason="a"',
    'weir_admin_refused_total{reason="a"} 7',
    'weir_admin_refused_total{reason="a""}',
    'weir_admin_refused_total{reason="a",reason="b"}x',
    'weir_limit_decisions_total{tenant="acme",decision="admitted"}',
    "toString",
    "",
  ])("knows that this is no series of the table: %s", (text) => {
    expect(parseSeries(text)).toBeUndefined();
  });

  it("knows names of the table, and nothing that objects inherit", () => {
    expect([isMetricName("weir_edges"), isMetricName("constructor")]).toEqual([true, false]);
  });
});
