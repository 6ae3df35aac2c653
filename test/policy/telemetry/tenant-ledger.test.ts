import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { OTHER } from "../../../src/policy/kernel/other.ts";
import type { TenantCounts, TenantTotals } from "../../../src/policy/telemetry/counts.ts";
import {
  countTenant,
  MAX_ASKING,
  MAX_THROTTLED,
  newTenantCounts,
  newTenantLedger,
  type TenantLedger,
  tenantTotals,
} from "../../../src/policy/telemetry/tenant-ledger.ts";

const SEED = Number(process.env["WEIR_SEED"] ?? Math.floor(Math.random() * 1e9));

const asked = (tenant: string, counts: Partial<TenantCounts>): TenantCounts => ({
  ...newTenantCounts(tenant),
  ...counts,
});
const totalsOf = (ledger: TenantLedger, nowMs = 0): Map<string, TenantTotals> =>
  new Map(tenantTotals(ledger, nowMs).map((totals) => [totals.tenant, totals]));

describe("tenants", () => {
  it(`that are throttled are not hidden by a million that are not, and all together are exact, seed ${SEED}`, () => {
    const random = seeded(SEED);
    const ledger = newTenantLedger(0);
    const exact = { admitted: 0, throttled: 0, tokens: 0 };
    for (let index = 0; index < 200_000; index++) {
      const isLoud = random() < 0.001;
      const counts = isLoud ? { throttled: 2, tokens: 2 } : { admitted: 1 + Math.floor(random() * 3), tokens: 1 };
      const tenant = isLoud ? `loud-${Math.floor(random() * 3)}` : `tenant-${Math.floor(random() * 1_000_000)}`;
      countTenant(ledger, asked(tenant, counts), 1_000, 0);
      exact.admitted += counts.admitted ?? 0;
      exact.throttled += counts.throttled ?? 0;
      exact.tokens += counts.tokens;
    }
    const totals = totalsOf(ledger);
    expect(totals.size).toBeLessThanOrEqual(MAX_ASKING + MAX_THROTTLED + 1);
    const told = [0, 1, 2].reduce((sum, index) => sum + (totals.get(`loud-${index}`)?.throttled ?? 0), 0);
    expect(told).toBe(exact.throttled);
    for (const name of ["admitted", "throttled", "tokens"] as const) {
      expect([...totals.values()].reduce((sum, counts) => sum + counts[name], 0)).toBe(exact[name]);
    }
  });

  it("that were heavy long ago give way to those who are heavy now", () => {
    const ledger = newTenantLedger(0);
    for (let index = 0; index < MAX_ASKING; index++)
      countTenant(ledger, asked(`old-${index}`, { admitted: 1e6 }), 1_000, 0);
    for (let hour = 1; hour <= 24; hour++)
      countTenant(ledger, asked("old-0", { admitted: 1 }), 1_000, hour * 3_600_000);
    for (let index = 0; index < MAX_ASKING - 1; index++) {
      countTenant(ledger, asked(`new-${index}`, { admitted: 100 }), 1_000, 86_400_001);
    }
    const totals = totalsOf(ledger);
    expect([...totals.keys()].filter((tenant) => tenant.startsWith("new-"))).toHaveLength(MAX_ASKING - 1);
    expect(totals.get(OTHER)?.admitted).toBe((MAX_ASKING - 1) * 1e6);
  });

  it("have as their peak the most tokens that all isolates together said of one second, for the next half minute", () => {
    const ledger = newTenantLedger(0);
    const say = (tokens: number, atMs: number, spanMs = 1_000): void => {
      countTenant(ledger, asked("acme", { admitted: 1, tokens }), spanMs, atMs);
    };
    const peak = (nowMs: number): number | undefined => totalsOf(ledger, nowMs).get("acme")?.peakTokens;
    say(3, 1_000);
    say(4, 1_999);
    say(5, 2_000);
    expect(peak(2_000)).toBe(7);
    // Ten seconds' worth in one batch, and one that comes late.
    say(100, 4_000, 10_000);
    countTenant(ledger, asked("acme", { admitted: 1, tokens: 100 }), undefined, 5_000);
    expect([peak(5_000), peak(31_000), peak(59_999), peak(60_000)]).toEqual([10, 10, 10, 0]);
    say(2, 31_000);
    expect([peak(31_000), peak(60_001), peak(90_000)]).toEqual([10, 2, 0]);
  });
});
