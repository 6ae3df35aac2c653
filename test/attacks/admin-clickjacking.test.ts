/** Attack: the admin API's answers are framed, sniffed, kept by a cache, or their address leaks by a referrer. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { AdminSite, type Answer, filled } from "../edge/admin-site.ts";

afterEach(() => reset());

function expectSecured(what: string, { headers }: Answer): void {
  const policy = headers.get("content-security-policy") ?? "";
  expect(policy, what).toContain("default-src 'none'");
  expect(policy, what).toContain("frame-ancestors 'none'");
  expect(policy, what).not.toMatch(/unsafe|script-src|\*/);
  expect(headers.get("x-frame-options"), what).toBe("DENY");
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
