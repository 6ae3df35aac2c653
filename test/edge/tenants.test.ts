/** Tenants that the config does not name, through the whole pipeline, in front of real coordinators. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { arrivals, heldClock, keyOf, KEY_ID, presenting, shapeOf, withOrigin } from "../attacks/callers.ts";
import { bearing, Issuer, RULE } from "../attacks/issuer.ts";
import { TenantIndex } from "../../src/coordinators/tenant-index/object.ts";
import { TENANT_INDEX_OBJECT } from "../../src/protocol/tenant-index.ts";
import { tenantCoordinator } from "../../src/protocol/tenant.ts";
import { eventually, Gateway } from "./gateway.ts";

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(async () => {
  issuer = new Issuer();
  await issuer.addKey("k1");
});

const OF_PLANS = {
  open: {},
  small: { limits: { requests: { rate: "1/h", burst: 2, deadline: "5s" } } },
  large: { limits: { requests: { rate: "1000/s", burst: 1000, deadline: "5s" } } },
  closed: { limits: { requests: { rate: "1000/s", burst: 1000, failMode: "closed" } } },
};
const gatewayOf = (change: Record<string, unknown> = {}): Promise<Gateway> =>
  Gateway.of({
    identity: [
      { type: "apiKey", header: "x-api-key" },
      RULE,
      { type: "trustedHeader", tenantHeader: "x-tenant-id" },
      { type: "anonymous", plan: "open" },
    ],
    plans: OF_PLANS,
    tenants: { filed: { plan: "large" }, exempt: { plan: "large", access: { exempt: ["0.0.0.0/0"] } } },
    routes: [
      { id: "miss", match: { path: "/miss/*" }, origin: "app", cache: { ttl: "1m" }, charge: "miss" },
      { id: "cached", match: { path: "/cached/*" }, origin: "app", cache: { ttl: "1m" } },
      { id: "all", match: { path: "/*" }, origin: "app" },
    ],
    ...change,
  });

const index = () => env.TENANT_INDEX.getByName(TENANT_INDEX_OBJECT);
const tenant = (id: string) => env.TENANT.getByName(tenantCoordinator(id));
const put = (id: string, plan: string) =>
  index().upsert({ v: 1, tenants: [{ id, label: "", profile: { plan }, settings: JSON.stringify({ plan }) }] });
const suspend = (id: string, reason: string | undefined, inFile = false) =>
  index().suspend({ v: 1, id, reason, inFile });
const remove = (id: string) => index().remove({ v: 1, id });

/** Every coordinator has heard what it is to hear. */
const told = (): Promise<void> =>
  eventually(async () => {
    await runDurableObjectAlarm(index());
    const waiting = await runInDurableObject(index(), (_object, { storage }) =>
      storage.sql.exec("SELECT id FROM push").toArray(),
    );
    expect(waiting).toEqual([]);
  });

const withKeyOf = async (tenantId: string, keyId = KEY_ID) => presenting(await keyOf({ tenantId, keyId }));
const byProxy = (id: string) => ({ "x-tenant-id": id, "x-weir-proxy-secret": env.WEIR_PROXY_SECRET ?? "" });
/** Each kind of credential for a tenant. */
const CALLERS = [
  ["an API key", withKeyOf],
  ["a token", async (id: string) => bearing(await issuer.sign({ tenant: id }))],
  ["a trusted proxy", async (id: string) => ({ ...byProxy(id), "cf-connecting-ip": "192.0.2.1" })],
] as const;

describe.each(CALLERS)("a caller by %s of a tenant made through the API", (_kind, headersOf) => {
  it("gets its tenant's limits, and another plan's within 5 s", async () => {
    const clock = heldClock();
    await put("made", "small");
    const gateway = await gatewayOf();
    const headers = await headersOf("made");
    expect(await gateway.statuses(3, headers)).toEqual([200, 200, 429]);
    await put("made", "large");
    await told();
    clock.advance(5_001);
    // What was spent stays spent: the new rate fills the bucket from here.
    await gateway.send(headers);
    await gateway.settled();
    clock.advance(1_000);
    expect(await gateway.statuses(3, headers)).toEqual([200, 200, 200]);
  });

  it("is refused within 5 s when its tenant is removed, as one of a tenant that never was", async () => {
    const clock = heldClock();
    await put("made", "large");
    const gateway = await gatewayOf();
    const headers = await headersOf("made");
    expect((await gateway.send(headers)).status).toBe(200);
    await remove("made");
    await told();
    clock.advance(5_001);
    const removed = await gateway.send(headers);
    expect(removed.status).toBe(401);
    expect(await shapeOf(removed)).toEqual(await shapeOf(await gateway.send(await headersOf("nobody"))));
  });

  it("of an unknown tenant is let in within 5 s after that is made", async () => {
    const clock = heldClock();
    const gateway = await gatewayOf();
    const headers = await headersOf("made");
    expect((await gateway.send(headers)).status).toBe(401);
    await put("made", "large");
    clock.advance(5_001);
    expect((await gateway.send(headers)).status).toBe(200);
  });

  it.each(["made", "filed", "exempt"])(
    "is suspended with %s within 5 s, on every kind of route, and resumed",
    async (id) => {
      const clock = heldClock();
      if (id === "made") await put(id, "large");
      const gateway = await gatewayOf();
      const headers = await headersOf(id);
      const paths = ["/", "/miss/x", "/cached/miss/x"];
      const statuses = () => Promise.all(paths.map(async (path) => (await gateway.send(headers, path)).status));
      expect(await statuses()).toEqual([200, 200, 200]);
      await suspend(id, "unpaid", id !== "made");
      await told();
      clock.advance(5_001);
      const before = arrivals.length;
      expect(await statuses()).toEqual([403, 403, 403]);
      expect(arrivals).toHaveLength(before);
      await suspend(id, undefined, id !== "made");
      await told();
      clock.advance(5_001);
      expect(await statuses()).toEqual([200, 200, 200]);
    },
  );

  it("keeps calling by what was heard last when the tenant's coordinator does not answer, waiting for it once", async () => {
    const clock = heldClock();
    await put("made", "open");
    const gateway = await gatewayOf();
    const headers = await headersOf("made");
    expect((await gateway.send(headers)).status).toBe(200);
    gateway.cutOff("TENANT");
    clock.advance(60_000);
    expect((await gateway.send(headers)).status).toBe(200);
    const calls = gateway.calls.length;
    expect(await gateway.statuses(5, headers)).toEqual([200, 200, 200, 200, 200]);
    expect(gateway.calls).toHaveLength(calls);
  });
});

describe("a tenant made through the API", () => {
  it("is unreachable, and its callers are told to come again, where nothing is known of it and its coordinator does not answer", async () => {
    await put("made", "open");
    const gateway = await gatewayOf();
    gateway.cutOff("TENANT");
    const answer = await gateway.send(await withKeyOf("made"));
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("1");
    expect(await answer.json()).toMatchObject({ title: "Nothing is known of this tenant now" });
  });

  it("may be on another plan by a token's claim, but on none that there is not", async () => {
    await put("made", "large");
    const gateway = await gatewayOf();
    expect(await gateway.statuses(3, bearing(await issuer.sign({ tenant: "made", plan: "small" })))).toEqual([
      200, 200, 429,
    ]);
    expect((await gateway.send(bearing(await issuer.sign({ tenant: "made", plan: "gold" })))).status).toBe(401);
  });

  it("gives no key to a later one of its name, not even when that is made before anybody heard of the removal", async () => {
    await put("made", "large");
    const gateway = await gatewayOf();
    const headers = await withKeyOf("made");
    await tenant("made").createKey({ v: 1, keyId: KEY_ID });
    expect((await gateway.send(headers)).status).toBe(200);
    const push = vi.spyOn(TenantIndex.prototype, "alarm").mockResolvedValue();
    await remove("made");
    await put("made", "large");
    push.mockRestore();
    await runInDurableObject(index(), (object) => object.alarm());
    await told();
    const elsewhere = await gatewayOf();
    expect((await elsewhere.send(headers)).status).toBe(401);
    await put("made", "open");
    await told();
    expect(await tenant("made").record({ v: 1, tenantId: "made" })).toMatchObject({ profile: { plan: "open" } });
    await tenant("made").createKey({ v: 1, keyId: "fedcba9876543210" });
    const later = await gatewayOf();
    expect((await later.send(await withKeyOf("made", "fedcba9876543210"))).status).toBe(200);
  });

  it("gives no override to a later one of its name", async () => {
    await put("made", "small");
    await tenant("made").record({ v: 1, tenantId: "made" });
    const spec = { kind: "slots", slotsMicro: 1 } as const;
    await tenant("made").setOverride({ v: 1, limitId: "requests", spec, forMs: 60_000, reason: "test" });
    await remove("made");
    await told();
    expect(await tenant("made").listOverrides()).toEqual({ overrides: [] });
  });

  it("is not let in by a coordinator that cannot ask the index, which then keeps nothing wrong", async () => {
    const away = (["get", "lookup"] as const).map((method) =>
      vi.spyOn(TenantIndex.prototype, method).mockRejectedValue(new Error("away")),
    );
    const gateway = await gatewayOf();
    const headers = await withKeyOf("made");
    expect((await gateway.send(headers)).status).toBe(503);
    const standing = await runInDurableObject(tenant("made"), (_object, { storage }) =>
      storage.sql.exec("SELECT body FROM standing").toArray(),
    );
    expect(standing).toEqual([]);
    for (const method of away) method.mockRestore();
    await put("made", "large");
    expect((await gateway.send(headers)).status).toBe(200);
  });

  it("goes on with an index that is away, where its coordinator has heard of it", async () => {
    await put("made", "large");
    await (await gatewayOf()).send(await withKeyOf("made"));
    for (const method of ["get", "lookup"] as const) {
      vi.spyOn(TenantIndex.prototype, method).mockRejectedValue(new Error("away"));
    }
    expect((await (await gatewayOf()).send(await withKeyOf("made"))).status).toBe(200);
  });

  it("is not forgotten for the word of a slower call that was overtaken by a lease", async () => {
    const clock = heldClock();
    await put("made", "large");
    const gateway = await gatewayOf();
    const headers = await withKeyOf("made");
    expect((await gateway.send(headers)).status).toBe(200);
    const { profiles } = gateway.edge;
    const old = await tenant("made").record({ v: 1, tenantId: "made" });
    const { promise: overtaken, resolve: arrive } = Promise.withResolvers<unknown>();
    const site = {
      env: { ...env, WAN: { call: () => overtaken } },
      tables: gateway.edge.tables,
      waitUntil: () => undefined,
    };
    const asked = profiles.ask("made", undefined, site);
    profiles.take("made", { version: old.version + 1, revokedKeyIds: [], profile: { plan: "small" } });
    arrive(old);
    expect(await asked).toMatchObject({ kind: "found", tenant: { plan: "small" } });
    clock.advance(1);
  });

  it("stays one and the same to the limiter while nothing changes, whose leases are kept by it", async () => {
    const clock = heldClock();
    await put("made", "large");
    const gateway = await gatewayOf();
    const other = await gatewayOf();
    const { profiles } = gateway.edge;
    const find = async (tables = gateway.edge.tables) => {
      const found = await profiles.find("made", undefined, { env, tables, waitUntil: () => undefined });
      return found.kind === "found" ? found.tenant : undefined;
    };
    const first = await find();
    expect(first).toMatchObject({ id: "made", plan: "large" });
    // Meanwhile a config is on trial.
    expect(await find(other.edge.tables)).not.toBe(first);
    expect(await find()).toBe(first);
    clock.advance(5_001);
    expect(await find()).toBe(first);
  });

  it("is not asked for again with every request while its coordinator fails", async () => {
    const clock = heldClock();
    await put("made", "large");
    const gateway = await gatewayOf();
    const { profiles, tables } = gateway.edge;
    const call = vi.fn(() => Promise.reject(new Error("away")));
    const failing = { env: { ...env, WAN: { call } }, tables, waitUntil: () => undefined };
    await profiles.ask("made", undefined, { ...failing, env });
    clock.advance(60_000);
    for (let request = 0; request < 20; request++) {
      expect(await profiles.find("made", undefined, failing)).toMatchObject({ kind: "found" });
    }
    expect(call).toHaveBeenCalledTimes(1);
    clock.advance(501);
    expect(profiles.find("made", undefined, failing)).toMatchObject({ kind: "found" });
    expect(call).toHaveBeenCalledTimes(2);
  });

  it("is asked for again when the request that asked is gone", async () => {
    const clock = heldClock();
    const gateway = await gatewayOf();
    const { profiles } = gateway.edge;
    const { tables } = gateway.edge;
    const gone = {
      env: { ...env, WAN: { call: () => new Promise(() => undefined) } },
      tables,
      waitUntil: () => undefined,
    };
    const never = vi.spyOn(globalThis, "setTimeout").mockReturnValue(0 as never);
    void profiles.ask("made", undefined, gone);
    never.mockRestore();
    await put("made", "large");
    clock.advance(3_001);
    expect(await profiles.ask("made", undefined, { ...gone, env })).toMatchObject({ kind: "found" });
  });
});
