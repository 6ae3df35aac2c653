/** Attack: CR, LF, NUL and escapes in values that come out again in headers, logs, metrics, histories or a terminal. */
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AdminSite } from "../edge/admin-site.ts";

const EVIL = [
  "\r\nset-cookie: a=b",
  "\nweir_up 1",
  "\u0000",
  "\u001b[2J\u001b]0;x\u0007",
  "\u2028\u2029",
  "\u202e",
  "\u007f\u0085",
] as const;
let logged = "";

beforeEach(() => {
  logged = "";
  for (const method of ["log", "info", "warn", "error"] as const) {
    vi.spyOn(console, method).mockImplementation((...words: unknown[]) => {
      logged += `${words.map(String).join(" ")}\n`;
    });
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

describe.each(EVIL)("%j", (evil) => {
  it("in a body comes out as JSON at most, and in no header and no line of its own", async () => {
    const site = await AdminSite.make();
    const value = `before${evil}after`;
    const calls: readonly [string, string, unknown][] = [
      ["POST", "/tokens", { label: value, role: "reader" }],
      ["POST", "/tenants/acme/keys", { label: value }],
      ["PUT", "/tenants/evil", { plan: "open", label: value }],
      ["PUT", "/tenants/acme/overrides/requests", { burst: 5, forMs: 60_000, reason: value }],
      ["POST", "/breakers/app/trip", { state: "open", reason: value, by: value.slice(0, 60), forMs: 60_000 }],
      ["POST", "/tenants/acme/suspend", { reason: value }],
      ["PUT", "/maintenance/origins/app", { forMs: 60_000, reason: value }],
      ["GET", "/status", undefined],
      ["GET", "/audit", undefined],
      ["GET", "/tenants", undefined],
      ["GET", "/breakers/app", undefined],
      ["GET", "/tenants/acme/keys", undefined],
    ];
    for (const [method, path, body] of calls) {
      const answer = await site.call(method, path, body);
      expect([path, answer.status < 500], answer.text).toEqual([path, true]);
      // What is in JSON is escaped there: nothing raw of these is left to act on anything.
      // oxlint-disable-next-line no-control-regex -- they are what is looked for
      expect(/[\u0000-\u001f]/.test(answer.text), path).toBe(false);
      for (const [name, field] of answer.headers) expect(`${name}${field}`).not.toContain("after");
    }
    const metrics = await site.ask("/_weir/metrics");
    expect(metrics.text).not.toContain("after");
    for (const line of logged.split("\n").filter((text) => text !== "")) expect(() => JSON.parse(line)).not.toThrow();
  });

  it("in a path, a query or an If-Match names nothing, and is answered in JSON", async () => {
    const site = await AdminSite.make();
    const encoded = encodeURIComponent(evil);
    for (const path of [
      `/tenants/${encoded}/keys`,
      `/breakers/${encoded}`,
      `/audit?actor=${encoded}`,
      `/configs/${encoded}`,
      `/tenants?search=${encoded}`,
    ]) {
      const answer = await site.call("GET", path);
      expect([path, [200, 400, 404].includes(answer.status)], answer.text).toEqual([path, true]);
      // oxlint-disable-next-line no-control-regex -- they are what is looked for
      expect(/[\u0000-\u001f]/.test(answer.text), path).toBe(false);
    }
  });
});
