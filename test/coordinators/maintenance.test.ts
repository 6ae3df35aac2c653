import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Origin } from "../../src/coordinators/origin/object.ts";
import type { MaintenanceAsked } from "../../src/protocol/origin.ts";

const origin = () => env.ORIGIN.getByName("origin:shop");
const asked = (change: Partial<MaintenanceAsked> = {}): MaintenanceAsked => ({
  routeId: undefined,
  startInMs: 0,
  forMs: 60_000,
  allow: ["192.0.2.7"],
  pageOnly: false,
  reason: "upgrade",
  by: "ann",
  ...change,
});
const place = (change: Partial<MaintenanceAsked> = {}) => origin().placeMaintenance({ v: 1, asked: asked(change) });
const listed = async () => (await origin().listMaintenance()).all;

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

describe("the Origin object, of maintenance,", () => {
  it("keeps it over an eviction, until it has ended", async () => {
    await place();
    await place({ routeId: "till", forMs: 120_000, pageOnly: true });
    const before = await listed();
    await evictDurableObject(origin());
    expect(await listed()).toEqual(before);
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 61_000);
    expect(await listed()).toMatchObject([{ routeId: "till", pageOnly: true, by: "ann" }]);
  });

  it("ends what is there, and says when nothing is", async () => {
    await place();
    const end = async (routeId?: string) => (await origin().endMaintenance({ v: 1, routeId })).ended;
    expect([await end("till"), await end(), await end()]).toEqual([false, true, false]);
    await evictDurableObject(origin());
    expect(await listed()).toEqual([]);
  });

  it("takes a row that cannot be read for one that has ended", async () => {
    await place();
    await place({ routeId: "till" });
    await runInDurableObject(origin(), (_: Origin, { storage }) => {
      storage.sql.exec("UPDATE maintenance SET body = ? WHERE route = ''", "{");
      for (const [route, body] of [
        ["a", "null"],
        ["b", "{}"],
        ["c", '{"startsAtMs":0,"endsAtMs":9e15}'],
      ]) {
        storage.sql.exec("INSERT INTO maintenance (route, body) VALUES (?, ?)", route, body);
      }
    });
    await evictDurableObject(origin());
    expect((await listed()).map(({ routeId }) => routeId)).toEqual(["till"]);
  });

  it.each([
    { forMs: 0 },
    { forMs: Number.NaN },
    { forMs: 31 * 86_400_000 },
    { startInMs: -1 },
    { startInMs: Number.NaN },
  ])("refuses times that cannot be: %o", async (change) => {
    await runInDurableObject(origin(), async (instance: Origin) => {
      await expect(instance.placeMaintenance({ v: 1, asked: asked(change) })).rejects.toThrow(/refused/);
    });
  });
});
