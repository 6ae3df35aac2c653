import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HOUR_MS, MINUTE_MS, MonitorWorld, settingsOf } from "../coordinators/monitor-world.ts";
import { AdminSite } from "./admin-site.ts";

let world: MonitorWorld;
let site: AdminSite;
beforeEach(async () => {
  world = new MonitorWorld();
  site = await AdminSite.make();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

const seen = { route: "all", outcome: "origin", tenant: "acme", count: 10, tokens: 20, seconds: 0.2 } as const;

describe("what is recorded", () => {
  it("is read by the minute and the hour, with the histogram's bounds", async () => {
    await world.count("edge", 0, [seen]);
    await world.readAfter(5_000);
    const range = `fromMs=${world.nowMs - HOUR_MS}&toMs=${world.nowMs + 1}`;
    for (const stepMs of [MINUTE_MS, 10 * MINUTE_MS, HOUR_MS]) {
      const { status, json } = await site.call("GET", `/series?${range}&stepMs=${stepMs}`);
      expect(status).toBe(200);
      expect(json["bounds"]).toHaveLength(13);
      const fromMs = Math.floor(world.nowMs / stepMs) * stepMs;
      expect(json["points"]).toMatchObject([
        {
          fromMs,
          toMs: fromMs + stepMs,
          routes: { all: { outcomes: { origin: 10 }, durationSecondsSum: 2 } },
          tenants: { acme: { admitted: 10, throttled: 0, shadowed: 0 } },
        },
      ]);
    }
  });

  it("is not read by steps that there are not, nor too much of it at once", async () => {
    const refused = async (query: string) => (await site.call("GET", `/series?${query}`)).status;
    const hours = (count: number) => `fromMs=0&toMs=${count * HOUR_MS}`;
    expect(await refused(`${hours(1)}&stepMs=90000`)).toBe(400);
    expect(await refused(`${hours(2)}&stepMs=${1.5 * HOUR_MS}`)).toBe(400);
    expect(await refused(`${hours(26)}&stepMs=${MINUTE_MS}`)).toBe(400);
    expect(await refused(`fromMs=5&toMs=5`)).toBe(400);
    expect(await refused(`${hours(25)}&stepMs=${MINUTE_MS}`)).toBe(200);
  });

  it("is demand, for those who size limits", async () => {
    await world.readAfter(1_000);
    await world.count("edge", 0, [seen]);
    await world.readAfter(10_000);
    await world.readAfter(10_000);
    const { json } = await site.call("GET", "/demand?hours=1");
    expect(json["tenants"]).toMatchObject([{ tenant: "acme", admitted: 10, throttled: 0, meanSeconds: 0.2 }]);
    expect(json["origins"]).toMatchObject([{ origin: "shop", meanSeconds: 0.2 }]);
  });
});

describe("a silence", () => {
  it("quiets what it matches, is in the audit with who made it, and ends", async () => {
    await world.monitor.configure({ v: 1, settings: settingsOf() });
    const transition = {
      atMs: world.nowMs,
      from: "closed",
      to: "open",
      reason: "score",
      score: 20,
      pops: [],
      epoch: 2,
    };
    await world.monitor.hearBreaker({ v: 1, news: { originId: "shop", sinceMs: world.nowMs, transition } });
    const quiet = async () => {
      const { json } = await site.call("GET", "/alerts");
      const alerts = json["alerts"] as { readonly kind: string; readonly quiet: unknown }[];
      return alerts.filter(({ kind }) => kind === "breaker").map((alert) => alert.quiet);
    };
    expect(await quiet()).toEqual([null]);
    const body = { match: { origin: "shop" }, forMs: HOUR_MS, reason: "known", by: "ann" };
    const made = await site.call("POST", "/silences", body);
    expect([made.status, made.json["by"]]).toEqual([201, "root (ann)"]);
    expect(await quiet()).toEqual([{ by: "silence", id: made.json["id"] }]);
    const { entries } = (await site.call("GET", "/audit")).json as { entries: readonly Record<string, unknown>[] };
    expect(entries[0]).toMatchObject({
      operation: "makeSilence",
      outcome: "done",
      after: { match: { origin: "shop" } },
    });
    const end = () => site.call("DELETE", `/silences/${String(made.json["id"])}`);
    expect([(await end()).status, (await end()).status]).toEqual([200, 404]);
    expect(await quiet()).toEqual([null]);
    expect((await site.call("POST", "/deliveries/none/retry")).status).toBe(404);
  });
});
