/** What was purged, on every path by which something stored could be served. */
import { describe, expect, it, vi } from "vitest";
import { eventually, type Gateway, KEY, origin, withKey } from "./gateway.ts";
import {
  answers,
  afterIdling,
  caller,
  configWith,
  coordinator,
  gatewayOf,
  later,
  page,
  purge,
  told,
  useClockAndReset,
  warm,
} from "./purging.ts";

useClockAndReset();

const dead = (): Response => {
  throw new Error("Network connection lost.");
};

describe("a soft purge", () => {
  it("makes stale: answered at once while it is refreshed behind", async () => {
    const gateway = await warm(configWith({ staleWhileRevalidate: "1m" }));
    await purge(page);
    answers("new");
    expect(await afterIdling(gateway)).toEqual(["stale", "old"]);
    await eventually(async () => {
      expect(await told(await gateway.send(caller, "/page"))).toEqual(["cache", "new"]);
    });
  });

  it("leaves an answer for when the origin fails, for as long as the window from the purge on", async () => {
    const gateway = await warm(configWith({ staleIfError: "10s" }));
    await purge(page);
    origin(dead);
    expect(await afterIdling(gateway)).toEqual(["stale", "old"]);
    later(12_000);
    expect((await gateway.send(caller, "/page")).status).toBe(503);
  });

  it("lets the origin say that nothing has changed", async () => {
    const gateway = await warm(configWith(), { etag: '"1"' });
    await purge(page);
    const asked = vi.fn((_: unknown, init: RequestInit) => {
      expect(new Headers(init.headers).get("if-none-match")).toBe('"1"');
      return new Response(null, { status: 304, headers: { etag: '"1"' } });
    });
    vi.stubGlobal("fetch", asked);
    expect((await afterIdling(gateway))[1]).toBe("old");
    expect(asked).toHaveBeenCalledOnce();
    expect(await told(await gateway.send(caller, "/page"))).toEqual(["cache", "old"]);
  });
});

describe("a hard purge", () => {
  it("leaves nothing for when the origin fails", async () => {
    const gateway = await warm(configWith({ staleIfError: "1h", staleWhileRevalidate: "1h" }));
    await purge(page, "hard");
    origin(dead);
    expect((await afterIdling(gateway))[1]).not.toContain("old");
    expect((await gateway.send(caller, "/page")).status).toBe(503);
  });

  it("asks the origin without conditions", async () => {
    const gateway = await warm(configWith(), { etag: '"1"' });
    await purge(page, "hard");
    const asked = vi.fn((_: unknown, init: RequestInit) => {
      expect(new Headers(init.headers).has("if-none-match")).toBe(false);
      return new Response("new", { headers: { etag: '"1"' } });
    });
    vi.stubGlobal("fetch", asked);
    expect(await afterIdling(gateway)).toEqual(["origin", "new"]);
    expect(asked).toHaveBeenCalledOnce();
  });

  it("that comes while the origin says 'not modified' has it asked again", async () => {
    const gateway = await warm(configWith({ ttl: "10s" }), { etag: '"1"' });
    const asked: (string | null)[] = [];
    vi.stubGlobal("fetch", async (_: unknown, init: RequestInit) => {
      const condition = new Headers(init.headers).get("if-none-match");
      asked.push(condition);
      if (condition === null) return new Response("new", { headers: { etag: '"1"' } });
      await purge(page, "hard");
      await gateway.edge.purges.of("app").hear(await coordinator().purges({ v: 1, since: 0 }), Date.now());
      return new Response(null, { status: 304 });
    });
    later(11_000);
    expect(await told(await gateway.send(caller, "/page"))).toEqual(["origin", "new"]);
    expect(asked).toEqual(['"1"', null]);
  });

  it("that comes while the origin takes its time to fail leaves nothing to fall back on", async () => {
    const gateway = await warm(configWith({ ttl: "10s", staleIfError: "1h" }));
    vi.stubGlobal("fetch", async () => {
      await purge(page, "hard");
      later(20_000);
      throw new Error("Network connection lost.");
    });
    later(11_000);
    expect((await gateway.send(caller, "/page")).status).toBe(503);
  });

  it("holds for those who wait for an answer that was asked for before it", async () => {
    const gateway = await gatewayOf(configWith());
    answers("warm");
    await gateway.send(caller, "/warm");
    const bodies = ["old", "new", "new"];
    const release: (() => void)[] = [];
    vi.stubGlobal(
      "fetch",
      () =>
        new Promise<Response>((resolve) => {
          release.push(() => {
            resolve(new Response(bodies.shift()));
          });
        }),
    );
    const leader = gateway.send(caller, "/page");
    await eventually(() => {
      expect(release).toHaveLength(1);
    });
    await purge(page, "hard");
    gateway.edge.purges.of("app").hear(await coordinator().purges({ v: 1, since: 0 }), Date.now());
    const boarding = vi.spyOn(gateway.edge.flights, "board");
    const follower = gateway.send(caller, "/page");
    await eventually(() => {
      expect(boarding).toHaveReturnedWith(expect.objectContaining({ kind: "follows" }));
    });
    release.shift()?.();
    expect((await told(await leader))[1]).toBe("old");
    await eventually(() => {
      expect(release).toHaveLength(1);
    });
    release.shift()?.();
    expect(await told(await follower)).toEqual(["origin", "new"]);
  });
});

describe("a purge", () => {
  it("by prefix concerns what begins so, and all variants of it", async () => {
    const gateway = await gatewayOf(configWith());
    const german = { ...caller, "accept-language": "de" };
    for (const headers of [caller, german]) {
      for (const path of ["/shop/a", "/shop/b?c=1", "/blog"]) {
        answers("old", { vary: "accept-language" });
        await gateway.send(headers, path);
      }
    }
    await gateway.settled();
    await purge({ kind: "prefix", value: "/shop/" }, "hard");
    answers("new", { vary: "accept-language" });
    for (const headers of [caller, german]) {
      expect(await afterIdling(gateway, "/shop/a", headers)).toEqual(["origin", "new"]);
      expect(await told(await gateway.send(headers, "/shop/b?c=1"))).toEqual(["origin", "new"]);
      expect(await told(await gateway.send(headers, "/blog"))).toEqual(["cache", "old"]);
    }
  });

  it("by tag concerns what the origin marked so; clients never see the tags", async () => {
    const gateway = await gatewayOf(configWith());
    for (const [path, tags] of [
      ["/a", "shoes, sale"],
      ["/b", "boots"],
    ] as const) {
      answers("old", { "cache-tag": tags });
      const answer = await gateway.send(caller, path);
      expect([answer.status, answer.headers.has("cache-tag")]).toEqual([200, false]);
      expect((await gateway.send(caller, path)).headers.has("cache-tag")).toBe(false);
    }
    await purge({ kind: "tag", value: "sale" }, "hard");
    answers("new");
    expect(await afterIdling(gateway, "/a")).toEqual(["origin", "new"]);
    expect(await told(await gateway.send(caller, "/b"))).toEqual(["cache", "old"]);
  });

  it("concerns every tenant's copy, or the one that is named", async () => {
    const acme = await withKey("192.0.2.1", KEY, "acme");
    const other = await withKey("192.0.2.1", KEY, "other");
    const gateway = await gatewayOf(configWith({ scope: "tenant" }));
    answers("old");
    for (const headers of [acme, other]) await gateway.send(headers, "/page");
    await gateway.settled();
    await purge({ ...page, tenant: "acme" }, "hard");
    answers("new");
    expect(await afterIdling(gateway, "/page", acme)).toEqual(["origin", "new"]);
    expect(await told(await gateway.send(other, "/page"))).toEqual(["cache", "old"]);
    await purge(page, "hard");
    answers("newest");
    later(6_000);
    for (const headers of [acme, other]) {
      expect(await told(await gateway.send(headers, "/page"))).toEqual(["origin", "newest"]);
    }
  });

  it("concerns what the release before stored, by its URL and by its tags", async () => {
    const gateway = await gatewayOf(configWith(), "old-format");
    for (const [path, body] of [
      ["/page", "old"],
      ["/tagged", "old"],
    ] as const) {
      const record = {
        status: 200,
        headers: [["cache-tag", "sale"]],
        freshness: {
          bornAtMs: Date.now(),
          lifetimeMs: 3_600_000,
          noCache: false,
          neverStale: false,
          staleWhileRevalidateMs: 0,
          staleIfErrorMs: 0,
        },
        vary: [],
        bytes: 3,
      };
      const key = `app\n\nhttps://gateway.example\n${path}`;
      await caches.default.put(
        `https://weir-cache.invalid/old-format/${encodeURIComponent(key)}?`,
        new Response(body, {
          headers: {
            "cache-control": "public, max-age=604800",
            "weir-record": encodeURIComponent(JSON.stringify(record)),
          },
        }),
      );
    }
    const stored = await gateway.send(caller, "/page");
    expect(stored.headers.has("cache-tag")).toBe(false);
    expect(await told(stored)).toEqual(["cache", "old"]);
    await purge(page, "hard");
    answers("new");
    expect(await afterIdling(gateway)).toEqual(["origin", "new"]);
    expect(await told(await gateway.send(caller, "/tagged"))).toEqual(["cache", "old"]);
    await purge({ kind: "tag", value: "sale" }, "hard");
    expect(await afterIdling(gateway, "/tagged")).toEqual(["origin", "new"]);
  });
});

describe("a snapshot", () => {
  const withSnapshots = configWith({ ttl: "10s", snapshot: "1m" });
  const took = async (): Promise<Gateway> => {
    const gateway = await gatewayOf(withSnapshots);
    answers("old", { "cache-tag": "sale" });
    await gateway.send(caller, "/page");
    await gateway.settled();
    expect(gateway.edge.snapshots.stats.written).toBe(1);
    return gateway;
  };

  it("answers after a soft purge, and is barred by a hard one, whatever KV shows", async () => {
    await took();
    origin(dead);
    await purge(page);
    const softly = await gatewayOf(withSnapshots);
    expect(await told(await softly.send(caller, "/page"))).toEqual(["snapshot", "old"]);
    await purge({ kind: "tag", value: "sale" }, "hard");
    const hardly = await gatewayOf(withSnapshots);
    expect((await hardly.send(caller, "/page")).status).toBe(503);
    // The one that had it at hand, too.
    later(6_000);
    expect((await softly.send(caller, "/page")).status).toBe(503);
  });

  it("is barred by the coordinator's word, where the edge itself had not heard yet", async () => {
    await took();
    const gateway = await gatewayOf(withSnapshots);
    await gateway.send(caller, "/else");
    await gateway.settled();
    origin(dead);
    await purge(page, "hard");
    expect((await gateway.send(caller, "/page")).status).toBe(503);
  });

  it("is taken again after a hard purge, of the same content, too", async () => {
    await took();
    await purge(page, "hard");
    answers("old", { "cache-tag": "sale" });
    later(61_000);
    const gateway = await gatewayOf(withSnapshots);
    await gateway.send(caller, "/page");
    await gateway.settled();
    expect(gateway.edge.snapshots.stats.written).toBe(1);
    origin(dead);
    expect(await told(await (await gatewayOf(withSnapshots)).send(caller, "/page"))).toEqual(["snapshot", "old"]);
  });
});
