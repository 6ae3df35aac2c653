import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { VERSION } from "../../src/admin/version.ts";
import type { CoordinatorKind, Env } from "../../src/platform/bindings.ts";
import { METRICS_SHARDS, metricsObjectName, OUTCOMES, type TenantCounts } from "../../src/protocol/metrics.ts";
import { METRICS, type MetricName, parseSeries } from "../../src/protocol/series.ts";
import { AdminSite } from "./admin-site.ts";

afterEach(() => reset());

const zeros = (length: number): number[] => Array.from({ length }, () => 0);

interface Counted {
  readonly shard?: number;
  readonly origins?: number;
  readonly tenants?: readonly Partial<TenantCounts>[];
  readonly events?: Readonly<Record<string, number>>;
}

async function count({ shard = 0, origins = 0, tenants = [], events = {} }: Counted): Promise<void> {
  const buckets = zeros(14).with(2, origins);
  const route = { route: "all", origin: "app", outcomes: zeros(OUTCOMES.length).with(0, origins), buckets };
  const nothing = { tenant: "other", admitted: 0, throttled: 0, shadowed: 0, tokens: 0, durationSecondsSum: 0 };
  await env.METRICS.getByName(metricsObjectName(shard)).flush({
    v: 2,
    edgeId: crypto.randomUUID(),
    configVersion: 1,
    durable: 0,
    batches: [
      {
        seq: 1,
        spanMs: 1_000,
        routes: origins === 0 ? [] : [{ ...route, goodBuckets: buckets, durationSecondsSum: origins * 0.004 }],
        tenants: tenants.map((tenant) => ({ ...nothing, ...tenant })),
        events,
      },
    ],
  });
}

/** Series -> value; and every family once, with the type that it says. */
async function scrape(
  site: AdminSite,
  query = "",
): Promise<{ readonly values: Record<string, number>; readonly types: Record<string, string>; readonly text: string }> {
  const { text, status } = await site.ask(`/_weir/metrics${query}`);
  expect([status, text.at(-1)]).toEqual([200, "\n"]);
  const values: Record<string, number> = {};
  const types: Record<string, string> = {};
  for (const line of text.trimEnd().split("\n")) {
    const [, type] = /^# TYPE (.*)$/.exec(line) ?? [];
    if (type !== undefined) {
      const [name = "", of = ""] = type.split(" ");
      expect(Object.keys(types)).not.toContain(name);
      types[name] = of;
    } else if (!line.startsWith("#")) {
      const end = line.lastIndexOf(" ");
      expect(Object.keys(values)).not.toContain(line.slice(0, end));
      values[line.slice(0, end)] = Number(line.slice(end + 1));
    }
  }
  return { values, types, text };
}

/** It does not answer, be it at once or ever. */
const without = (kind: CoordinatorKind): Env => ({
  ...env,
  WAN: {
    call: async (asked, name, method, argument) => {
      if (asked === kind && kind === "ORIGIN") return new Promise(() => undefined);
      if (asked === kind) throw new Error("out of reach");
      const stub = env[asked].getByName(name) as unknown as Record<string, (argument: unknown) => Promise<unknown>>;
      return stub[method]?.(argument);
    },
  },
});

describe("/_weir/metrics", () => {
  it("has only names, types and labels of the table, every series once", async () => {
    await count({ origins: 3, tenants: [{ tenant: "acme", admitted: 2, tokens: 2 }] });
    await count({ events: { 'weir_admin_refused_total{reason="no\\"t"}': 2, weir_wishes_total: 5 } });
    const { values, types } = await scrape(await AdminSite.make());
    for (const [name, type] of Object.entries(types)) {
      expect([name, type]).toEqual([name, METRICS[name as MetricName].type]);
    }
    for (const series of Object.keys(values)) {
      const histogram = /^(.*)_(?:bucket|sum|count)(.*)$/.exec(series.replace(/,le="[^"]*"/, ""));
      expect([series, parseSeries(series) ?? (histogram && parseSeries(`${histogram[1]}${histogram[2]}`))]).toEqual([
        series,
        expect.objectContaining({ name: expect.stringMatching(/^weir_/) as unknown }),
      ]);
    }
    expect(values['weir_admin_refused_total{reason="no\\"t"}']).toBe(2);
    // What this release does not know is left out, and said.
    expect(values["weir_scrape_errors"]).toBe(1);
  });

  it("adds up what all Metrics objects count, with cumulative buckets", async () => {
    for (let shard = 0; shard < METRICS_SHARDS; shard++) await count({ shard, origins: shard + 1 });
    const { values } = await scrape(await AdminSite.make());
    const of = 'origin="app",route="all"';
    expect(values).toMatchObject({
      [`weir_requests_total{${of},outcome="origin"}`]: 10,
      [`weir_request_duration_seconds_bucket{${of},le="0.0025"}`]: 0,
      [`weir_request_duration_seconds_bucket{${of},le="0.005"}`]: 10,
      [`weir_request_duration_seconds_bucket{${of},le="+Inf"}`]: 10,
      [`weir_request_duration_seconds_count{${of}}`]: 10,
      [`weir_good_requests_total{${of},within="0.005"}`]: 10,
      [`weir_good_requests_total{${of},within="+Inf"}`]: 10,
    });
    expect(values[`weir_request_duration_seconds_sum{${of}}`]).toBeCloseTo(0.04, 9);
  });

  it("has every outcome of every route, and every plain count, with 0 before the first request", async () => {
    const { values } = await scrape(await AdminSite.make());
    for (const outcome of OUTCOMES) {
      expect(values[`weir_requests_total{origin="app",route="all",outcome="${outcome}"}`]).toBe(0);
    }
    expect(values).toMatchObject({
      weir_internal_errors_total: 0,
      weir_dropped_series_total: 0,
      weir_scrape_errors: 0,
    });
  });

  it("has the heaviest tenants by name, the others as one, and totals that are exact whoever is named", async () => {
    const tenants = Array.from({ length: 50 }, (_, index) => ({
      tenant: `t${index}`,
      admitted: index + 1,
      throttled: 2 * (index + 1),
      tokens: 3 * (index + 1),
    }));
    await count({ tenants });
    const site = await AdminSite.make();
    for (const [query, named] of [
      ["", 20],
      ["?tenants=5", 5],
      ["?tenants=0", 0],
      ["?tenants=1000", 50],
    ] as const) {
      const { values } = await scrape(site, query);
      const throttled = Object.entries(values).filter(([series]) => /^weir_tenant_.*throttled/.test(series));
      const names = throttled
        .map(([series]) => /tenant="([^"]*)"/.exec(series)?.[1])
        .filter((name) => name !== "other");
      expect(new Set(names)).toEqual(new Set(tenants.slice(50 - named).map(({ tenant }) => tenant)));
      expect(names).toHaveLength(named);
      expect(throttled.reduce((sum, [, value]) => sum + value, 0)).toBe(2_550);
      expect(values['weir_limit_decisions_total{decision="throttled"}']).toBe(2_550);
      expect(values['weir_limit_decisions_total{decision="admitted"}']).toBe(1_275);
    }
    expect((await site.ask("/_weir/metrics?tenants=1001")).status).toBe(400);
  });

  it("tells no tenant where one is only counted to be told in the status", async () => {
    await count({
      events: {
        'weir_limit_failed_total{tenant="a",mode="open"}': 2,
        'weir_limit_failed_total{tenant="b",mode="open"}': 3,
      },
    });
    const { values, text } = await scrape(await AdminSite.make());
    expect(values['weir_limit_failed_total{mode="open"}']).toBe(5);
    expect(text).not.toContain('tenant="a"');
  });

  it("shows a breaker's state as one of all there are, and counts how it came to it", async () => {
    const site = await AdminSite.make();
    const trip = { state: "open", reason: "a test", by: "me", forMs: 60_000 };
    expect((await site.call("POST", "/breakers/app/trip", trip)).status).toBe(200);
    const { values } = await scrape(site);
    const states = Object.entries(values).filter(([series]) => series.startsWith("weir_breaker_state"));
    expect(states).toHaveLength(6);
    expect(states.filter(([, value]) => value === 1)).toEqual([
      ['weir_breaker_state{origin="app",state="forced-open"}', 1],
    ]);
    expect(values['weir_breaker_transitions_total{origin="app",from="closed",to="forced-open",reason="forced"}']).toBe(
      1,
    );
  });

  it.each([
    ["METRICS", "metrics", "weir_edges"],
    ["MONITOR", "monitor", 'weir_alerts{state="firing"}'],
    ["ORIGIN", "origin:app", 'weir_breaker_score{origin="app"}'],
  ] as const)("without %s says so, and gives what the others have", async (kind, source, missing) => {
    const site = await AdminSite.make();
    expect((await scrape(site)).values).toMatchObject({
      [missing]: expect.any(Number) as unknown,
      weir_scrape_errors: 0,
    });
    site.bindings = without(kind);
    const { values } = await scrape(site);
    expect(values[`weir_scrape_source_up{source="${source}"}`]).toBe(0);
    const up = Object.entries(values).filter(([series]) => series.startsWith("weir_scrape_source_up"));
    expect([up.length, up.reduce((sum, [, value]) => sum + value, 0)]).toEqual([3, 2]);
    expect(values["weir_scrape_errors"]).toBe(1);
    expect(Object.keys(values)).not.toContain(missing);
    expect(values[`weir_build_info{version="${VERSION}"}`]).toBe(1);
  });
});
