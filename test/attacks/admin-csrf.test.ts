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

  it("cannot ride on a session: no read, no write, no WebSocket of another site, or by a form", async () => {
    const site = await AdminSite.make();
    site.bindings = { ...site.bindings, WEIR_ADMIN_PAGES: "open" };
    const opened = await site.call("POST", "/session");
    const cookie = (opened.headers.get("set-cookie") ?? "").split(";", 1)[0] ?? "";
    const own = { cookie, origin: "https://gateway.example", "content-type": "application/json" };
    const write = (headers: Record<string, string>) =>
      site.call("POST", "/tenants/acme/keys", {}, { token: null, headers });
    expect((await write(own)).status).toBe(201);
    for (const headers of FOREIGN) {
      expect((await write({ ...own, ...headers })).status, JSON.stringify(headers)).toBe(404);
      const read = await site.call("GET", "/status", undefined, { token: null, headers: { cookie, ...headers } });
      expect(read.status).toBe(404);
    }
    // Without a word of where it comes from, or in a form that a page may send without asking: it is somebody's, not ours.
    const { origin: _origin, ...silent } = own;
    for (const headers of [silent, { ...own, "content-type": "text/plain" }, { ...own, "content-type": "" }]) {
      const answer = await write(headers);
      expect([answer.status, answer.json["type"]]).toEqual([403, "urn:weir:problem:admin:cross-site"]);
    }
    expect((await site.call("GET", "/tenants/acme/keys")).json["keys"]).toHaveLength(1);
  });

  it("has no cookie to ride on where an origin is served: none is set, none is looked at", async () => {
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
