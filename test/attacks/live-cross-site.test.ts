/** Attack: a page of another site opens the live WebSocket by an operator's browser. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Monitor } from "../../src/coordinators/monitor/object.ts";
import { AdminSite } from "../edge/admin-site.ts";
import { askToWatch } from "../edge/watching.ts";

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

const FOREIGN: readonly Record<string, string>[] = [
  { origin: "https://evil.example" },
  { origin: "null" },
  { origin: "http://gateway.example" },
  { origin: "https://gateway.example.evil.example" },
  { "sec-fetch-site": "cross-site" },
  { "sec-fetch-site": "same-site", origin: "https://gateway.example" },
];

async function loggedIn(): Promise<{ readonly site: AdminSite; readonly cookie: string }> {
  const site = await AdminSite.make();
  site.bindings = { ...env, WEIR_ADMIN_PAGES: "open" };
  const { headers } = await site.call("POST", "/session");
  return { site, cookie: (headers.get("set-cookie") ?? "").split(";", 1)[0] ?? "" };
}

describe("a page of another site", () => {
  it("opens no live socket, neither by a session nor with a token, and the Monitor hears nothing of it", async () => {
    const { site, cookie } = await loggedIn();
    const reached = vi.spyOn(Monitor.prototype, "fetch");
    for (const headers of FOREIGN) {
      const bySession = await askToWatch(site, { ...headers, cookie }, null);
      expect([bySession.status, bySession.webSocket]).toEqual([404, null]);
      const byToken = await askToWatch(site, headers);
      expect([byToken.status, byToken.webSocket]).toEqual([403, null]);
      expect(await byToken.json()).toMatchObject({ type: "urn:weir:problem:admin:cross-site" });
    }
    expect(reached).not.toHaveBeenCalled();
  });

  it("is told from our own, which may", async () => {
    const { site, cookie } = await loggedIn();
    const own = { origin: "https://gateway.example", "sec-fetch-site": "same-origin", cookie };
    const { status, webSocket } = await askToWatch(site, own, null);
    expect(status).toBe(101);
    webSocket?.accept();
    webSocket?.close();
  });
});
