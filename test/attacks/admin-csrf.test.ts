/** Attack: a page of another site makes an operator's browser call the admin API. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { AdminSite, filled } from "../edge/admin-site.ts";

afterEach(() => reset());

const FOREIGN: readonly Record<string, string>[] = [
  { origin: "https://evil.example" },
  { origin: "null" },
  { origin: "http://gateway.example" },
  { origin: "https://gateway.example.evil.example" },
  { "sec-fetch-site": "cross-site" },
  { "sec-fetch-site": "same-site" },
  { "sec-fetch-site": "cross-site", origin: "https://gateway.example" },
];

describe("a page of another site", () => {
  it("changes nothing, by any route that takes more than a GET, even with a token", async () => {
    let site = await AdminSite.make();
    const writes = (await site.operations()).filter(({ method }) => method !== "GET");
    expect(writes.length).toBeGreaterThan(10);
    for (const { id, method, path, operation } of writes) {
      // They change nothing: one has a credential in its body, the others are about the caller's own cookie.
      expect(operation["x-weir-audited"], id).toBe(!["explainRequest", "openSession", "endSession"].includes(id));
      const body = operation.requestBody?.content["application/json"]?.example ?? {};
      // With an isolate, and so a bucket of calls, of its own.
      site = await AdminSite.make();
      for (const headers of FOREIGN) {
        const answer = await site.ask(filled(path), { method, headers, body });
        expect([id, answer.status, answer.json["type"]]).toEqual([id, 403, "urn:weir:problem:admin:cross-site"]);
      }
    }
    expect((await site.call("GET", "/audit")).json["entries"]).toEqual([]);
    expect((await site.call("GET", "/tenants/acme/keys")).json["keys"]).toEqual([]);
  });

  it("reads nothing: no answer, to a preflight least of all, lets another site in", async () => {
    const site = await AdminSite.make();
    for (const { path } of await site.operations()) {
      for (const token of [null, undefined]) {
        const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
        const preflight = await site.ask(filled(path), {
          method: "OPTIONS",
          headers,
          ...(token === null ? { token } : {}),
        });
        expect(preflight.status).toBe(404);
        const read = await site.ask(filled(path), { headers, ...(token === null ? { token } : {}) });
        for (const answer of [preflight, read]) {
          expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
        }
      }
    }
  });

  it("has no cookie to ride on: none is set, none is looked at", async () => {
    const site = await AdminSite.make();
    const answer = await site.ask("/_weir/api/v1/status", { token: null, headers: { cookie: "weir=1; token=1" } });
    expect(answer.status).toBe(404);
    expect((await site.call("GET", "/status")).headers.get("set-cookie")).toBeNull();
  });

  it("is told from our own: a page of the gateway's, and what is no browser", async () => {
    const site = await AdminSite.make();
    for (const headers of [{}, { origin: "https://gateway.example", "sec-fetch-site": "same-origin" }]) {
      expect((await site.call("POST", "/tenants/acme/keys", {}, { headers })).status).toBe(201);
    }
  });
});
