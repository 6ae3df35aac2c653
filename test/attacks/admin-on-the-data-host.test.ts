/** Attack: the admin API is looked for on a host that serves traffic. */
import { createExecutionContext, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { isAdminRequest } from "../../src/admin/admin.ts";
import { handle } from "../../src/edge/pipeline.ts";
import { AdminSite, filled, TOKEN } from "../edge/admin-site.ts";

afterEach(() => reset());

const NARROW = { routes: [{ id: "shop", match: { path: "/shop/*" }, origin: "app" }] };

interface Seen {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly text: string;
}

/** All of an answer, without the id that each one has. */
async function seen(response: Response): Promise<Seen> {
  const id = response.headers.get("weir-request-id") ?? "";
  expect(id).toMatch(/^[0-9a-f]{24}$/);
  const text = await response.text();
  const headers = [...response.headers].map(([name, value]) => [name, value.replaceAll(id, "ID")] as const);
  return { status: response.status, headers, text: text.replaceAll(id, "ID") };
}

describe("an admin path without a token that holds", () => {
  it("is answered byte for byte as a path that does not exist: every route, method and form of answer", async () => {
    const site = await AdminSite.make(NARROW);
    const operations = await site.operations();
    const paths = [
      ...new Set([
        ...operations.map(({ path }) => filled(path)),
        "/_weir/api/",
        "/_weir/api/openapi.json",
        "/_weir/",
        "/_weir/x",
      ]),
    ];
    const forms: Record<string, string>[] = [
      { accept: "text/html", "accept-language": "de" },
      { accept: "application/json", authorization: "Bearer wrong" },
      { authorization: `Bearer ${TOKEN}x`, "if-match": '"1"', origin: "https://evil.example" },
      { authorization: `Basic ${btoa("admin:admin")}` },
      {},
    ];
    for (const [index, path] of paths.entries()) {
      for (const [turn, method] of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"].entries()) {
        for (const form of forms) {
          const headers = { ...form, "cf-connecting-ip": `192.0.${turn}.${index}` };
          const make = (at: string) => new Request(`https://gateway.example${at}`, { method, headers });
          const [hidden, nowhere] = await Promise.all([
            site.admin.handle(make(path), env, createExecutionContext()).then(seen),
            Promise.resolve(handle(site.edge, make("/nowhere"), env, createExecutionContext())).then(seen),
          ]);
          expect(hidden, `${method} ${path}`).toEqual(nowhere);
          expect(hidden.status).toBe(404);
        }
      }
    }
  });

  it("never reaches an origin, with or without its token, even where a route takes every path", async () => {
    const site = await AdminSite.make();
    expect((await site.ask("/_weir/api/v1/nowhere", { token: "wrong" })).json["type"]).toBe(
      "urn:weir:problem:no-route",
    );
    expect((await site.ask("/_weir/api/v1/nowhere")).json["type"]).toBe("urn:weir:problem:admin:not-found");
  });
});

describe("with a host of its own", () => {
  const HOST = "https://admin.internal";
  async function apart(): Promise<AdminSite> {
    const site = await AdminSite.make();
    site.bindings = { ...env, WEIR_ADMIN_HOST: "admin.internal" };
    return site;
  }

  it("the admin API is there and nowhere else, whatever token is shown", async () => {
    const site = await apart();
    expect((await site.ask("/_weir/api/v1/status", { origin: HOST })).status).toBe(200);
    for (const origin of [
      "https://gateway.example",
      "https://admin.internal.evil.example",
      "https://xadmin.internal",
    ]) {
      const answer = await site.ask("/_weir/api/v1/status", {
        origin,
        headers: { "x-forwarded-host": "admin.internal" },
      });
      expect([answer.status, answer.json["type"]]).toEqual([404, "urn:weir:problem:no-route"]);
    }
  });

  it("that host serves nothing else, and says that a token is needed", async () => {
    const site = await apart();
    expect(isAdminRequest(`${HOST}/shop/boots`, site.bindings)).toBe(true);
    expect(isAdminRequest("https://gateway.example/shop/boots", site.bindings)).toBe(false);
    expect((await site.ask("/shop/boots", { origin: HOST })).json["type"]).toBe("urn:weir:problem:no-route");
    const root = await site.ask("/", { origin: HOST, token: null, redirect: "manual" });
    expect([root.status, root.headers.get("location")]).toEqual([302, `${HOST}/_weir/`]);
    const asked = await site.ask("/_weir/api/v1/status", { origin: HOST, token: null });
    expect([asked.status, asked.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="weir-admin"']);
  });

  it("health is on every host, and the reference there for everybody", async () => {
    const site = await apart();
    for (const origin of [HOST, "https://gateway.example"]) {
      expect((await site.ask("/_weir/livez", { origin, token: null })).status).toBe(200);
    }
    expect((await site.ask("/_weir/api/", { origin: HOST, token: null })).status).toBe(200);
    expect((await site.ask("/_weir/api/", { token: null })).status).toBe(404);
  });
});
