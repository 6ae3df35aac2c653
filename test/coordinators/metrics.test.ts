import { env } from "cloudflare:workers";
import { evictDurableObject, reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";

const batch = (seq: number, counters: Record<string, number>, edgeId = "edge-a") => ({
  v: 1 as const,
  edgeId,
  seq,
  counters,
});

describe("Metrics object", () => {
  afterEach(() => reset());

  it("adds the batches of several edges", async () => {
    const metrics = env.METRICS.getByName("metrics:0");
    await metrics.flush(batch(1, { requests: 3 }));
    await metrics.flush(batch(1, { requests: 4, errors: 1 }, "edge-b"));
    expect(await metrics.totals()).toEqual({ requests: 7, errors: 1 });
  });

  it("counts a batch that comes twice once, also when it was evicted in between", async () => {
    const metrics = env.METRICS.getByName("metrics:0");
    await metrics.flush(batch(1, { requests: 3 }));
    await evictDurableObject(metrics);
    await metrics.flush(batch(1, { requests: 3 }));
    await metrics.flush(batch(2, { requests: 1 }));
    expect(await metrics.totals()).toEqual({ requests: 4 });
  });

  it("ignores increases that are negative or not finite", async () => {
    const metrics = env.METRICS.getByName("metrics:0");
    await metrics.flush(batch(1, { a: -1, b: Number.NaN, c: Number.POSITIVE_INFINITY, d: 2 }));
    expect(await metrics.totals()).toEqual({ d: 2 });
  });

  it("keeps a bounded number of series and counts the others as dropped", async () => {
    const metrics = env.METRICS.getByName("metrics:0");
    for (let part = 0; part < 4; part++) {
      const counters: Record<string, number> = {};
      for (let index = 0; index < 6_000; index++) counters[`series_${part}_${index}`] = 1;
      await metrics.flush(batch(part + 1, counters));
    }
    const totals = await metrics.totals();
    expect(Object.keys(totals).length).toBeLessThanOrEqual(20_001);
    expect(totals["weir_dropped_series_total"]).toBeGreaterThanOrEqual(3_999);
    expect(Object.values(totals).reduce((sum, value) => sum + value, 0)).toBe(24_000);
  });
});
