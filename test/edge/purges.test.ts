/** How an edge learns of purges, with the real coordinator: in time, behind its hits, and at what cost. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../sim/kernel/random.ts";
import { eventually, type Gateway } from "./gateway.ts";
import {
  answers,
  afterIdling,
  caller,
  configWith,
  gatewayOf,
  later,
  page,
  purge,
  told,
  useClockAndReset,
  warm,
} from "./purging.ts";

useClockAndReset();

describe("an edge", () => {
  it("that serves hits makes no call in front, and one behind each two seconds", async () => {
    const gateway = await warm();
    const { calls } = gateway.edge.purges.stats;
    await gateway.statuses(50, caller, "/page");
    expect(gateway.edge.purges.stats.calls).toBe(calls);
    later(2_100);
    await gateway.statuses(50, caller, "/page");
    await gateway.settled();
    expect(gateway.edge.purges.stats.calls + gateway.edge.purges.stats.shared).toBe(calls + 1);
  });

  it("learns of a purge behind its hits, and serves none of it from then on", async () => {
    const gateway = await warm();
    await purge(page, "hard");
    answers("new");
    later(2_100);
    expect(await told(await gateway.send(caller, "/page"))).toEqual(["cache", "old"]);
    await gateway.settled();
    expect(await told(await gateway.send(caller, "/page"))).toEqual(["origin", "new"]);
    expect(await told(await gateway.send(caller, "/page"))).toEqual(["cache", "new"]);
  });

  it.each(["soft", "hard"] as const)("that was idle serves nothing that was purged meanwhile (%s)", async (mode) => {
    const gateway = await warm();
    await purge(page, mode);
    answers("new");
    expect(await afterIdling(gateway)).toEqual(["origin", "new"]);
  });

  it("that is new finds nothing in its PoP that was purged", async () => {
    const first = await warm(configWith(), {}, "one-pop");
    await first.settled();
    await purge(page, "hard");
    answers("new");
    const neighbour = await gatewayOf(configWith(), "one-pop");
    later(3_000);
    expect(await told(await neighbour.send(caller, "/page"))).toEqual(["origin", "new"]);
  });

  it("learns from its neighbours, while the coordinator says nothing", async () => {
    const first = await warm(configWith(), {}, "shared-pop");
    await purge(page, "hard");
    answers("new");
    later(6_000);
    await first.send(caller, "/page");
    await first.settled();
    const second = await gatewayOf(configWith(), "shared-pop");
    second.cutOff("ORIGIN");
    await second.send(caller, "/page");
    expect(second.edge.purges.of("app").epoch).toBe(1);
    expect(second.edge.purges.stats.shared).toBe(1);
  });

  it("serves nothing 5 s after its purge, whatever the pace of its requests", async () => {
    const seed = Number(process.env["WEIR_SEED"] ?? Math.floor(Math.random() * 1e9));
    const random = seeded(seed);
    const gateway = await gatewayOf(configWith());
    let body = 0;
    for (let round = 0; round < 12; round++) {
      answers(String(++body));
      const paceMs = 100 + random() * 5_900;
      for (let request = 0; request < 5; request++) {
        await gateway.send(caller, "/page");
        later(random() * paceMs);
      }
      await purge(page, random() < 0.5 ? "soft" : "hard");
      answers(String(++body));
      for (let sinceMs = 0; sinceMs <= 5_000;) {
        await gateway.send(caller, "/page");
        await gateway.edge.purges.of("app").call?.catch(() => undefined);
        const gapMs = random() * paceMs;
        sinceMs += gapMs;
        later(gapMs);
      }
      const context = `seed ${seed}, round ${round}, a request each ${paceMs.toFixed(0)} ms`;
      expect(await (await gateway.send(caller, "/page")).text(), context).toBe(String(body));
    }
  });

  it("without its coordinator serves what is stored all the same, after a bounded wait, and counts it", async () => {
    const gateway = await warm();
    gateway.cutOff("ORIGIN");
    later(6_000);
    const beganAt = performance.now();
    expect(await told(await gateway.send(caller, "/page"))).toEqual(["cache", "old"]);
    expect(performance.now() - beganAt).toBeLessThan(2_000);
    // Nobody else waits.
    expect(await told(await gateway.send(caller, "/page"))).toEqual(["cache", "old"]);
    await gateway.settled();
    expect(gateway.edge.counters.closeBatch(Date.now())?.events).toMatchObject({
      'weir_served_without_purges_total{origin="app"}': 2,
      'weir_purge_calls_failed_total{origin="app"}': 1,
    });
  });

  it("hears of a purge with the reports of its calls to the origin", async () => {
    const gateway = await warm();
    await purge(page, "hard");
    answers("other");
    await eventually(async () => {
      await gateway.send(caller, `/miss/${crypto.randomUUID()}`);
      await gateway.settled();
      expect(gateway.edge.purges.of("app").epoch).toBe(1);
    });
  });

  it("talks to a coordinator of the release before as if there were no purges", async () => {
    const gateway = await gatewayOf(configWith());
    const purges = oldCoordinator(gateway);
    answers("old");
    expect((await gateway.send(caller, "/page")).status).toBe(200);
    later(6_000);
    expect(await told(await gateway.send(caller, "/page"))).toEqual(["cache", "old"]);
    expect(purges()).toBeGreaterThan(0);
  });
});

/** Its methods and fields of today are not there. */
function oldCoordinator(gateway: Gateway): () => number {
  let asked = 0;
  gateway.answerInstead("ORIGIN", async (method, real) => {
    if (method === "purges") {
      asked++;
      throw new TypeError('The RPC receiver does not implement the method "purges".');
    }
    const reply = await real();
    if (typeof reply === "object" && reply !== null) {
      if ("view" in reply && typeof reply.view === "object" && reply.view !== null) {
        return { ...reply, view: { ...reply.view, purgeEpoch: undefined } };
      }
      if ("purges" in reply) return { ...reply, purges: undefined };
    }
    return reply;
  });
  return () => asked;
}
