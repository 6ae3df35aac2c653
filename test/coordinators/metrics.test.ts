import { env } from "cloudflare:workers";
import { evictDurableObject, reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { decision } from "../support/decision.ts";

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

describe("the Metrics object, while somebody watches", () => {
  afterEach(() => reset());
  const metrics = () => env.METRICS.getByName("metrics:0");
  const ask = (listener: string, after = 0, filter = {}) => metrics().watch({ v: 1, listener, filter, after });
  const part = (listener: string, from: number, count: number, matched = count) => ({
    listener,
    matched,
    decisions: Array.from({ length: count }, (_, index) => decision({ atMs: from + index })),
  });
  const heard = async (...asked: Parameters<typeof ask>) => {
    const reply = await ask(...asked);
    if (reply.kind !== "heard") throw new Error(reply.kind);
    return reply;
  };

  it("says so with each flush, and only then", async () => {
    expect(await metrics().flush(batch(1, { a: 1 }))).toEqual({ seq: 1 });
    await ask("one", 0, { status: "4xx" });
    expect(await metrics().flush(batch(2, { a: 1 }))).toEqual({
      seq: 2,
      tail: { listeners: [{ listener: "one", filter: { status: "4xx" } }], most: 50, forMs: 15_000 },
    });
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 15_001);
    expect(await metrics().flush(batch(3, { a: 1 }))).toEqual({ seq: 3 });
    vi.restoreAllMocks();
  });

  it("gives each listener its own decisions, in order of time, once each", async () => {
    await ask("one");
    await ask("two");
    await metrics().flush({ ...batch(1, { a: 1 }), tail: [part("one", 5, 2), part("two", 0, 1)] });
    await metrics().flush({ ...batch(1, { a: 1 }, "edge-b"), tail: [part("one", 0, 2), part("nobody", 0, 5)] });
    // Counted once, and so told once.
    await metrics().flush({ ...batch(1, { a: 1 }, "edge-b"), tail: [part("one", 0, 2)] });
    const first = await heard("one");
    expect(first.decisions.map(({ atMs }) => atMs)).toEqual([0, 1, 5, 6]);
    expect(first).toMatchObject({ matched: 4, dropped: 0 });
    expect((await heard("one", first.next)).decisions).toEqual([]);
    expect((await heard("two")).decisions).toHaveLength(1);
  });

  it("keeps a bounded number of a flood, the newest, and counts the others as dropped", async () => {
    await ask("one");
    for (let seq = 1; seq <= 40; seq++) {
      await metrics().flush({ ...batch(seq, { a: 1 }), tail: [part("one", seq * 50, 50, 5_000)] });
    }
    const { decisions, matched, dropped } = await heard("one");
    expect(decisions).toHaveLength(500);
    expect(decisions.at(-1)?.atMs).toBe(2_049);
    expect([matched, dropped]).toEqual([200_000, 199_500]);
  });

  it("has so many listeners and no more", async () => {
    for (let index = 0; index < 8; index++) expect((await ask(`listener-${index}`)).kind).toBe("heard");
    expect(await ask("one-more")).toEqual({ kind: "full", listeners: 8 });
    expect((await ask("listener-0")).kind).toBe("heard");
  });

  it("asks many isolates for few decisions each", async () => {
    await ask("one");
    for (let index = 0; index < 100; index++) await metrics().flush(batch(1, { a: 1 }, `edge-${index}`));
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 1_500);
    const reply = await metrics().flush(batch(2, { a: 1 }, "edge-0"));
    expect(reply.tail?.most).toBe(4);
    expect((await heard("one")).edges).toBe(100);
    vi.restoreAllMocks();
  });

  it("goes on after it was evicted, with the listener's next question", async () => {
    const { next } = await heard("one");
    await evictDurableObject(metrics());
    expect(await metrics().flush({ ...batch(1, { a: 1 }), tail: [part("one", 0, 2)] })).toEqual({ seq: 1 });
    await heard("one", next);
    await metrics().flush({ ...batch(2, { a: 1 }), tail: [part("one", 7, 1)] });
    expect((await heard("one", next)).decisions.map(({ atMs }) => atMs)).toEqual([7]);
  });
});
