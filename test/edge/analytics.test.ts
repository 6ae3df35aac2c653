import { describe, expect, it } from "vitest";
import { Analytics } from "../../src/edge/analytics.ts";
import { OUTCOMES, type TenantCounts } from "../../src/policy/telemetry/counts.ts";
import type { Series } from "../../src/protocol/series.ts";

class Dataset implements AnalyticsEngineDataset {
  readonly points: AnalyticsEngineDataPoint[] = [];
  writeDataPoint(point?: AnalyticsEngineDataPoint): void {
    if (point !== undefined) this.points.push(point);
  }
}

const tenant = (name: string, counts: Partial<TenantCounts>): TenantCounts => ({
  tenant: name,
  admitted: 0,
  throttled: 0,
  shadowed: 0,
  tokens: 0,
  durationSecondsSum: 0,
  ...counts,
});

const batch = (routes: number, tenants: readonly TenantCounts[]) => ({
  spanMs: 1_000,
  routes: Array.from({ length: routes }, (_, index) => ({
    route: `route-${index}`,
    origin: "app",
    outcomes: OUTCOMES.map((outcome) => (outcome === "origin" ? 1 + index : 0)),
    buckets: [1 + index],
    goodBuckets: [1 + index],
    durationSecondsSum: 0.5,
  })),
  tenants,
  events: {},
});

const failures: Series[] = [];
const newAnalytics = (): Analytics => new Analytics("pop", 0, (event) => failures.push(event));

describe("data points", () => {
  it("are what routes and tenants had in ten seconds, added up", () => {
    const dataset = new Dataset();
    const analytics = newAnalytics();
    const acme = tenant("acme", { admitted: 2, throttled: 1, tokens: 3, durationSecondsSum: 0.25 });
    analytics.note(dataset, batch(1, [acme]), 1_000);
    analytics.note(dataset, batch(1, []), 9_999);
    expect(dataset.points).toEqual([]);
    analytics.note(dataset, batch(1, [acme]), 10_000);
    expect(dataset.points).toEqual([
      {
        indexes: ["route-0"],
        blobs: ["route", "route-0", "app", "pop"],
        doubles: [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 1.5],
      },
      { indexes: ["acme"], blobs: ["tenant", "acme", "", "pop"], doubles: [4, 2, 0, 6, 0.5] },
    ]);
    analytics.note(dataset, batch(1, []), 15_000);
    expect(dataset.points).toHaveLength(2);
  });

  it("are 25 at most, of the busiest routes and the most throttled tenants, and one for all others", () => {
    const dataset = new Dataset();
    const tenants = Array.from({ length: 400 }, (_, index) => tenant(`tenant-${index}`, { admitted: 1 + index }));
    newAnalytics().note(dataset, batch(30, [...tenants, tenant("loud", { throttled: 1 })]), 10_000);
    const named = dataset.points.map(({ indexes }) => indexes?.[0]);
    expect(named).toHaveLength(25);
    expect(named.slice(0, 3)).toEqual(["route-29", "route-28", "route-27"]);
    expect(named.slice(10, 13)).toEqual(["loud", "tenant-399", "tenant-398"]);
    expect(named.at(-1)).toBe("other");
    const told = dataset.points.slice(10).reduce((sum, { doubles }) => sum + (doubles?.[0] ?? 0), 0);
    expect(told).toBe((400 * 401) / 2);
  });

  it("are none without a data set; where they cannot be written it is counted, and nothing fails", () => {
    const analytics = newAnalytics();
    analytics.note(undefined, batch(1, []), 20_000);
    const broken: AnalyticsEngineDataset = {
      writeDataPoint: () => {
        throw new Error("no");
      },
    };
    analytics.note(broken, batch(1, []), 20_000);
    expect(failures).toEqual(["weir_analytics_failures_total"]);
  });
});
