/** The middlewares inside workerd, with real coordinators; the origin is what a test makes of `fetch`. */
import { env } from "cloudflare:workers";
import { createExecutionContext, reset, waitOnExecutionContext } from "cloudflare:test";
import { Hono } from "hono";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ConfigError, defineConfig, type LibraryConfig } from "../../src/config/define.ts";
import {
  breaker,
  type BreakerVariables,
  gateway,
  limits,
  type LimitsVariables,
  type WeirAdmission,
} from "../../src/hono/index.ts";
import { eventually } from "../edge/gateway.ts";

type App = Hono<{ Bindings: typeof env; Variables: LimitsVariables & BreakerVariables }>;

const contexts: ExecutionContext[] = [];
afterEach(async () => {
  for (const context of contexts.splice(0)) await waitOnExecutionContext(context);
  vi.unstubAllGlobals();
  await reset();
});

const configOf = (file: Partial<LibraryConfig>): ReturnType<typeof defineConfig> =>
  defineConfig(
    { version: 1, plans: { small: { limits: { requests: { rate: "1/h", burst: 3 } } } }, ...file },
    { configVersion: 1 },
  );

/** Without METRICS no flush is waited for. */
const { METRICS: _METRICS, ...withoutMetrics } = env;

async function send(
  app: App,
  path: string,
  init: RequestInit = {},
  bindings: object = withoutMetrics,
): Promise<Response> {
  const context = createExecutionContext();
  contexts.push(context);
  return app.fetch(new Request(`https://worker.example${path}`, init), bindings as typeof env, context);
}

const statuses = async (app: App, count: number, path: string, init: RequestInit = {}): Promise<number[]> => {
  const seen: number[] = [];
  for (let index = 0; index < count; index++) seen.push((await send(app, path, init)).status);
  return seen;
};

describe("limits", () => {
  it("need no more bindings than TENANT", async () => {
    const app: App = new Hono();
    app.use(limits({ config: configOf({}), tenant: () => ({ id: "t", plan: "small" }) }));
    app.get("/", (c) => c.text("ok"));
    const answer = await send(app, "/", {}, { TENANT: env.TENANT });
    expect([answer.status, answer.headers.get("ratelimit-policy")]).toEqual([200, '"requests";q=3;w=10800']);
  });

  it("are one state for all middlewares with the same config, and another for another config", async () => {
    const app: App = new Hono();
    const config = configOf({});
    const tenant = (): { id: string; plan: string } => ({ id: "shared", plan: "small" });
    app.use("/a", limits({ config, tenant }));
    app.use("/b", limits({ config, tenant }));
    app.get("*", (c) => c.text("ok"));
    expect(await statuses(app, 2, "/a")).toEqual([200, 200]);
    expect(await statuses(app, 2, "/b")).toEqual([200, 429]);
  });

  it("fall back on the config's identity where the application names nobody", async () => {
    const app: App = new Hono();
    const config = configOf({ identity: [{ type: "anonymous", plan: "small" }] });
    app.use(limits({ config, tenant: async () => undefined }));
    app.get("*", (c) => c.text(c.var.weir.tenant));
    const from = { headers: { "cf-connecting-ip": "203.0.113.7" } };
    expect(await (await send(app, "/", from)).text()).toBe("anonymous");
    expect(await statuses(app, 3, "/", from)).toEqual([200, 200, 429]);
    expect(await statuses(app, 1, "/", { headers: { "cf-connecting-ip": "198.51.100.1" } })).toEqual([200]);
  });

  it("let no unknown tenant make a coordinator", async () => {
    const app: App = new Hono();
    app.use(limits({ config: configOf({}), tenant: () => "stranger" }));
    const handled = vi.fn();
    app.get("*", (c) => {
      handled();
      return c.text("ok");
    });
    expect((await send(app, "/")).status).toBe(403);
    expect(handled).not.toHaveBeenCalled();
    expect((await env.TENANT.getByName("tenant:stranger").status()).partitions).toEqual([]);
  });

  it("add the limits and the cost of the config's route that matches", async () => {
    const app: App = new Hono();
    const config = configOf({
      origins: { self: { url: "https://self.example" } },
      routes: [
        {
          id: "heavy",
          match: { path: "/heavy" },
          origin: "self",
          cost: 2,
          limits: { heavy: { rate: "1/h", burst: 5 } },
        },
      ],
    });
    let seen: WeirAdmission | undefined;
    app.use(limits({ config, tenant: () => ({ id: "t", plan: "small" }) }));
    app.get("*", (c) => {
      seen = c.var.weir;
      return c.text("ok");
    });
    expect((await send(app, "/heavy")).headers.get("ratelimit")).toMatch(/^"requests";r=1;t=\d+, "heavy";r=3;t=\d+$/);
    expect(seen?.remaining).toBe(1);
    expect((await send(app, "/light")).headers.get("ratelimit")).toMatch(/^"requests";r=0;t=\d+$/);
    expect((await send(app, "/heavy")).status).toBe(429);
  });

  it("keep each principal of a tenant to a limit of its own", async () => {
    const app: App = new Hono();
    const plans = { team: { limits: { each: { rate: "1/h", burst: 1, partition: "principal" as const } } } };
    const config = configOf({ plans });
    app.use(limits({ config, tenant: ({ req }) => ({ id: "t", plan: "team", principal: req.query("user") ?? "" }) }));
    app.get("*", (c) => c.text("ok"));
    expect(await statuses(app, 2, "/?user=ann")).toEqual([200, 429]);
    expect(await statuses(app, 2, "/?user=bob")).toEqual([200, 429]);
  });

  it("give a slot back when the answer has been sent", async () => {
    const app: App = new Hono();
    const config = configOf({ plans: { held: { concurrency: 1 } } });
    app.use(limits({ config, tenant: () => ({ id: "t", plan: "held" }) }));
    let finish: (() => void) | undefined;
    app.get("/", (c) =>
      c.body(
        new ReadableStream({
          start: (controller) => {
            finish = () => {
              controller.close();
            };
          },
        }),
      ),
    );
    const held = await send(app, "/");
    expect(held.headers.get("ratelimit-policy")).toBe('"concurrency";q=1;qu="concurrent-requests"');
    expect((await send(app, "/")).status).toBe(429);
    finish?.();
    await held.text();
    const next = await eventually(async () => {
      const answer = await send(app, "/");
      expect(answer.status).toBe(200);
      return answer;
    });
    finish?.();
    await next.text();
  });

  it("give quota back when the application failed", async () => {
    const app: App = new Hono();
    const config = configOf({ plans: { daily: { limits: { daily: { quota: 3, per: "day" } } } } });
    app.use(limits({ config, tenant: () => ({ id: "t", plan: "daily" }) }));
    app.get("/fails", () => {
      throw new Error("a bug");
    });
    app.get("/ok", (c) => c.text("ok"));
    app.onError(() => new Response("broken", { status: 500 }));
    expect(await statuses(app, 4, "/fails")).toEqual([500, 500, 500, 500]);
    await Promise.all(contexts.map(waitOnExecutionContext));
    const after = await statuses(app, 5, "/ok");
    expect(after.filter((status) => status === 200)).toHaveLength(3);
    expect(after.at(-1)).toBe(429);
  });

  it("answer 503 when the application asks for an impossible cost, and serve nothing", async () => {
    const app: App = new Hono();
    app.use(limits({ config: configOf({}), tenant: () => ({ id: "t", plan: "small" }), cost: () => 0.5 }));
    app.get("*", (c) => c.text("ok"));
    expect((await send(app, "/")).status).toBe(503);
  });
});

describe("breaker", () => {
  const config = configOf({
    origins: {
      shop: { url: "https://shop.example/v1", retry: { attempts: 2, budget: 1 }, failover: "spare" },
      spare: { url: "https://spare.example", retry: { attempts: 1 } },
    },
  });
  const calls: { url: string; headers: Headers; body: string }[] = [];
  const answering = (answer: (url: string) => Response): void => {
    calls.length = 0;
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
      const body = init.body === null ? "" : await new Response(init.body as BodyInit).text();
      calls.push({ url, headers: new Headers(init.headers), body });
      return answer(url);
    });
  };
  const app: App = new Hono();
  app.use(breaker({ config, origin: "shop" }));
  app.get("/items", (c) => c.var.weir.fetch("/items?id=1", { headers: { "x-own": "yes" } }));
  app.all("/pass/*", (c) => c.var.weir.fetch(c.req.raw));
  app.get("/spare", (c) => c.var.weir.fetch("/x", { origin: "spare" }));
  app.get("/unknown", (c) => c.var.weir.fetch("/x", { origin: "nope" }));
  app.get("/absolute", (c) => c.var.weir.fetch("https://elsewhere.example/x"));
  app.onError((error, c) => c.text(error.message, 500));

  it("needs no more bindings than ORIGIN, and calls below the origin's url", async () => {
    answering(() => new Response("item"));
    const answer = await send(app, "/items", {}, { ORIGIN: env.ORIGIN });
    expect([await answer.text(), answer.headers.get("weir-served")]).toEqual(["item", "origin"]);
    expect(calls[0]?.url).toBe("https://shop.example/v1/items?id=1");
    expect([calls[0]?.headers.get("x-own"), calls[0]?.headers.get("weir-attempt")]).toEqual(["yes", "1"]);
  });

  it("passes on the request that came in: method, query, body; not its forwarding headers", async () => {
    answering(() => new Response("made", { status: 201 }));
    const headers = { "x-forwarded-for": "6.6.6.6", "cf-connecting-ip": "203.0.113.7", "content-type": "text/plain" };
    const answer = await send(app, "/pass/on?x=1", { method: "POST", body: "hello", headers });
    expect(answer.status).toBe(201);
    expect(calls).toMatchObject([{ url: "https://shop.example/v1/pass/on?x=1", body: "hello" }]);
    expect(calls[0]?.headers.get("x-forwarded-for")).toBe("203.0.113.7");
  });

  it("retries under the budget, then asks the failover, then says 503", async () => {
    answering((url) => (url.includes("spare") ? new Response("spare") : new Response("", { status: 503 })));
    const spared = await send(app, "/items");
    expect([await spared.text(), spared.headers.get("weir-served")]).toEqual(["spare", "failover"]);
    answering(() => {
      throw new Error("Network connection lost.");
    });
    const down = await send(app, "/items");
    expect([down.status, down.headers.get("weir-served")]).toEqual([503, "fallback"]);
    expect(Number(down.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(down.headers.get("proxy-status")).toContain('next-hop="shop"');
  });

  it("calls another origin of the config by name, and says which there are", async () => {
    answering((url) => new Response(url));
    expect(await (await send(app, "/spare")).text()).toBe("https://spare.example/x");
    expect(await (await send(app, "/unknown")).text()).toBe('unknown origin "nope"; valid: shop, spare');
    expect(await (await send(app, "/absolute")).text()).toContain('a path like "/items" is needed');
  });
});

describe("gateway", () => {
  it("is the whole pipeline behind routes of your own, with the admin API", async () => {
    const app: App = new Hono();
    const config = configOf({
      origins: { app: { url: "https://app.example" } },
      identity: [{ type: "anonymous", plan: "small" }],
      routes: [{ id: "all", match: { path: "/site/*" }, origin: "app" }],
    });
    vi.stubGlobal("fetch", async () => new Response("from the origin"));
    app.get("/own", (c) => c.text("own"));
    app.all("*", gateway({ config }));
    expect(await (await send(app, "/own")).text()).toBe("own");
    const answer = await send(app, "/site/x", {}, env);
    expect([await answer.text(), answer.headers.get("weir-served")]).toEqual(["from the origin", "origin"]);
    expect((await send(app, "/nowhere")).status).toBe(404);
    expect((await send(app, "/_weir/livez")).status).toBe(200);
    expect((await send(app, "/_weir/api/v1/status")).status).toBe(404);
    expect(await statuses(app, 3, "/site/x")).toEqual([200, 200, 429]);
  });

  it("answers with the last rung when its config cannot be made", async () => {
    const app: App = new Hono();
    app.all("*", gateway({ config: async () => Promise.reject(new Error("gone")) }));
    const answer = await send(app, "/");
    expect([answer.status, answer.headers.get("weir-served")]).toEqual([503, "fallback"]);
  });
});

describe("defineConfig", () => {
  it("names every problem at once, when the module is loaded", () => {
    const wrong = {
      version: 1,
      plans: { p: { limits: { a: { rate: "fast" }, b: {} } } },
      tenants: { t: { plan: "q" } },
    };
    const define = (): unknown => defineConfig(wrong as LibraryConfig, { configVersion: 1 });
    expect(define).toThrow(ConfigError);
    expect(define).toThrow(/plans\.p\.limits\.a\.rate: must be a rate/);
    expect(() => defineConfig({ version: 1, tenants: { t: { plan: "q" } } }, { configVersion: 1 })).toThrow(
      /tenants\.t\.plan: .*"q"/,
    );
    expect(() => defineConfig({ version: 1 }, { configVersion: 0 })).toThrow(/configVersion must be/);
  });
});
