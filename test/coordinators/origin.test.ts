import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Origin } from "../../src/coordinators/origin/object.ts";
import { BREAKER_DEFAULTS } from "../../src/policy/breaker/types.ts";
import type { OriginReport, OriginSettings } from "../../src/protocol/origin.ts";

const settings = (change: Partial<OriginSettings["breaker"]> = {}): OriginSettings => ({
  configVersion: 1,
  probeUrl: "http://origin.test/health",
  probeTimeoutMs: 500,
  breaker: { ...BREAKER_DEFAULTS, backoffMs: 1, maxBackoffMs: 1, ...change },
});
const origin = () => env.ORIGIN.getByName("origin:shop");
const report = (seq: number, failures: number, change: Partial<OriginReport> = {}): OriginReport => ({
  v: 2,
  edgeId: "edge-a",
  seq,
  pop: "A",
  epoch: Number.MAX_SAFE_INTEGER,
  // Old enough to be weighed at once.
  outcomes: [[200, 0, failures]],
  failures: { network: failures },
  latencies: [],
  latencyTotalMs: 0,
  underWay: 0,
  settings: settings(),
  ...change,
});

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

describe("the Origin object", () => {
  it("opens on failures and tells so in the reply", async () => {
    expect((await origin().report(report(1, 4))).view.state).toBe("closed");
    expect((await origin().report(report(2, 18))).view.state).toBe("open");
    const { history, counts } = await origin().status();
    expect(counts).toMatchObject({ network: 22 });
    expect(history).toHaveLength(1);
    expect(history[0]).toMatchObject({ from: "closed", to: "open", reason: "failures", pops: ["A"], epoch: 2 });
  });

  it("understands isolates of the release before", async () => {
    const { outcomes: _, latencies: __, latencyTotalMs: ___, underWay: ____, ...told } = report(1, 22);
    await origin().report({ ...told, v: 1, successes: 0 });
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 300);
    expect((await origin().report({ ...told, v: 1, seq: 2, successes: 0, failures: {} })).view.state).toBe("open");
  });

  it("counts a report that comes twice once", async () => {
    for (let copy = 0; copy < 10; copy++) await origin().report(report(1, 4));
    expect((await origin().status()).view?.state).toBe("closed");
  });

  it("keeps its state and the probe lease that is out when it is evicted", async () => {
    await origin().report(report(1, 22));
    const { leaseId } = await origin().probe({ v: 1, pop: "A", timeoutMs: 30_000 });
    expect(leaseId).toBeDefined();
    await evictDurableObject(origin());
    const status = await origin().status();
    expect(status.view?.state).toBe("half-open");
    expect(status.outstandingProbes).toBe(1);
    expect((await origin().probe({ v: 1, pop: "B", timeoutMs: 1_000 })).leaseId).toBeUndefined();
  });

  it("grants one probe of many asked for at once", async () => {
    await origin().report(report(1, 22));
    const asked = await Promise.all(
      Array.from({ length: 50 }, () => origin().probe({ v: 1, pop: "A", timeoutMs: 5_000 })),
    );
    expect(asked.filter(({ leaseId }) => leaseId !== undefined)).toHaveLength(1);
  });

  it("closes over the ramp after three successful probes; a result that comes twice counts once", async () => {
    await origin().report(report(1, 22));
    for (let probe = 0; probe < 3; probe++) {
      const { leaseId, view } = await origin().probe({ v: 1, pop: "A", timeoutMs: 1_000 });
      const result = { v: 1 as const, pop: "A", leaseId: leaseId ?? "", epoch: view.epoch, succeeded: true };
      await origin().probeResult(result);
      const again = await origin().probeResult(result);
      expect(again.view.state).toBe(probe < 2 ? "half-open" : "ramp");
    }
  });

  it("probes by itself when nobody calls, and finds the origin well again", async () => {
    const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response("ok"));
    await origin().report(report(1, 22));
    for (let alarm = 0; alarm < 3; alarm++) expect(await runDurableObjectAlarm(origin())).toBe(true);
    expect(fetched).toHaveBeenCalledTimes(3);
    expect(fetched.mock.calls[0]?.[0]).toBe("http://origin.test/health");
    expect((await origin().status()).view?.state).toBe("ramp");
  });

  it("stays open when its own probe fails", async () => {
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("Network connection lost."));
    await origin().report(report(1, 22));
    await runDurableObjectAlarm(origin());
    expect((await origin().status()).view?.state).toBe("open");
  });

  it("keeps a breaker forced by hand over an eviction, and a reset ends it", async () => {
    await origin().force({ v: 1, settings: settings(), state: "open", reason: "drill", by: "me", forMs: 60_000 });
    await evictDurableObject(origin());
    const status = await origin().status();
    expect(status.view?.state).toBe("forced-open");
    expect(status.forced).toMatchObject({ reason: "drill", by: "me" });
    expect((await origin().reset({ v: 1, settings: settings(), reason: "done", by: "you" })).view?.state).toBe(
      "closed",
    );
    await evictDurableObject(origin());
    expect((await origin().status()).history.map(({ reason, by }) => [reason, by])).toEqual([
      ["drill", "me"],
      ["reset: done", "you"],
    ]);
    await runInDurableObject(origin(), async (instance: Origin) => {
      const forever = {
        v: 1 as const,
        settings: settings(),
        state: "open" as const,
        reason: "x",
        by: "me",
        forMs: Number.NaN,
      };
      await expect(instance.force(forever)).rejects.toThrow(/forMs/);
    });
  });

  it("tells how many calls are under way in the world, and forgets those of edges that fell silent", async () => {
    const tell = (edgeId: string, seq: number, underWay: number) =>
      origin().report(report(seq, 0, { edgeId, underWay }));
    await tell("a", 1, 5);
    expect((await tell("b", 1, 7)).view.underWay).toBe(12);
    expect((await tell("a", 2, 1)).view.underWay).toBe(8);
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 6_000);
    expect((await tell("c", 1, 2)).view.underWay).toBe(2);
  });

  it("lets the origin's concurrency follow its latency, and tells it with the view", async () => {
    const adaptive = { ...settings(), adaptive: { min: 10, max: 100 } };
    const startMs = Date.now();
    const answered = (second: number, ms: number) => {
      vi.spyOn(Date, "now").mockReturnValue(startMs + second * 1_000);
      const latencies = [0, 0, 50];
      return origin().report(report(second, 0, { settings: adaptive, latencies, latencyTotalMs: 50 * ms }));
    };
    for (let second = 1; second <= 10; second++) await answered(second, 20);
    const usual = (await answered(11, 20)).view.slots;
    expect(usual?.slots).toBe(100);
    for (let second = 12; second <= 30; second++) await answered(second, 400);
    const slow = (await answered(31, 400)).view.slots;
    expect(slow?.slots).toBeLessThan(50);
    expect(slow?.version).toBeGreaterThan(usual?.version ?? Number.POSITIVE_INFINITY);
  });

  it("refuses a report that is none", async () => {
    await runInDurableObject(origin(), async (instance: Origin) => {
      await expect(instance.report(report(1, -3))).rejects.toThrow(/refused/);
    });
  });
});
