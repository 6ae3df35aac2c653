/** Attack: the admin API's answers are framed, sniffed, kept by a cache, or their address leaks by a referrer. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { AdminSite, type Answer, filled } from "../edge/admin-site.ts";

afterEach(() => reset());

/** What the dashboard shows in a frame of its own. */
const FRAMED = "showPage";

function expectSecured(what: string, { headers, status }: Answer): void {
  const policy = headers.get("content-security-policy") ?? "";
  const framed = what.startsWith(FRAMED) && status === 200;
  expect(policy, what).toContain("default-src 'none'");
  expect(policy, what).toContain(framed ? "frame-ancestors 'self'; sandbox" : "frame-ancestors 'none'");
  expect(policy, what).not.toMatch(/unsafe|script-src|\*|allow-/);
  expect(headers.get("x-frame-options"), what).toBe(framed ? "SAMEORIGIN" : "DENY");
  expect(headers.get("x-content-type-options"), what).toBe("nosniff");
  expect(headers.get("cache-control"), what).toBe("no-store");
  expect(headers.get("content-type"), what).not.toBeNull();
  expect(headers.get("referrer-policy"), what).toBe("no-referrer");
}

describe("an answer of the admin API", () => {
  it("cannot be framed, sniffed or kept, whether it is a success, a refusal or a page", async () => {
    const site = await AdminSite.make();
    const { token } = await site.makeToken({ role: "reader" });
    for (const { id, method, path } of await site.operations()) {
      const body = method === "GET" ? {} : { body: {} };
      expectSecured(id, await site.ask(filled(path), { method, ...body }));
      expectSecured(`${id} by a reader`, await site.ask(filled(path), { method, token, ...body }));
      expectSecured(`${id} with a query`, await site.ask(`${filled(path)}?x=1`, { method, ...body }));
    }
    for (const path of ["/_weir/livez", "/_weir/readyz", "/_weir/api/", "/_weir/api/openapi.json", "/_weir/nowhere"]) {
      expectSecured(path, await site.ask(path));
    }
  });

  it("that is the dashboard runs its own files alone, and is framed by nobody", async () => {
    const site = await AdminSite.make();
    const connect = (): never => {
      throw new Error("it is files alone");
    };
    const files = { fetch: () => Promise.resolve(new Response("file")), connect };
    site.bindings = { ...site.bindings, WEIR_ADMIN_PAGES: "open", ASSETS: files };
    const page = await site.ask("/_weir/", { token: null });
    expect([page.status, page.text]).toEqual([200, "file"]);
    const policy = page.headers.get("content-security-policy") ?? "";
    const said = policy.split("; ").map((part) => part.split(" "));
    const sources = Object.fromEntries(said.map(([name, ...values]) => [name, values.join(" ")]));
    expect(sources).toEqual({
      "default-src": "'none'",
      "script-src": "'self'",
      "style-src": "'self'",
      "connect-src": "'self'",
      "img-src": "'self' data:",
      "frame-src": "'self'",
      "frame-ancestors": "'none'",
      "base-uri": "'none'",
      "form-action": "'none'",
    });
    for (const name of ["x-frame-options", "cache-control", "x-content-type-options", "referrer-policy"]) {
      expect(page.headers.get(name)).toMatch(/^(DENY|no-store|nosniff|no-referrer)$/);
    }
    const script = await site.ask("/_weir/assets/dashboard-ABCDEFGH.js", { token: null });
    expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(script.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    for (const path of ["assets/../secret.js", "assets/x.js", "assets/dashboard-ABCDEFGH.js.map", "index.html"]) {
      expect((await site.ask(`/_weir/${path}`, { token: null })).status, path).toBe(404);
    }
    expect((await site.ask("/_weir/", { token: null, method: "POST" })).status).toBe(405);
  });

  it("that is a page runs no script, loads nothing, and shows markup as text", async () => {
    const site = await AdminSite.make();
    const page = await site.ask("/_weir/api/");
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.text).toMatch(/^<!doctype html>/);
    expect(page.text).not.toMatch(
      /<script|<iframe|<img|<form| on\w+=|javascript:| (href|src|action)="(?!#|\/_weir\/|data:,")/i,
    );
    for (const { id, path } of await site.operations()) {
      expect(page.text, id).toContain(`id="${id}"`);
      expect(page.text, id).toContain(path);
    }
  });
});
