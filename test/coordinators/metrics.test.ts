import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type MetricsFlush, metricsObjectName } from "../../src/protocol/metrics.ts";
import { decision } from "../support/decision.ts";

const METRICS_OBJECT = metricsObjectName(0);

const flushOf = (
  seqs: readonly number[],
  events: Record<string, number>,
  edgeId = "edge-a",
  durable = 0,
): MetricsFlush => ({
  v: 2,
  edgeId,
  configVersion: 1,
  durable,
  batches: seqs.map((seq) => ({ seq, spanMs: 1_000, routes: [], tenants: [], events })),
});
const flush = (seq: number, events: Record<string, number>, edgeId?: string): MetricsFlush =>
  flushOf([seq], events, edgeId, seq - 1);

describe("Metrics object", () => {
  afterEach(async () => {
    vi.restoreAllMocks();
    await reset();
  });
  const metrics = () => env.METRICS.getByName(METRICS_OBJECT);
  const seriesNow = async () => (await metrics().totals()).series;

  it("adds the batches of several edges", async () => {
    await metrics().flush(flush(1, { requests: 3 }));
    await metrics().flush(flush(1, { requests: 4, errors: 1 }, "edge-b"));
    expect(await seriesNow()).toEqual({ requests: 7, errors: 1 });
  });

  it("counts a batch that comes twice once, and counts that it came again", async () => {
    await metrics().flush(flush(1, { requests: 3 }));
    await evictDurableObject(metrics());
    await metrics().flush(flushOf([1, 2], { requests: 3 }));
    expect(await seriesNow()).toEqual({ requests: 6, weir_metrics_batches_repeated_total: 1 });
  });

  it("stores at once after a quiet time and then not for five seconds, and says what it has stored", async () => {
    expect(await metrics().flush(flush(1, { requests: 1 }))).toMatchObject({ received: 1, durable: 1 });
    expect(await metrics().flush(flushOf([2], { requests: 1 }))).toMatchObject({ received: 2, durable: 1 });
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 5_001);
    expect(await metrics().flush(flushOf([3], { requests: 1 }))).toMatchObject({ received: 3, durable: 3 });
  });

  it("asks for what it had counted and not stored when it was evicted, and counts it once", async () => {
    await metrics().flush(flush(1, { requests: 1 }));
    await metrics().flush(flushOf([2], { requests: 1 }, "edge-a", 1));
    await evictDurableObject(metrics());
    expect(await metrics().flush(flushOf([3], { requests: 1 }, "edge-a", 1))).toMatchObject({ received: 1 });
    expect(await metrics().flush(flushOf([2, 3], { requests: 1 }, "edge-a", 1))).toMatchObject({ received: 3 });
    expect(await seriesNow()).toEqual({ requests: 3 });
  });

  it("stores by alarm what came from edges that have gone quiet since", async () => {
    await metrics().flush(flush(1, { requests: 1 }));
    await metrics().flush(flushOf([2], { requests: 1 }));
    expect(await runDurableObjectAlarm(metrics())).toBe(true);
    await evictDurableObject(metrics());
    expect(await seriesNow()).toEqual({ requests: 2 });
    expect(await metrics().flush(flushOf([3], { requests: 1 }))).toMatchObject({ received: 3, durable: 3 });
    expect(await runDurableObjectAlarm(metrics())).toBe(false);
  });

  it("ignores increases that are negative or not finite", async () => {
    await metrics().flush(flush(1, { a: -1, b: Number.NaN, c: Number.POSITIVE_INFINITY, d: 2 }));
    expect(await seriesNow()).toEqual({ a: 0, b: 0, c: 0, d: 2 });
  });

  it("keeps a bounded number of series and counts the others as dropped; all outlive an eviction", async () => {
    for (let part = 0; part < 48; part++) {
      const events: Record<string, number> = {};
      for (let index = 0; index < 500; index++) events[`series_${part}_${"x".repeat(60)}_${index}`] = 1;
      await metrics().flush(flush(part + 1, events));
    }
    await runDurableObjectAlarm(metrics());
    const totals = await seriesNow();
    expect(Object.keys(totals)).toHaveLength(20_001);
    expect(totals["weir_dropped_series_total"]).toBe(4_000);
    await evictDurableObject(metrics());
    expect(await seriesNow()).toEqual(totals);
  });

  it("refuses what the release before sent, and what is no flush", async () => {
    const old = { v: 1, edgeId: "edge-a", seq: 1, counters: {} } as unknown as MetricsFlush;
    await runInDurableObject(metrics(), async (object) => {
      await expect(object.flush(old)).rejects.toThrow("not a flush");
      await expect(object.flush({ ...flush(1, {}), durable: -1 })).rejects.toThrow("not a flush");
    });
    expect(await seriesNow()).toEqual({});
  });

  it("wakes the Monitor, and asks one isolate at a time for the settings that it lacks", async () => {
    await metrics().flush(flush(1, {}));
    await vi.waitFor(async () => {
      expect((await metrics().flush(flushOf([], {}))).wantsSettings).toBe(true);
    });
    expect((await metrics().flush(flushOf([], {}, "edge-b"))).wantsSettings).toBe(false);
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 5_001);
    expect((await metrics().flush({ ...flushOf([], {}), configVersion: 0 })).wantsSettings).toBe(false);
    expect((await metrics().flush(flushOf([], {}))).wantsSettings).toBe(true);
  });

  it("asks many isolates to flush less often, so that no more than 300 calls come in a second", async () => {
    for (let index = 0; index < 1_200; index++) await metrics().flush(flush(1, {}, `edge-${index}`));
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 1_001);
    expect((await metrics().flush(flush(2, {}, "edge-0"))).flushAfterMs).toBe(4_000);
  });
});

describe("the Metrics object, while somebody watches", () => {
  afterEach(() => reset());
  const metrics = () => env.METRICS.getByName(METRICS_OBJECT);
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
    expect(await metrics().flush(flush(1, { a: 1 }))).not.toHaveProperty("tail");
    await ask("one", 0, { status: "4xx" });
    expect(await metrics().flush(flush(2, { a: 1 }))).toMatchObject({
      tail: { listeners: [{ listener: "one", filter: { status: "4xx" } }], most: 50, forMs: 15_000 },
    });
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 15_001);
    expect(await metrics().flush(flush(3, { a: 1 }))).not.toHaveProperty("tail");
    vi.restoreAllMocks();
  });

  it("gives each listener its own decisions, in order of time, once each", async () => {
    await ask("one");
    await ask("two");
    await metrics().flush({ ...flush(1, { a: 1 }), tail: [part("one", 5, 2), part("two", 0, 1)] });
    await metrics().flush({ ...flush(1, { a: 1 }, "edge-b"), tail: [part("one", 0, 2), part("nobody", 0, 5)] });
    const first = await heard("one");
    expect(first.decisions.map(({ atMs }) => atMs)).toEqual([0, 1, 5, 6]);
    expect(first).toMatchObject({ matched: 4, dropped: 0 });
    expect((await heard("one", first.next)).decisions).toEqual([]);
    expect((await heard("two")).decisions).toHaveLength(1);
  });

  it("keeps a bounded number of a flood, the newest, and counts the others as dropped", async () => {
    await ask("one");
    for (let seq = 1; seq <= 40; seq++) {
      await metrics().flush({ ...flush(seq, { a: 1 }), tail: [part("one", seq * 50, 50, 5_000)] });
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
    for (let index = 0; index < 100; index++) await metrics().flush(flush(1, { a: 1 }, `edge-${index}`));
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 1_500);
    const reply = await metrics().flush(flush(2, { a: 1 }, "edge-0"));
    expect(reply.tail?.most).toBe(1);
    expect((await heard("one")).edges).toBe(100);
    vi.restoreAllMocks();
  });

  it("goes on after it was evicted, with the listener's next question", async () => {
    const { next } = await heard("one");
    await evictDurableObject(metrics());
    const reply = await metrics().flush({ ...flush(1, { a: 1 }), tail: [part("one", 0, 2)] });
    expect(reply).not.toHaveProperty("tail");
    await heard("one", next);
    await metrics().flush({ ...flush(2, { a: 1 }), tail: [part("one", 7, 1)] });
    expect((await heard("one", next)).decisions.map(({ atMs }) => atMs)).toEqual([7]);
  });
});
