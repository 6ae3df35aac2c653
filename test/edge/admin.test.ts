import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { isAdminRequest } from "../../src/admin/admin.ts";
import { metricsObjectName } from "../../src/protocol/metrics.ts";
import { flushOfRequests } from "../support/metrics-flush.ts";
import { AdminSite, API, TOKEN } from "./admin-site.ts";

afterEach(() => reset());

describe("the admin API", () => {
  it("is found under /_weir/ and nowhere else", () => {
    expect(isAdminRequest("https://h/_weir/livez", env)).toBe(true);
    for (const path of ["/_weir", "/x/_weir/livez", "/?/_weir/", "/_WEIR/livez"])
      expect(isAdminRequest(`https://h${path}`, env)).toBe(false);
  });

  it("says without a token that it lives and whether it is ready, and nothing else", async () => {
    const site = await AdminSite.make();
    expect((await site.ask("/_weir/livez", { token: null })).status).toBe(200);
    expect((await site.ask("/_weir/readyz", { token: null })).status).toBe(200);
    expect((await site.ask(`${API}/status`, { token: null })).status).toBe(404);
  });

  it("is closed to everybody when no token is set, or a short one", async () => {
    const site = await AdminSite.make();
    for (const token of [undefined, "", "short"]) {
      const { WEIR_ADMIN_TOKEN: _token, ...rest } = env;
      site.bindings = token === undefined ? rest : { ...rest, WEIR_ADMIN_TOKEN: token };
      expect((await site.ask(`${API}/status`, { token: token ?? "" })).status).toBe(404);
      expect((await site.ask("/_weir/readyz", { token: null })).status).toBe(503);
    }
  });

  it("makes, lists and revokes keys; refuses bodies it does not understand, and tenants it does not know", async () => {
    const site = await AdminSite.make();
    const keys = "/tenants/acme/keys";
    const created = await site.call("POST", keys, { label: "ci" });
    expect(created.status).toBe(201);
    const { keyId, key } = created.json as { keyId: string; key: string };
    const listed = await site.call("GET", keys);
    expect(listed.text).toContain(keyId);
    expect(listed.text).not.toContain(key);
    expect((await site.call("DELETE", `${keys}/${keyId}`)).status).toBe(200);
    expect((await site.call("POST", keys, "{")).status).toBe(400);
    expect((await site.call("POST", keys, { label: 5 })).text).toContain("label");
    expect((await site.call("POST", keys, { role: "admin" })).status).toBe(400);
    expect((await site.call("POST", keys, "x".repeat(20_000))).status).toBe(413);
    expect((await site.call("GET", "/tenants/nobody/keys")).text).toContain("valid: acme, globex");
  });

  it("refuses query parameters it does not know, or that come twice", async () => {
    const site = await AdminSite.make();
    expect((await site.call("GET", "/audit?limit=5")).status).toBe(200);
    expect((await site.call("GET", "/audit?limt=5")).status).toBe(400);
    expect((await site.call("GET", "/audit?limit=5&limit=6")).text).toContain("given more than once");
    expect((await site.call("GET", "/audit?cursor=x")).status).toBe(400);
  });

  it("gives counters in Prometheus' format", async () => {
    for (const shard of [0, 3]) await env.METRICS.getByName(metricsObjectName(shard)).flush(flushOfRequests(3));
    const site = await AdminSite.make();
    const metrics = await site.ask("/_weir/metrics", { token: TOKEN });
    expect(metrics.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    expect(metrics.text).toContain(
      '# TYPE weir_requests_total counter\nweir_requests_total{origin="app",route="all",outcome="origin"} 6\n',
    );
  });
});

describe("a token that was made", () => {
  it("does what its role may, in the tenants it is for, and is not shown again", async () => {
    const site = await AdminSite.make();
    const { token, tokenId } = await site.makeToken({ label: "ci", role: "operator", tenants: ["acme"] });
    const override = { rate: "9/s", forMs: 60_000, reason: "a test" };
    const set = (tenant: string) => site.call("PUT", `/tenants/${tenant}/overrides/requests`, override, { token });
    expect((await set("acme")).status).toBe(200);
    expect((await set("globex")).status).toBe(403);
    expect((await site.call("POST", "/tenants/acme/keys", {}, { token })).json["type"]).toContain("role-missing");
    const listed = await site.call("GET", "/tokens");
    expect(listed.json).toMatchObject({ tokens: [{ tokenId, label: "ci", role: "operator", tenants: ["acme"] }] });
    expect(listed.text).not.toContain(token.slice(-22));
  });

  it("is refused within five seconds of its revocation on an isolate that knew it, and at once on one that did not", async () => {
    const site = await AdminSite.make();
    const { token, tokenId } = await site.makeToken({ role: "reader" });
    let nowMs = Date.now();
    Object.assign(site.edge, { now: () => nowMs });
    const status = async (at: AdminSite) => (await at.call("GET", "/status", undefined, { token })).status;
    expect(await status(site)).toBe(200);
    expect((await site.call("DELETE", `/tokens/${tokenId}`)).status).toBe(200);
    expect(await status(await AdminSite.make())).toBe(404);
    nowMs += 3_999;
    expect(await status(site)).toBe(200);
    nowMs += 1;
    expect(await status(site)).toBe(404);
  });

  it("ends when its time is over, to the millisecond, even where it is remembered", async () => {
    const site = await AdminSite.make();
    const { token } = await site.makeToken({ role: "reader", forMs: 1_000 });
    let nowMs = Date.now();
    Object.assign(site.edge, { now: () => nowMs });
    expect((await site.call("GET", "/status", undefined, { token })).status).toBe(200);
    await expect
      .poll(
        async () => {
          nowMs = Date.now();
          return (await site.call("GET", "/status", undefined, { token })).status;
        },
        { timeout: 10_000 },
      )
      .toBe(404);
  });

  it("says when it was used, to within minutes", async () => {
    const site = await AdminSite.make();
    const { token } = await site.makeToken({ role: "reader" });
    const lastUse = async () =>
      ((await site.call("GET", "/tokens")).json["tokens"] as { lastUsedAtMs: unknown }[])[0]?.lastUsedAtMs;
    expect(await lastUse()).toBeNull();
    await site.call("GET", "/status", undefined, { token });
    expect(Number(await lastUse())).toBeGreaterThan(Date.now() - 60_000);
  });

  it("cannot be used while the Control object is out of reach, while the deployment's can", async () => {
    const site = await AdminSite.make();
    const { token } = await site.makeToken({ role: "reader" });
    const call = async (kind: string, name: string, method: string, argument: unknown): Promise<unknown> => {
      if (kind === "CONTROL") throw new Error("away");
      const stub = env[kind as "ORIGIN"].getByName(name) as unknown as Record<string, (a: unknown) => Promise<unknown>>;
      return stub[method]?.(argument);
    };
    site.bindings = { ...env, WAN: { call } };
    expect((await site.call("GET", "/breakers/app", undefined, { token })).status).toBe(503);
    expect((await site.call("GET", "/breakers/app")).status).toBe(200);
    // No write without its entry in the audit.
    expect((await site.call("POST", "/breakers/app/trip", { reason: "x" })).status).toBe(503);
    site.bindings = env;
    expect((await site.call("GET", "/breakers/app")).json["forced"]).toBeNull();
  });

  it("may not be called root, and comes in pages of the newest first", async () => {
    const site = await AdminSite.make();
    expect((await site.call("POST", "/tokens", { label: "Root", role: "reader" })).status).toBe(400);
    for (const label of ["a", "b", "c"]) await site.makeToken({ label, role: "reader" });
    const seen: string[] = [];
    let cursor = "";
    for (let page = 0; page < 3; page++) {
      const { json } = await site.call("GET", `/tokens?limit=1${cursor}`);
      const { tokens, next } = json as { tokens: { label: string }[]; next: string | null };
      seen.push(...tokens.map(({ label }) => label));
      cursor = `&cursor=${next ?? ""}`;
      expect(next === null).toBe(page === 2);
    }
    expect(seen.toSorted()).toEqual(["a", "b", "c"]);
  });
});

describe("the audit", () => {
  it("has every write with who, what, before, after and outcome; and what was refused", async () => {
    const site = await AdminSite.make();
    const { token, tokenId } = await site.makeToken({ label: "night shift", role: "operator" });
    const trip = { reason: "deploy went wrong", by: "ann" };
    const from = "192.0.2.7";
    expect((await site.call("POST", "/breakers/app/trip", trip, { token, from })).status).toBe(200);
    expect((await site.call("DELETE", "/tenants/acme/overrides/requests", undefined, { token })).status).toBe(404);
    const { entries } = (await site.call("GET", "/audit")).json as { entries: Record<string, unknown>[] };
    expect(entries).toMatchObject([
      { operation: "removeOverride", outcome: "refused", status: 404, params: { tenant: "acme", limit: "requests" } },
      {
        operation: "tripBreaker",
        actor: { id: tokenId, name: "night shift", role: "operator" },
        params: { origin: "app" },
        outcome: "done",
        status: 200,
        client: from,
        before: { state: "closed", forced: null },
        after: { forced: { reason: "deploy went wrong", by: `night shift ${tokenId} (ann)` } },
      },
      { operation: "createToken", actor: { id: "root", name: "root" }, outcome: "done", after: { tokenId } },
    ]);
    for (const { requestId } of entries) expect(requestId).toMatch(/^[0-9a-f]{24}$/);
  });

  it("is filtered, and read in pages", async () => {
    const site = await AdminSite.make();
    for (const tenant of ["acme", "globex", "acme"]) await site.call("POST", `/tenants/${tenant}/keys`, {});
    const page = async (query: string) =>
      (await site.call("GET", `/audit?${query}`)).json as { entries: { entryId: number }[]; next: string | null };
    expect((await page("tenant=acme")).entries).toHaveLength(2);
    expect((await page("operation=revokeKey")).entries).toHaveLength(0);
    expect((await page("actor=root&outcome=done")).entries).toHaveLength(3);
    const first = await page("limit=2");
    expect(first.entries).toHaveLength(2);
    const second = await page(`limit=2&cursor=${first.next ?? ""}`);
    expect(second.entries).toHaveLength(1);
    expect(second.next).toBeNull();
  });

  it("keeps a trace of a write whose end nobody saw", async () => {
    const site = await AdminSite.make();
    const call = async (kind: string, name: string, method: string, argument: unknown): Promise<unknown> => {
      if (method === "endWrite") throw new Error("the isolate is gone");
      const stub = env[kind as "ORIGIN"].getByName(name) as unknown as Record<string, (a: unknown) => Promise<unknown>>;
      return stub[method]?.(argument);
    };
    site.bindings = { ...env, WAN: { call } };
    await site.call("POST", "/tenants/acme/keys", {});
    await site.call("POST", "/tokens", { label: "x", role: "reader" });
    site.bindings = env;
    const { entries } = (await site.call("GET", "/audit")).json as { entries: unknown[] };
    // A token is made in the same transaction as its entry, a key in another object.
    expect(entries).toMatchObject([
      { operation: "createToken", outcome: "done" },
      { operation: "createKey", outcome: "unfinished" },
    ]);
  });
});

describe("a call with an Idempotency-Key", () => {
  const keys = "/tenants/acme/keys";
  const once = (key: string) => ({ headers: { "idempotency-key": key } });

  it("makes one thing, and gets the same reply again; another request under that key is refused", async () => {
    const site = await AdminSite.make();
    const first = await site.call("POST", keys, { label: "a" }, once("k1"));
    const again = await (await AdminSite.make()).call("POST", keys, { label: "a" }, once("k1"));
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.text).toBe(first.text);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await site.call("POST", keys, { label: "b" }, once("k1"))).status).toBe(422);
    expect((await site.call("GET", keys)).json["keys"]).toHaveLength(1);
    await site.call("POST", keys, { label: "a" }, once("k2"));
    expect((await site.call("GET", keys)).json["keys"]).toHaveLength(2);
  });

  it("is of the token that makes it: another's key of the same name is another call", async () => {
    const site = await AdminSite.make();
    const { token } = await site.makeToken({ role: "admin" });
    const mine = await site.call("POST", keys, {}, once("k"));
    const theirs = await site.call("POST", keys, {}, { token, ...once("k") });
    expect(theirs.status).toBe(201);
    expect(theirs.text).not.toBe(mine.text);
  });

  it("that was refused can be tried again", async () => {
    const site = await AdminSite.make();
    const body = { scopes: ["route:nowhere"] };
    expect((await site.call("POST", keys, body, once("k"))).status).toBe(400);
    expect((await site.call("POST", keys, body, once("k"))).status).toBe(400);
  });

  it("is never done again when nobody knows how it ended", async () => {
    const site = await AdminSite.make();
    const call = async (kind: string, name: string, method: string, argument: unknown): Promise<unknown> => {
      const stub = env[kind as "ORIGIN"].getByName(name) as unknown as Record<string, (a: unknown) => Promise<unknown>>;
      const reply = await stub[method]?.(argument);
      if (method === "createKey") throw new Error("the reply is lost");
      return reply;
    };
    site.bindings = { ...env, WAN: { call } };
    expect((await site.call("POST", keys, {}, once("k"))).status).toBe(503);
    site.bindings = env;
    const again = await site.call("POST", keys, {}, once("k"));
    expect(again.json["type"]).toBe("urn:weir:problem:admin:idempotency-unfinished");
    expect((await site.call("GET", keys)).json["keys"]).toHaveLength(1);
  });
});
