/** The Monitor's alerts on real storage, in virtual time, told to a receiver that may be down, slow or cut off. */
import { env } from "cloudflare:workers";
import { reset, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Alerts } from "../../src/coordinators/monitor/alerts.ts";
import { seeded } from "../../sim/kernel/random.ts";
import type { AlertSettings, Condition, Receiver, ToldAlert } from "../../src/policy/alerting/types.ts";

const SECRET = `whsec_${btoa("0123456789abcdef0123456789abcdef")}`;
const secrets = { WEIR_OPS: SECRET, WEIR_SLACK: "https://slack.test/hook", WEIR_PD: "routing-key" };
const ops: Receiver = {
  id: "ops",
  kind: "webhook",
  url: "https://ops.test/",
  secretName: "WEIR_OPS",
  severity: "info",
};
const settingsOf = (...receivers: readonly Receiver[]): AlertSettings => ({
  receivers,
  repeatMs: 14_400_000,
  groupWaitMs: 1_000,
  spikeRatio: 0.5,
  spikeForMs: 120_000,
  spikeLeast: 100,
  watchdogMs: 300_000,
});
const condition = (origin: string, change: Partial<Condition> = {}): Condition => ({
  fingerprint: `breaker|origin=${origin}`,
  kind: "breaker",
  severity: "page",
  labels: { origin },
  summary: `${origin} is open`,
  forMs: 0,
  ...change,
});

interface Call {
  readonly atMs: number;
  readonly id: string;
  readonly alerts: readonly string[];
}
let nowMs = 1_800_000_000_000;
const calls: Call[] = [];
let answer: (call: Call) => Response = () => new Response(null, { status: 204 });

beforeEach(() => {
  calls.length = 0;
  answer = () => new Response(null, { status: 204 });
  vi.spyOn(Date, "now").mockImplementation(() => nowMs);
  vi.spyOn(globalThis, "fetch").mockImplementation(async (_, init) => {
    const { data } = JSON.parse(typeof init?.body === "string" ? init.body : "{}") as {
      data?: { alerts: readonly { fingerprint: string; status: string }[] };
    };
    const call = {
      atMs: nowMs,
      id: new Headers(init?.headers).get("webhook-id") ?? "",
      alerts: (data?.alerts ?? []).map(({ fingerprint, status }) => `${fingerprint} ${status}`),
    };
    calls.push(call);
    return answer(call);
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

/** Alerts on an object's storage; `crash` makes them anew from what is stored. */
class Watch {
  readonly storage: DurableObjectStorage;
  readonly settings: AlertSettings;
  alerts: Alerts;
  readonly firstTries: string[] = [];

  constructor(storage: DurableObjectStorage, settings: AlertSettings) {
    this.storage = storage;
    this.settings = settings;
    this.alerts = this.make();
  }

  make(): Alerts {
    return new Alerts(this.storage, secrets, (alerts: readonly ToldAlert[]) => {
      this.firstTries.push(...alerts.map(({ fingerprint }) => fingerprint));
    });
  }

  crash(): void {
    this.alerts = this.make();
  }

  /** Lets virtual time pass, doing what an alarm would. */
  async run(forMs: number, conditions: readonly Condition[]): Promise<void> {
    const endMs = nowMs + forMs;
    for (;;) {
      this.alerts.evaluate(nowMs, conditions, this.settings);
      await this.alerts.deliverDue(this.settings);
      const nextMs = Math.min(this.alerts.evaluateAtMs(), this.alerts.dueAtMs() ?? endMs, endMs);
      if (nowMs >= endMs) return;
      nowMs = Math.max(nowMs + 1, nextMs);
    }
  }
}

const watching = (settings: AlertSettings, work: (watch: Watch) => Promise<void>): Promise<void> =>
  runInDurableObject(env.MONITOR.getByName("alerts-under-test"), (_, state) =>
    work(new Watch(state.storage, settings)),
  );

describe("delivering alerts", () => {
  it("tries within the group's wait, and tells the end", () =>
    watching(settingsOf(ops), async (watch) => {
      const beganMs = nowMs;
      await watch.run(30_000, [condition("shop")]);
      await watch.run(30_000, []);
      expect(calls.map(({ atMs, alerts }) => [atMs - beganMs, ...alerts])).toEqual([
        [1_000, "breaker|origin=shop firing"],
        [31_000, "breaker|origin=shop resolved"],
      ]);
      expect(watch.firstTries).toEqual(["breaker|origin=shop", "breaker|origin=shop"]);
      expect(watch.alerts.view().deliveries).toMatchObject([{ state: "delivered" }, { state: "delivered" }]);
    }));

  it("loses nothing while the receiver is down for ten minutes, in order, and each id is taken once", () =>
    watching(settingsOf(ops), async (watch) => {
      const endMs = nowMs + 600_000;
      answer = () => {
        if (nowMs < endMs) throw new Error("Network connection lost.");
        return new Response(null, { status: 200 });
      };
      for (let round = 0; round < 10; round++) {
        await watch.run(30_000, [condition("shop"), condition(`o${round}`)]);
        await watch.run(30_000, round % 2 === 0 ? [condition("shop")] : []);
      }
      await watch.run(900_000, []);
      const taken = calls.filter(({ atMs }) => atMs >= endMs);
      expect(new Set(taken.map(({ id }) => id)).size).toBe(taken.length);
      // o0 to o9 and shop five times, each begun and ended.
      const told = taken.flatMap(({ alerts }) => alerts);
      expect(told).toHaveLength(2 * (10 + 5));
      for (let round = 0; round < 10; round++) {
        const own = told.filter((line) => line.startsWith(`breaker|origin=o${round} `));
        expect(own.map((line) => line.split(" ")[1])).toEqual(["firing", "resolved"]);
      }
      expect(told.filter((line) => line.includes("=shop")).map((line) => line.split(" ")[1])).toEqual(
        Array.from({ length: 5 }, () => ["firing", "resolved"]).flat(),
      );
      expect(watch.alerts.view().deliveries.filter(({ state }) => state !== "delivered")).toEqual([]);
      // Ten minutes are some twenty tries for each that waits, not hundreds.
      expect(calls.length - taken.length).toBeLessThan(20 * 20);
    }));

  it.each([1, 2, 3, 4, 5])(
    "survives dying at any moment: nothing lost, one more try for each death (seed %i)",
    (seed) =>
      watching(settingsOf(ops), async (watch) => {
        const random = seeded(seed);
        const times = new Map<string, number>();
        const deaths = new Map<string, number>();
        answer = ({ id }) => {
          times.set(id, (times.get(id) ?? 0) + 1);
          return new Response(null, { status: 200 });
        };
        for (let turn = 0; turn < 60; turn++) {
          const conditions = [1, 2, 3].filter(() => random() < 0.5).map((n) => condition(`o${n}`));
          watch.alerts.evaluate(nowMs, conditions, watch.settings);
          if (random() < 0.3) {
            // The request goes out, and the object dies before the answer is stored.
            const stored = vi.spyOn(watch.storage.sql, "exec");
            const before = calls.length;
            const dying = watch.alerts.deliverDue(watch.settings);
            stored.mockImplementation(() => {
              throw new Error("died");
            });
            await dying.catch(() => {
              for (const { id } of calls.slice(before)) deaths.set(id, (deaths.get(id) ?? 0) + 1);
            });
            stored.mockRestore();
            watch.crash();
          } else await watch.alerts.deliverDue(watch.settings);
          nowMs += Math.floor(random() * 4_000);
        }
        await watch.run(60_000, []);
        expect(deaths.size).toBeGreaterThan(0);
        const { deliveries, alerts } = watch.alerts.view();
        expect(deliveries.filter(({ state }) => state !== "delivered")).toEqual([]);
        expect(alerts.filter(({ state, kind }) => state !== "resolved" && kind !== "watchdog")).toEqual([]);
        for (const [id, count] of times) expect(count).toBe(1 + (deaths.get(id) ?? 0));
        // Of each alert in turn: begun, ended.
        const told = [...new Map(calls.map((call) => [call.id, call.alerts])).values()].flat();
        for (const origin of ["o1", "o2", "o3"]) {
          const own = told
            .filter((line) => line.startsWith(`breaker|origin=${origin} `))
            .map((line) => line.split(" ")[1]);
          expect(own.length).toBeGreaterThan(0);
          expect(own).toEqual(own.map((_, index) => (index % 2 === 0 ? "firing" : "resolved")));
          expect(own.at(-1)).toBe("resolved");
        }
        expect([...times.keys()].toSorted()).toEqual(deliveries.map(({ id }) => id).toSorted());
      }),
  );

  it("does not let a receiver that hangs hold up another, and tries three at once there", () => {
    const slow: Receiver = { ...ops, id: "slow", url: "https://slow.test/" };
    return watching(settingsOf(slow, ops), async (watch) => {
      let open = (): void => undefined;
      const isOpen = new Promise<void>((resolve) => (open = resolve));
      const tried: string[] = [];
      vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
        const host = new URL(input instanceof Request ? input.url : input).host;
        tried.push(host);
        if (host === "slow.test") await isOpen;
        return new Response(null, { status: 204 });
      });
      const conditions = Array.from({ length: 10 }, (_, index) => condition(`o${index}`));
      watch.alerts.evaluate(nowMs, conditions, watch.settings);
      nowMs += 1_000;
      watch.alerts.evaluate(nowMs, conditions, watch.settings);
      // As an alarm does, which waits for none of them.
      const running: Promise<void>[] = [];
      for (let alarm = 0; watch.alerts.dueAtMs() !== undefined && alarm < 50; alarm++) {
        running.push(watch.alerts.deliverDue(watch.settings));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(tried.filter((host) => host === "ops.test")).toHaveLength(10);
      expect(tried.filter((host) => host === "slow.test")).toHaveLength(3);
      open();
      await Promise.all(running);
      expect(tried).toHaveLength(20);
    });
  });

  it("waits as it is asked, gives up after a day, and tries a dead letter anew when told to", () =>
    watching(settingsOf(ops), async (watch) => {
      answer = () => new Response(null, { status: 503, headers: { "retry-after": "3000" } });
      await watch.run(2_000, [condition("shop")]);
      await watch.run(90_000_000, [condition("shop")]);
      const waits = calls.slice(1).map(({ atMs }, index) => atMs - (calls[index]?.atMs ?? 0));
      expect(Math.min(...waits.filter((wait) => wait > 0))).toBeGreaterThanOrEqual(1_000);
      const dead = watch.alerts.view().deliveries.find(({ state }) => state === "dead");
      expect(dead).toMatchObject({ lastResult: "503" });
      answer = () => new Response(null, { status: 200 });
      expect(watch.alerts.redeliver("nothing", nowMs)).toBe(false);
      expect(watch.alerts.redeliver(dead?.id ?? "", nowMs)).toBe(true);
      await watch.alerts.deliverDue(watch.settings);
      expect(watch.alerts.view().deliveries.find(({ id }) => id === dead?.id)?.state).toBe("delivered");
    }));

  it("says which secret is missing, and delivers when it is there", () =>
    watching(settingsOf({ ...ops, secretName: "WEIR_NEW" }), async (watch) => {
      await watch.run(5_000, [condition("shop")]);
      expect(calls).toEqual([]);
      expect(watch.alerts.view().deliveries).toMatchObject([
        { state: "waiting", lastResult: "secret WEIR_NEW is missing" },
      ]);
      Object.assign(secrets, { WEIR_NEW: SECRET });
      await watch.run(60_000, [condition("shop")]);
      expect(watch.alerts.view().deliveries).toMatchObject([{ state: "delivered" }]);
      Reflect.deleteProperty(secrets, "WEIR_NEW");
    }));

  it("sends no secret of Weir's own, whatever a config says", () =>
    watching(settingsOf({ ...ops, kind: "slack", secretName: "WEIR_ADMIN_TOKEN" }), async (watch) => {
      Object.assign(secrets, { WEIR_ADMIN_TOKEN: "https://thief.test/" });
      await watch.run(5_000, [condition("shop")]);
      Reflect.deleteProperty(secrets, "WEIR_ADMIN_TOKEN");
      expect(calls).toEqual([]);
    }));

  it("buries what is for a receiver that the config no longer has", () =>
    watching(settingsOf(ops), async (watch) => {
      watch.alerts.evaluate(nowMs, [condition("shop")], watch.settings);
      nowMs += 1_000;
      watch.alerts.evaluate(nowMs, [condition("shop")], watch.settings);
      await watch.alerts.deliverDue(settingsOf());
      expect(watch.alerts.view().deliveries).toMatchObject([{ state: "dead", attempts: 1 }]);
    }));

  it("keeps 1,000 waiting, and tells the rest when there is room", () =>
    watching(settingsOf(ops), async (watch) => {
      const many = Array.from({ length: 990 }, (_, index) => condition(`m${index}`));
      const turns = async (count: number, conditions: readonly Condition[]): Promise<void> => {
        for (let turn = 0; turn < count; turn++) {
          nowMs += 1_000;
          watch.alerts.evaluate(nowMs, conditions, watch.settings);
        }
      };
      await turns(12, many);
      await turns(15, []);
      const waiting = watch.storage.sql.exec("SELECT COUNT(*) AS n FROM delivery WHERE state = 'waiting'").one();
      expect(waiting["n"]).toBe(1_000);
      if (env.TEST_DRILL !== "1") return;
      await watch.run(600_000, []);
      const told = calls.flatMap(({ alerts }) => alerts);
      expect(told.filter((line) => line.endsWith("firing"))).toHaveLength(990);
      expect(told.filter((line) => line.endsWith("resolved"))).toHaveLength(990);
      expect(new Set(told).size).toBe(2 * 990);
    }));

  it("keeps silences over a restart, 100 of them, and ends them", () =>
    watching(settingsOf(ops), async (watch) => {
      const silence = (id: number) => ({
        id: `s${id}`,
        match: { origin: `o${id}` },
        untilMs: nowMs + 60_000,
        reason: "drill",
        by: "ann",
      });
      for (let id = 0; id < 100; id++) expect(watch.alerts.silence(silence(id))).toBeDefined();
      expect(watch.alerts.silence(silence(100))).toBeUndefined();
      watch.crash();
      await watch.run(10_000, [condition("o1"), condition("o2")]);
      expect(calls).toEqual([]);
      expect(watch.alerts.endSilence("s1")).toBe(true);
      expect(watch.alerts.endSilence("s1")).toBe(false);
      await watch.run(10_000, [condition("o1"), condition("o2")]);
      expect(calls.map(({ alerts }) => alerts)).toEqual([["breaker|origin=o1 firing"]]);
      await watch.run(60_000, [condition("o1"), condition("o2")]);
      expect(watch.alerts.view().silences).toEqual([]);
      expect(calls).toHaveLength(2);
    }));
});
