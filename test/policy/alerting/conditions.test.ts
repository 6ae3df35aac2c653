import { describe, expect, it } from "vitest";
import {
  breakerConditions,
  breakerOf,
  burnConditions,
  counterConditions,
  COUNTERS_WATCHED,
  spikeConditions,
} from "../../../src/policy/alerting/conditions.ts";
import type { AlertSettings, Condition } from "../../../src/policy/alerting/types.ts";
import { judgeBurn } from "../../../src/policy/objectives/burn.ts";
import type { Incident, Objective } from "../../../src/policy/objectives/types.ts";
import { METRICS } from "../../../src/protocol/series.ts";

const NOW = 1_000_000;
const brief = (conditions: readonly Condition[]) =>
  conditions.map(({ fingerprint, severity }) => `${severity} ${fingerprint}`);
const breaker = (to: string, by?: string) => ({ originId: "shop", to, atMs: NOW, epoch: 2, reason: "r", by });
const popIncident = (recoveredAtMs: number): Incident => ({
  originId: "shop",
  pop: "FRA|x=1",
  beganAtMs: 1,
  detectedAtMs: 2,
  toldAtMs: undefined,
  recoveredAtMs,
  reason: "r",
  byHand: false,
});

describe("conditions of breakers", () => {
  it.each([
    ["closed", []],
    ["open", ["page breaker|origin=shop"]],
    ["half-open", ["page breaker|origin=shop"]],
    ["ramp", ["page breaker|origin=shop"]],
    ["forced-open", ["ticket breaker|origin=shop|forced=open"]],
    ["forced-closed", ["ticket breaker|origin=shop|forced=closed"]],
  ])("of one that is %s are %j", (to, expected) => {
    expect(brief(breakerConditions([breaker(to)], [], NOW))).toEqual(expected);
  });

  it("are a ticket for a PoP opened alone, until it closes, and kept for a while", () => {
    const conditions = breakerConditions([], [popIncident(NOW + 1), popIncident(NOW)], NOW);
    expect(brief(conditions)).toEqual(["ticket breaker|origin=shop|pop=FRA%7Cx%3D1"]);
    expect(conditions[0]?.keepMs).toBe(60_000);
    expect(conditions.map(breakerOf)).toEqual([{ originId: "shop", pop: "FRA|x=1" }]);
  });

  it("bound what a hand wrote", () => {
    const [forced] = breakerConditions([{ ...breaker("forced-open", "ann"), reason: "x".repeat(5_000) }], [], NOW);
    expect(forced?.summary).toContain("by ann");
    expect(forced?.summary.length).toBeLessThanOrEqual(200);
  });
});

describe("conditions of objectives", () => {
  const objective: Objective = { id: "o", kind: "good", route: "pay", targetRatio: 0.99, windowMs: 30 * 86_400_000 };

  it("are one page and one ticket, of the gravest pair that burns", () => {
    const all = { objective, burn: judgeBurn(objective, () => ({ total: 1_000, bad: 500 })) };
    const conditions = burnConditions([all]);
    expect(brief(conditions)).toEqual([
      "page burn|objective=o|route=pay|page",
      "ticket burn|objective=o|route=pay|ticket",
    ]);
    expect(conditions[0]?.summary).toBe("Objective o burns its budget 50.0 times as fast as it may, over 1h");
    const slow = { objective, burn: judgeBurn(objective, () => ({ total: 1_000, bad: 20 })) };
    expect(burnConditions([slow]).map(({ summary }) => summary)).toEqual([
      "Objective o burns its budget 2.0 times as fast as it may, over 3d",
    ]);
    expect(burnConditions([{ objective, burn: judgeBurn(objective, () => ({ total: 9, bad: 9 })) }])).toEqual([]);
  });
});

describe("conditions of tenants", () => {
  const settings = { spikeRatio: 0.5, spikeLeast: 100, spikeForMs: 120_000 } as AlertSettings;
  it.each([
    [{ admitted: 50, throttled: 50 }, true],
    [{ admitted: 51, throttled: 49 }, false],
    [{ admitted: 0, throttled: 99 }, false],
    [{ admitted: 0, throttled: 100 }, true],
  ])("for %o: %s", (counts, spikes) => {
    expect(brief(spikeConditions({ acme: counts }, settings))).toEqual(
      spikes ? ["ticket throttle-spike|tenant=acme"] : [],
    );
  });

  it("leave out everybody else together, and are the 50 most throttled", () => {
    const tenants = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`t${index}`, { admitted: 0, throttled: 1_000 + index }]),
    );
    const conditions = spikeConditions({ ...tenants, other: { admitted: 0, throttled: 9_999 } }, settings);
    expect(conditions).toHaveLength(50);
    expect(conditions[0]?.labels).toEqual({ tenant: "t59" });
  });

  it("are none at a ratio of 0 for somebody who is never throttled", () => {
    expect(spikeConditions({ acme: { admitted: 500, throttled: 0 } }, { ...settings, spikeRatio: 0 })).toEqual([]);
  });
});

describe("conditions of counters", () => {
  it("are tickets after half a minute, and page where many requests feel it", () => {
    const grown = {
      'weir_limit_failed_total{tenant="acme",mode="local"}': 3,
      'weir_limit_failed_total{tenant="b",mode="open"}': 0,
      weir_metrics_flush_failures_total: 3,
      weir_purge_calls_failed_total: 2,
      weir_dropped_series_total: 7,
      weir_requests_total: 5,
    };
    const conditions = counterConditions(grown, 300);
    expect(brief(conditions)).toEqual([
      "page coordinator-away|coordinator=tenant",
      "ticket coordinator-away|coordinator=metrics",
      "ticket telemetry-drops|counter=weir_dropped_series_total",
    ]);
    expect(conditions.map(({ forMs }) => forMs)).toEqual([30_000, 30_000, 0]);
    expect(brief(counterConditions(grown, 301))[0]).toBe("ticket coordinator-away|coordinator=tenant");
    expect(counterConditions({ weir_dropped_series_total: 0 }, 0)).toEqual([]);
  });

  it("look at counters that there are", () => {
    for (const name of COUNTERS_WATCHED) expect(Object.keys(METRICS)).toContain(name);
  });
});
