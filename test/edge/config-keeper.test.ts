import { env } from "cloudflare:workers";
import { createExecutionContext, reset, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import type { Config } from "../../src/config/model.ts";
import { packConfig } from "../../src/config/packed.ts";
import { ConfigKeeper } from "../../src/edge/config-keeper.ts";
import type { CoordinatorKind, Env } from "../../src/platform/bindings.ts";
import bundledConfig from "../support/bundled-config.ts";
import { eventually } from "./gateway.ts";

const configWith = (configVersion: number): Config => ({
  ...bundledConfig,
  configVersion,
  hash: `hash ${configVersion}`,
  plans: { [`plan-${configVersion}`]: { limits: [], priority: "normal" } },
});

type Control = (method: string, argument: unknown) => Promise<unknown>;
type Remote = Readonly<Record<string, ((argument: unknown) => Promise<unknown>) | undefined>>;
const realControl: Control = async (method, argument) => {
  const stub = env.CONTROL.getByName("control") as unknown as Remote;
  return stub[method]?.(argument);
};

/** One isolate of the given bundle; `control` stands between it and the object. */
function isolate(config: Config, control: Control = realControl, pop = crypto.randomUUID()) {
  const context = createExecutionContext();
  const calls: string[] = [];
  let failures = 0;
  let nowMs = 1_000_000;
  const keeper = new ConfigKeeper({
    config,
    text: undefined,
    pop,
    now: () => nowMs,
    random: () => 0,
    onFailure: () => failures++,
    onSwap: () => undefined,
  });
  const call = async (_kind: CoordinatorKind, _name: string, method: string, argument: unknown): Promise<unknown> => {
    calls.push(method);
    return control(method, argument);
  };
  const site: Env = { ...env, WAN: { call } };
  return {
    keeper,
    calls,
    failures: () => failures,
    later: (ms: number) => (nowMs += ms),
    request: async () => {
      await keeper.beforeRequest(site, context);
      return keeper.tables.configVersion;
    },
    waits: () => keeper.beforeRequest(site, context) !== undefined,
    heard: (inForce: Parameters<ConfigKeeper["heard"]>[0]) => {
      keeper.heard(inForce, { env: site, waitUntil: (work) => context.waitUntil(work) });
    },
    settled: () => waitOnExecutionContext(context),
  };
}

const inForce = async () => (await env.CONTROL.getByName("control").inForce({ v: 1 })).inForce;
const apply = async (config: Config, shareRatio?: number) =>
  env.CONTROL.getByName("control").apply({
    v: 1,
    hash: config.hash,
    packed: await packConfig(config),
    text: "{}",
    author: "test",
    message: "",
    originIds: [],
    expected: (await inForce())?.number ?? 0,
    trial: shareRatio === undefined ? undefined : { shareRatio, forMs: 60_000 },
  });

describe("an isolate", () => {
  afterEach(() => reset());

  it("has its config taken over when it is the first, and begins with it", async () => {
    const first = isolate(configWith(10));
    expect(await first.request()).toBe(10);
    await first.settled();
    expect(first.calls).toEqual(["inForce", "adopt", "read"]);
    expect(await inForce()).toEqual({ sequence: 1, number: 1 });
  });

  it("that is new begins with what was applied, not with what it was deployed with", async () => {
    await isolate(configWith(10)).request();
    await apply(configWith(20));
    expect(await isolate(configWith(10)).request()).toBe(20);
  });

  it("in a PoP where others know asks nobody else", async () => {
    const first = isolate(configWith(10), realControl, "a-pop");
    await first.request();
    await first.settled();
    const second = isolate(configWith(10), realControl, "a-pop");
    expect(await second.request()).toBe(10);
    expect(second.calls).toEqual([]);
    expect(second.keeper.number).toBe(1);
  });

  it("swaps when a view tells of another config, once for all requests that hear it", async () => {
    const one = isolate(configWith(10));
    await one.request();
    await apply(configWith(20));
    for (let view = 0; view < 10; view++) one.heard(await inForce());
    await one.settled();
    expect(one.keeper.tables.configVersion).toBe(20);
    expect(one.calls.filter((method) => method === "read").length).toBe(2);
  });

  it("asks by itself when no view has told it anything for three seconds", async () => {
    const one = isolate(configWith(10));
    await one.request();
    await one.settled();
    await apply(configWith(20));
    one.later(3_001);
    expect(await one.request()).toBe(10);
    await one.settled();
    expect(await one.request()).toBe(20);
  });

  it("ignores what is older than what it has", async () => {
    await isolate(configWith(10)).request();
    await apply(configWith(20));
    const one = isolate(configWith(10));
    await one.request();
    one.heard({ sequence: 1, number: 1 });
    await one.settled();
    expect(one.keeper.tables.configVersion).toBe(20);
  });

  it("has a config on trial beside the other, and loses it again", async () => {
    const one = isolate(configWith(10));
    await one.request();
    await apply(configWith(20), 0.5);
    one.heard(await inForce());
    await one.settled();
    expect(one.keeper.tables.configVersion).toBe(10);
    expect(one.keeper.canary).toMatchObject({ number: 2, shareRatio: 0.5, tables: { configVersion: 20 } });
    const taken = { v: 1, promote: false, author: "test", message: "" } as const;
    await env.CONTROL.getByName("control").endTrial(taken);
    one.heard(await inForce());
    await one.settled();
    expect(one.keeper.canary).toBeUndefined();
    expect(one.keeper.number).toBe(3);
  });
});

describe("an isolate whose Control object is out of reach", () => {
  afterEach(() => reset());

  it("begins with its bundle, and only its first requests wait for a moment", async () => {
    const one = isolate(configWith(10), () => new Promise(() => undefined));
    const began = Date.now();
    expect(await one.request()).toBe(10);
    expect(Date.now() - began).toBeLessThan(2_000);
    one.later(401);
    expect(one.waits()).toBe(false);
  });

  it("keeps what it has when a content is broken, counts it, and takes the next one", async () => {
    let broken = true;
    const one = isolate(configWith(10), async (method, argument) =>
      method === "read" && broken && Number(Reflect.get(Object(argument), "number")) > 1
        ? { packed: new TextEncoder().encode("no gzip"), text: undefined }
        : realControl(method, argument),
    );
    await one.request();
    await apply(configWith(20));
    one.heard(await inForce());
    await eventually(() => expect(one.failures()).toBe(1));
    expect(await one.request()).toBe(10);
    broken = false;
    one.later(1_001);
    await one.request();
    await one.settled();
    expect(one.keeper.tables.configVersion).toBe(20);
  });

  it("asks again no more often than once a second", async () => {
    let asked = 0;
    const one = isolate(configWith(10), async () => {
      asked++;
      throw new Error("away");
    });
    for (let request = 0; request < 50; request++) {
      await one.request();
      await one.settled();
      one.later(100);
    }
    expect(asked).toBeGreaterThanOrEqual(4);
    expect(asked).toBeLessThanOrEqual(6);
  });
});
