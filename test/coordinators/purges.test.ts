/** The Origin object as the keeper of its purges. */
import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Origin } from "../../src/coordinators/origin/object.ts";
import { BREAKER_DEFAULTS } from "../../src/policy/breaker/types.ts";
import { PURGE_BOUNDS, type PurgeMode, type PurgeTarget } from "../../src/policy/cache/purge.ts";

const origin = () => env.ORIGIN.getByName("origin:shop");
const purge = (target: PurgeTarget, mode: PurgeMode = "soft") =>
  origin().purge({ v: 1, target, mode, reason: "new prices", by: "me" });
const url = (value: string): PurgeTarget => ({ kind: "url", value });
const since = (epoch: number) => origin().purges({ v: 1, since: epoch });
const sql = (statement: string) =>
  runInDurableObject(origin(), (_: Origin, state) => state.storage.sql.exec(statement).toArray());

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

describe("the Origin object's purges", () => {
  it("have epochs that grow by one, and tell each asker what it has missed, with ages", async () => {
    const startMs = Date.now();
    vi.spyOn(Date, "now").mockReturnValue(startMs);
    expect(await since(0)).toMatchObject({ epoch: 0, purges: [] });
    expect(await purge(url("/a"))).toEqual({ epoch: 1 });
    vi.spyOn(Date, "now").mockReturnValue(startMs + 500);
    expect(await purge({ kind: "tag", value: "shoes", tenant: "acme" }, "hard")).toEqual({ epoch: 2 });
    expect(await since(0)).toMatchObject({
      epoch: 2,
      purges: [
        { target: url("/a"), mode: "soft", epoch: 1, ageMs: 500 },
        { target: { kind: "tag", value: "shoes", tenant: "acme" }, mode: "hard", epoch: 2, ageMs: 0 },
      ],
    });
    expect((await since(1)).purges.map(({ epoch }) => epoch)).toEqual([2]);
    expect((await since(2)).purges).toEqual([]);
  });

  it("survive an eviction, with whose hand it was and why", async () => {
    await purge(url("/a"));
    await purge(url("/b"), "hard");
    await purge(url("/a"));
    const before = await since(0);
    await evictDurableObject(origin());
    expect((await since(0)).purges.map(({ epoch, target }) => [epoch, target.value])).toEqual(
      before.purges.map(({ epoch, target }) => [epoch, target.value]),
    );
    expect((await origin().listPurges()).purges).toMatchObject([
      { epoch: 2, mode: "hard", target: url("/b"), reason: "new prices", by: "me" },
      { epoch: 3, mode: "soft", target: url("/a") },
    ]);
    expect(await purge(url("/c"))).toEqual({ epoch: 4 });
  });

  it("stay within their bound in storage, and what falls out raises the floor over an eviction", async () => {
    for (let n = 0; n < PURGE_BOUNDS.purges + 5; n++) await purge(url(`/${n}`));
    expect(await sql("SELECT COUNT(*) AS rows FROM purge")).toEqual([{ rows: PURGE_BOUNDS.purges + 1 }]);
    await evictDurableObject(origin());
    expect((await since(0)).floors.soft.epoch).toBe(5);
  });

  it("that cannot be read count for everything before them", async () => {
    await purge(url("/a"));
    await purge(url("/b"));
    await sql("UPDATE purge SET body = '{' WHERE epoch = 2");
    await evictDurableObject(origin());
    expect(await since(0)).toMatchObject({ epoch: 2, floors: { hard: { epoch: 2 } } });
    await sql("DELETE FROM purge WHERE epoch = 0");
    await evictDurableObject(origin());
    expect((await since(0)).floors.hard.epoch).toBe(3);
  });

  it("go on counting from what an edge knows when the object has lost them", async () => {
    expect(await since(57)).toMatchObject({ epoch: 58, floors: { soft: { epoch: 58 } } });
    await evictDurableObject(origin());
    expect(await purge(url("/a"))).toEqual({ epoch: 59 });
  });

  it("ride on every view, and on the word whether a snapshot stands", async () => {
    await purge(url("/a"), "hard");
    const settings = { configVersion: 1, probeUrl: "http://x/", probeTimeoutMs: 500, breaker: BREAKER_DEFAULTS };
    const { view } = await origin().report({
      v: 2,
      edgeId: "edge-a",
      seq: 1,
      pop: "A",
      epoch: 0,
      outcomes: [],
      failures: {},
      latencies: [],
      latencyTotalMs: 0,
      underWay: 0,
      settings,
    });
    expect(view.purgeEpoch).toBe(1);
    const asked = { v: 1, url: `v1:${"0".repeat(64)}` } as const;
    expect(await origin().hasSnapshot({ ...asked, purgesSince: 0 })).toMatchObject({
      stands: false,
      purges: { epoch: 1, purges: [{ mode: "hard" }] },
    });
    // An edge of the release before does not ask.
    expect(await origin().hasSnapshot(asked)).toEqual({ stands: false });
  });

  it("are refused when malformed, and then nothing has changed", async () => {
    await runInDurableObject(origin(), async (instance: Origin) => {
      const asked = { v: 1, target: url("/a"), mode: "soft", reason: "", by: "" } as const;
      await expect(instance.purge({ ...asked, target: url("") })).rejects.toThrow(/refused/);
      await expect(instance.purge({ ...asked, reason: "x".repeat(501) })).rejects.toThrow(/refused/);
      await expect(instance.purges({ v: 1, since: Number.NaN })).rejects.toThrow(/refused/);
    });
    expect((await since(0)).epoch).toBe(0);
  });
});
