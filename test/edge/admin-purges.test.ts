/** Purges through the admin API. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import type { Env } from "../../src/platform/bindings.ts";
import { AdminSite, TOKEN } from "./admin-site.ts";

afterEach(() => reset());

type Remote = Readonly<Record<string, ((argument: unknown) => Promise<unknown>) | undefined>>;

const without = (name: string): Env => ({
  ...env,
  WEIR_ADMIN_TOKEN: TOKEN,
  WAN: {
    call: async (kind, object, method, argument) => {
      if (object === name) throw new Error("out of reach");
      const stub = env[kind].getByName(object) as unknown as Remote;
      return stub[method]?.(argument);
    },
  },
});

describe("a purge", () => {
  it("that did not reach every origin says which, and can be sent again", async () => {
    const site = await AdminSite.make({
      origins: { app: { url: "https://app.example" }, other: { url: "https://other.example" } },
    });
    const asked = { url: "/a", mode: "hard", reason: "recall", by: "me" };
    site.bindings = without("origin:other");
    const half = await site.call("POST", "/purges", asked);
    expect([half.status, half.headers.get("content-type")]).toEqual([503, "application/problem+json"]);
    expect(half.json).toMatchObject({
      title: "The purge may not have reached other; send it again",
      origins: [{ origin: "app", epoch: 1 }],
      unreachable: ["other"],
    });
    site.bindings = env;
    expect((await site.call("POST", "/purges", asked)).json).toEqual({
      purged: { kind: "url", value: "/a" },
      mode: "hard",
      origins: [
        { origin: "app", epoch: 2 },
        { origin: "other", epoch: 1 },
      ],
    });
    expect((await site.call("GET", "/purges?origin=app")).json).toMatchObject({
      purges: [{ origin: "app", epoch: 2, mode: "hard", reason: "recall", by: "root (me)", purged: { value: "/a" } }],
      unreachable: [],
    });
    site.bindings = without("origin:app");
    expect((await site.call("GET", "/purges")).json).toMatchObject({
      purges: [{ origin: "other" }],
      unreachable: ["app"],
    });
  });

  it("concerns what a config on trial stores apart, too", async () => {
    const site = await AdminSite.make();
    await site.call("POST", "/purges", { tag: "a", reason: "test" });
    expect(await env.ORIGIN.getByName("origin:app~trial").purges({ v: 1, since: 0 })).toMatchObject({ epoch: 1 });
  });

  it("needs an operator, and a body that says one thing", async () => {
    const site = await AdminSite.make();
    const { token } = await site.makeToken({ role: "reader" });
    expect((await site.call("POST", "/purges", { url: "/a", reason: "x" }, { token })).status).toBe(403);
    expect((await site.call("GET", "/purges", undefined, { token })).status).toBe(200);
    for (const [wrong, says] of [
      [{}, "give one of url, prefix and tag"],
      [{ url: "/a", tag: "b" }, "give one of"],
      [{ url: "a" }, "must be a URL like"],
      [{ url: "/a%zz" }, "url was refused: bad-escape"],
      [{ prefix: "/a/*" }, "prefix needs no *"],
      [{ tag: "a,b" }, "must be one tag"],
      [{ url: "/a", mode: "gentle" }, "mode"],
    ] as const) {
      const refused = await site.call("POST", "/purges", { reason: "x", ...wrong });
      expect([refused.status, refused.text]).toEqual([400, expect.stringContaining(says)]);
    }
    expect((await site.call("GET", "/purges?origin=nope")).text).toContain("valid: app");
    expect((await site.call("POST", "/purges", { url: "/a", reason: "x", tenant: "nobody" })).status).toBe(404);
  });
});
