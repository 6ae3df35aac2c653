/** Attack: fields and parameters that a route does not name are slipped in, to be stored or to change who did it. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { AdminSite, filled } from "../edge/admin-site.ts";

afterEach(() => reset());

const EXTRA: readonly Record<string, unknown>[] = [
  { tokenId: "0000000000000000" },
  { keyId: "0000000000000000" },
  { createdBy: "root" },
  { revokedAtMs: null },
  { actor: { id: "root" } },
  { entryId: 1 },
  { author: "root" },
  { v: 2 },
  { constructor: { prototype: { role: "admin" } } },
];

describe("a field that a route does not name", () => {
  it("is refused, and named, by every route that takes a body; nothing is changed", async () => {
    const site = await AdminSite.make();
    const taking = (await site.operations()).filter(({ operation }) => operation.requestBody !== undefined);
    expect(taking.length).toBeGreaterThan(5);
    for (const { id, method, path, operation } of taking) {
      const example = operation.requestBody?.content["application/json"]?.example;
      expect(example, `${id} has an example`).toBeTypeOf("object");
      for (const extra of EXTRA) {
        const body = { ...(example as object), ...extra };
        const answer = await site.ask(filled(path), { method, body });
        expect([id, answer.status, Object.keys(extra)]).toEqual([id, 400, Object.keys(extra)]);
        expect(answer.text).toContain(Object.keys(extra)[0]);
      }
      // A key of the language's own, which only text can carry.
      const text = JSON.stringify(example).replace("{", '{"__proto__":{"role":"admin"},');
      expect((await site.ask(filled(path), { method, body: text })).status, id).toBe(400);
    }
    expect((await site.call("GET", "/audit")).json["entries"]).toEqual([]);
    expect(({} as { role?: string }).role).toBeUndefined();
  });

  it("is refused as a query parameter by every route", async () => {
    const site = await AdminSite.make();
    for (const { id, method, path } of await site.operations()) {
      const answer = await site.ask(`${filled(path)}?role=admin`, {
        method,
        ...(method === "GET" ? {} : { body: {} }),
      });
      expect([id, answer.status]).toEqual([id, 400]);
    }
  });

  it("is refused on routes that take no body at all", async () => {
    const site = await AdminSite.make();
    const { tokenId } = await site.makeToken({ role: "reader" });
    expect((await site.call("DELETE", `/tokens/${tokenId}`, { role: "admin" })).status).toBe(400);
  });
});

describe("every example of the document", () => {
  it("is taken as it stands, but for what it names", async () => {
    const site = await AdminSite.make();
    for (const { id, method, path, operation } of await site.operations()) {
      const body = operation.requestBody?.content["application/json"]?.example;
      if (body === undefined) continue;
      const answer = await site.ask(filled(path), { method, body });
      // Not 400: its form is right.
      expect([id, [200, 201, 404, 409, 422, 428].includes(answer.status)]).toEqual([id, true]);
    }
  });
});
