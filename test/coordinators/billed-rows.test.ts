/** What calls to coordinators cost in rows: the figures that `weir cost` reckons with (cli/cost/measurements.ts). */
import { env } from "cloudflare:workers";
import { reset, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { MEASURED } from "../../cli/cost/measurements.ts";
import { BREAKER_DEFAULTS } from "../../src/policy/breaker/types.ts";
import { metricsObjectName } from "../../src/protocol/metrics.ts";
import type { OriginReport } from "../../src/protocol/origin.ts";
import type { LeaseRequest } from "../../src/protocol/tenant.ts";
import { billedBy } from "./billed-by.ts";
import { flushOfRequests } from "../support/metrics-flush.ts";

afterEach(() => reset());

const TOKEN = 1_000_000;
const SPEC = { kind: "bucket", refillNumerator: 1, refillDenominator: 1, burstMicro: 100 * TOKEN } as const;

function leaseOf(limits: number, seq: number): LeaseRequest {
  const items = Array.from({ length: limits }, (_, index) => ({
    partition: `limit-${index}`,
    spec: SPEC,
    heldMicro: 0,
    returnMicro: 0,
    demandMicroPerSecond: TOKEN,
    wantMicro: 0,
  }));
  const waiting = [{ count: 1, costMicro: TOKEN, enforced: items.map((_, index) => index), shadow: [] }];
  return { v: 1, lesseeId: "edge-a", seq, configVersion: 1, recordVersion: 0, items, waiting };
}

describe("rows written", () => {
  it.each([1, 2, 5])("by a lease call with %i limits: one for each, and one for the lessee", async (limits) => {
    const tenant = env.TENANT.getByName("tenant:acme");
    // The first call also sets the alarm.
    await tenant.lease(leaseOf(limits, 1));
    const rows = await billedBy(tenant, () => tenant.lease(leaseOf(limits, 2)));
    const { beside, perLimit } = MEASURED.rowsPerLeaseCall;
    expect(rows).toBe(beside + perLimit * limits);
  });

  it.each([1, 900])("by a flush that stores, of one route and %i tenants: one for all of it", async (tenants) => {
    const metrics = env.METRICS.getByName(metricsObjectName(0));
    await metrics.totals();
    const rows = await billedBy(metrics, () => metrics.flush(flushOfRequests(100, tenants)));
    expect(rows).toBe(MEASURED.rowsPerStore.chunks);
  });

  it("by the flushes of the next five seconds: none but the alarm's", async () => {
    const metrics = env.METRICS.getByName(metricsObjectName(0));
    await metrics.flush(flushOfRequests(100, 10));
    expect(await billedBy(metrics, () => metrics.flush(flushOfRequests(100, 10, "edge-2")))).toBe(0);
    const alarmAtMs = await runInDurableObject(metrics, async (_object, { storage }) => storage.getAlarm());
    expect(alarmAtMs === null ? 0 : 1).toBe(MEASURED.rowsPerStore.alarm);
  });

  it("by a report of a healthy origin: none", async () => {
    const origin = env.ORIGIN.getByName("origin:app");
    const settings = {
      configVersion: 1,
      breaker: BREAKER_DEFAULTS,
      probeUrl: "https://app.example/",
      probeTimeoutMs: 1_000,
    };
    const report = (seq: number): OriginReport => ({
      v: 2,
      edgeId: "edge-1",
      seq,
      pop: "pop",
      epoch: 1,
      outcomes: [[200, 5, 0]],
      failures: {},
      latencies: [5],
      latencyTotalMs: 20,
      underWay: 0,
      settings,
    });
    await origin.report(report(1));
    expect(await billedBy(origin, () => origin.report(report(2)))).toBe(MEASURED.rowsPerReport.beside);
  });
});
