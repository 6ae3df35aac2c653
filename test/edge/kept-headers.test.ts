import { afterEach, describe, expect, it, vi } from "vitest";
import { seeded } from "../../sim/kernel/random.ts";
import { KeptHeaders } from "../../src/edge/cache/kept-headers.ts";
import { Gateway, KEY, origin, withKey } from "./gateway.ts";

const BODY = new Uint8Array(new TextEncoder().encode("hello")).buffer;

describe("headers kept from one answer to the next", () => {
  it("are those that were asked for and no others, whatever answers before had", async () => {
    const seed = Number(process.env["WEIR_SEED"] ?? Math.floor(Math.random() * 1e9));
    const random = seeded(seed);
    const names = ["age", "etag", "ratelimit", "constructor", "x-a", "x-b", "x-c"];
    const kept = new KeptHeaders({ etag: '"1"', "x-a": "stored" });
    const made: { answer: Response; fields: Record<string, string> }[] = [];
    for (let round = 0; round < 500; round++) {
      const chosen = names.filter(() => random() < 0.5);
      const fields = Object.fromEntries(chosen.map((name) => [name, String(Math.floor(random() * 3))]));
      made.push({ answer: kept.answer(BODY, fields), fields });
    }
    // Read only now: a later answer changes nothing in an earlier one.
    for (const [index, { answer, fields }] of made.entries()) {
      expect(Object.fromEntries(answer.headers), `seed ${seed}, answer ${index}`).toEqual(fields);
      expect([answer.status, await answer.text()]).toEqual([200, "hello"]);
    }
  });

  it("stay true when the runtime refuses a value", () => {
    const kept = new KeptHeaders({ "x-a": "1", "x-b": "1" });
    expect(() => kept.answer(BODY, { "x-a": "2", "x-b": "line\nbreak" })).toThrow(TypeError);
    expect(Object.fromEntries(kept.answer(BODY, { "x-a": "1", "x-b": "1" }).headers)).toEqual({
      "x-a": "1",
      "x-b": "1",
    });
  });
});

const page = (): Response => new Response("page", { headers: { "cache-control": "max-age=60", "x-own": "origin" } });

describe("a hit", () => {
  afterEach(async () => {
    await Gateway.allSettled();
    vi.unstubAllGlobals();
  });

  const cached = {
    plans: { open: { limits: { requests: { rate: "100/s", burst: 100 } } }, free: {} },
    tenants: { acme: { plan: "open" }, bolt: { plan: "free" } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app", cache: {} }],
  };

  it("waits for nothing", async () => {
    origin(page);
    const gateway = await Gateway.of(cached);
    const limited = await withKey("192.0.2.1");
    expect(gateway.answer(limited)).toBeInstanceOf(Promise);
    await gateway.send(limited);
    await gateway.settled();
    expect(gateway.answer(limited)).toBeInstanceOf(Response);
  });

  it("tells nobody what the caller before was told", async () => {
    origin(page);
    const gateway = await Gateway.of(cached);
    const limited = await withKey("192.0.2.1");
    const free = await withKey("192.0.2.2", KEY, "bolt");
    await gateway.send(limited);
    await gateway.settled();
    for (let turn = 0; turn < 3; turn++) {
      const first = await gateway.send(limited);
      const second = await gateway.send(free);
      expect([first.headers.get("weir-served"), second.headers.get("weir-served")]).toEqual(["cache", "cache"]);
      expect([first.headers.has("ratelimit"), second.headers.has("ratelimit")]).toEqual([true, false]);
      expect(second.headers.has("ratelimit-policy")).toBe(false);
      expect(second.headers.get("weir-request-id")).not.toBe(first.headers.get("weir-request-id"));
      expect(second.headers.get("x-own")).toBe("origin");
    }
  });
});
