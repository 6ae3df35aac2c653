import { env } from "cloudflare:workers";
import { createExecutionContext, reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { Admin, isAdminPath } from "../../src/admin/admin.ts";
import { compileTables } from "../../src/config/compile.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Env } from "../../src/platform/bindings.ts";

const TOKEN = "test-admin-token-0123456789abcdef0123456";
afterEach(() => reset());

async function admin(): Promise<Admin> {
  const loaded = await loadConfig(
    JSON.stringify({
      version: 1,
      origins: { app: { url: "https://app.example" } },
      identity: [{ type: "anonymous", plan: "open" }],
      plans: { open: { limits: { requests: { rate: "5/s", burst: 10 } } } },
      tenants: { acme: { plan: "open" } },
      routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
    }),
    { configVersion: 1, readPage: async () => undefined },
  );
  if (!loaded.ok) throw new Error("config");
  return new Admin({ tables: compileTables(loaded.config), now: Date.now });
}

async function ask(
  target: Admin,
  path: string,
  init: RequestInit = {},
  bindings: Env = env,
): Promise<{ status: number; text: string; type: string }> {
  const request = new Request(`https://gateway.example${path}`, init);
  const response = await target.handle(request, bindings, createExecutionContext());
  return { status: response.status, text: await response.text(), type: response.headers.get("content-type") ?? "" };
}

const bearer = (token: string): RequestInit => ({ headers: { authorization: `Bearer ${token}` } });

describe("the admin API", () => {
  it("is found under /_weir/ and nowhere else", () => {
    expect(isAdminPath("https://h/_weir/livez")).toBe(true);
    for (const path of ["/_weir", "/x/_weir/livez", "/?/_weir/", "/_WEIR/livez"])
      expect(isAdminPath(`https://h${path}`)).toBe(false);
  });

  it("says without a token that it lives and whether it is ready, and nothing else", async () => {
    const target = await admin();
    expect((await ask(target, "/_weir/livez")).status).toBe(200);
    expect((await ask(target, "/_weir/readyz")).status).toBe(200);
    const hidden = await ask(target, "/_weir/api/v1/status");
    const nowhere = await ask(target, "/_weir/no/such/path");
    expect([hidden.status, nowhere.status]).toEqual([404, 404]);
    expect(hidden.text).toBe(nowhere.text);
  });

  it("is closed to everybody when no token is set, or a short one", async () => {
    const target = await admin();
    for (const token of [undefined, "", "short"]) {
      const { WEIR_ADMIN_TOKEN: _token, ...rest } = env;
      const bindings: Env = token === undefined ? rest : { ...rest, WEIR_ADMIN_TOKEN: token };
      expect((await ask(target, "/_weir/api/v1/status", bearer(token ?? ""), bindings)).status).toBe(404);
      expect((await ask(target, "/_weir/readyz", {}, bindings)).status).toBe(503);
    }
  });

  it("tells who tries many wrong tokens to wait, and never locks the right one out", async () => {
    const target = await admin();
    const statuses: number[] = [];
    for (let index = 0; index < 15; index++) {
      statuses.push((await ask(target, "/_weir/api/v1/status", bearer(`${TOKEN}${index}`))).status);
    }
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 404), ...Array.from({ length: 5 }, () => 429)]);
    expect((await ask(target, "/_weir/api/v1/status", bearer(TOKEN))).status).toBe(200);
  });

  it("makes, lists and revokes keys; refuses bodies it does not understand, and tenants it does not know", async () => {
    const target = await admin();
    const keys = "/_weir/api/v1/tenants/acme/keys";
    const post = (body: string): RequestInit => ({ method: "POST", body, ...bearer(TOKEN) });
    const created = await ask(target, keys, post('{"label":"ci"}'));
    expect(created.status).toBe(201);
    const { keyId, key } = JSON.parse(created.text) as { keyId: string; key: string };
    const listed = await ask(target, keys, bearer(TOKEN));
    expect(listed.text).toContain(keyId);
    expect(listed.text).not.toContain(key);
    expect((await ask(target, `${keys}/${keyId}`, { method: "DELETE", ...bearer(TOKEN) })).status).toBe(200);
    expect((await ask(target, keys, post("{"))).status).toBe(400);
    expect((await ask(target, keys, post('{"label":5}'))).text).toContain("label");
    expect((await ask(target, keys, post('{"role":"admin"}'))).status).toBe(400);
    expect((await ask(target, keys, post("x".repeat(20_000)))).status).toBe(413);
    expect((await ask(target, "/_weir/api/v1/tenants/nobody/keys", bearer(TOKEN))).text).toContain("valid: acme");
  });

  it("gives counters in Prometheus' format", async () => {
    const counters = { 'weir_requests_total{route="all",outcome="origin"}': 3 };
    await env.METRICS.getByName("metrics:0").flush({ v: 1, edgeId: "e", seq: 1, counters });
    const metrics = await ask(await admin(), "/_weir/metrics", bearer(TOKEN));
    expect(metrics.type).toContain("text/plain; version=0.0.4");
    expect(metrics.text).toContain(
      '# TYPE weir_requests_total counter\nweir_requests_total{route="all",outcome="origin"} 3\n',
    );
  });
});
