/** Attack: a config that is huge, blank, doubled, cyclic, deeply nested or of the future is applied, or gets in another way. */
import { env } from "cloudflare:workers";
import { createExecutionContext, reset, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { packConfig } from "../../src/config/packed.ts";
import { ConfigKeeper } from "../../src/edge/config-keeper.ts";
import { CONTROL_OBJECT } from "../../src/protocol/control.ts";
import { AdminSite } from "../edge/admin-site.ts";
import bundledConfig from "../support/bundled-config.ts";

afterEach(() => reset());

const GOOD = `{ "version": 1, "origins": { "app": { "url": "https://app.example" } },
  "identity": [{ "type": "anonymous", "plan": "open" }], "plans": { "open": {} },
  "routes": [{ "id": "all", "match": { "path": "/*" }, "origin": "app" }] }`;

const HOSTILE: Readonly<Record<string, string>> = {
  blank: " \n\t ",
  empty: "",
  "no object": "[]",
  "a null": "null",
  "nested a million deep": "[".repeat(900_000),
  "nested ten thousand deep, and whole": `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
  "deep inside": GOOD.replace('"plans":', `"x": ${"[".repeat(5_000)}${"]".repeat(5_000)}, "plans":`),
  "a key twice": GOOD.replace('"plans":', '"plans": {}, "plans":'),
  "a key twice, once escaped": GOOD.replace('"plans":', '"plan\\u0073": {}, "plans":'),
  "a prototype": GOOD.replace('"plans":', '"__proto__": { "x": 1 }, "plans":'),
  "a constructor": GOOD.replace('"open": {}', '"open": {}, "constructor": { "prototype": {} }'),
  "a later version": GOOD.replace('"version": 1', '"version": 2'),
  "a version of text": GOOD.replace('"version": 1', '"version": "1"'),
  "a failover circle": GOOD.replace(
    '"https://app.example" }',
    '"https://app.example", "failover": "b" }, "b": { "url": "https://b.example", "failover": "app" }',
  ),
  "a failover to itself": GOOD.replace('"https://app.example" }', '"https://app.example", "failover": "app" }'),
  "NUL in a name": GOOD.replace('"open": {}', '"open": {}, "o\\u0000pen": {}'),
  "lone surrogates": GOOD.replace('"open": {}', '"open": {}, "\\ud800": {}'),
  "a number beyond numbers": GOOD.replace('"version": 1', '"version": 1e999'),
  "101 origins": GOOD.replace(
    '"origins": {',
    `"origins": {${Array.from({ length: 101 }, (_, at) => `"o${at}": { "url": "https://o.example" },`).join("")}`,
  ),
};

async function apply(site: AdminSite, text: string) {
  return site.call("POST", "/configs", { text }, { headers: { "if-match": '"0"' } });
}
const control = () => env.CONTROL.getByName(CONTROL_OBJECT);

describe("a config that is applied", () => {
  it("is taken when it is good: what is refused below is refused for what it is", async () => {
    expect((await apply(await AdminSite.make(), GOOD)).status).toBe(201);
  });

  it.each(Object.keys(HOSTILE))("is refused with what is wrong with it, and soon: %s", async (name) => {
    const began = performance.now();
    const refused = await apply(await AdminSite.make(), HOSTILE[name] ?? "");
    expect([refused.status, performance.now() - began < 5_000]).toEqual([422, true]);
    expect((refused.json["problems"] as unknown[]).length).toBeLessThanOrEqual(100);
    expect(refused.text.length).toBeLessThan(100_000);
    expect((await control().inForce({ v: 1 })).inForce).toBeUndefined();
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it("is refused by its size before it is read as anything", async () => {
    const site = await AdminSite.make();
    const tooLong = await apply(site, `${GOOD}${" ".repeat(2_000_000)}`);
    expect([400, 413, 422]).toContain(tooLong.status);
    const endless = await site.call("POST", "/configs", "x".repeat(4_200_000), { headers: { "if-match": '"0"' } });
    expect(endless.status).toBe(413);
  });
});

/** One isolate, which has the bundle's config. */
async function isolate(packed: Uint8Array): Promise<{ readonly failures: number; readonly configVersion: number }> {
  const write = { hash: "hostile", packed, text: "{}", author: "x", message: "", originIds: [] };
  await control().apply({ v: 1, ...write, expected: 0, trial: undefined });
  let failures = 0;
  const keeper = new ConfigKeeper({
    config: bundledConfig,
    text: undefined,
    pop: crypto.randomUUID(),
    now: () => Date.now(),
    random: () => 0,
    onFailure: () => failures++,
    onSwap: () => undefined,
  });
  const context = createExecutionContext();
  // What the deploy brought is known: nothing of it is taken over instead.
  const shared = { ...env, WAN: { call: callOf } };
  await keeper.beforeRequest(shared, context);
  await waitOnExecutionContext(context);
  return { failures, configVersion: keeper.tables.configVersion };
}

type Remote = Readonly<Record<string, ((argument: unknown) => Promise<unknown>) | undefined>>;
async function callOf(_kind: string, _name: string, method: string, argument: unknown): Promise<unknown> {
  const stub = control() as unknown as Remote;
  const reply = await stub[method]?.(argument);
  return method === "inForce" ? { ...(reply as object), wantsBundle: false } : reply;
}

async function gzipped(text: string): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const NEWER = { ...bundledConfig, configVersion: bundledConfig.configVersion + 1 };
const ROUTE = { id: "a", path: "/*", origin: "nobody", costMicro: 1, limits: [], charge: "always" };
const STORED: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  "that is no gzip": async () => new TextEncoder().encode("{}"),
  "that is cut off": async () => (await packConfig(NEWER)).slice(0, 100),
  "that is blank": () => gzipped(""),
  "that is no config": () => gzipped('{"v":1,"config":{}}'),
  "of a later version": () => gzipped(JSON.stringify({ v: 2, config: NEWER })),
  "that is nested a million deep": () => gzipped("[".repeat(1_000_000)),
  "that unpacks to more than it may": () => gzipped(`{"v":1,"config":"${" ".repeat(40_000_000)}"}`),
  "whose routes name no origin": () => gzipped(JSON.stringify({ v: 1, config: { ...NEWER, routes: [ROUTE] } })),
  "whose routes are none": () => gzipped(JSON.stringify({ v: 1, config: { ...NEWER, routes: [null, 1] } })),
};

describe("a config that got in another way", () => {
  it("is what an isolate takes, when it is good", async () => {
    const taken = await isolate(await packConfig(NEWER));
    expect(taken).toEqual({ failures: 0, configVersion: NEWER.configVersion });
  });

  it.each(Object.keys(STORED))("is counted and ignored by an isolate, which keeps what it has: %s", async (name) => {
    const kept = await isolate((await STORED[name]?.()) ?? new Uint8Array());
    expect(kept).toEqual({ failures: 1, configVersion: bundledConfig.configVersion });
  });
});
