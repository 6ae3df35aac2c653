/** Attack: a browser's session is forged, stretched, kept after its end, or used where an origin's scripts could. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { importKeySecret } from "../../src/platform/api-key.ts";
import { mintAdminSession } from "../../src/platform/admin-session.ts";
import { AdminSite, type Answer, TOKEN } from "../edge/admin-site.ts";

afterEach(() => reset());

const HOUR_MS = 3_600_000;

async function openSite(more: Record<string, unknown> = {}): Promise<AdminSite> {
  const site = await AdminSite.make();
  site.bindings = { ...env, WEIR_ADMIN_PAGES: "open", ...more };
  return site;
}

const cookieOf = (answer: Answer): string => (answer.headers.get("set-cookie") ?? "").split(";", 1)[0] ?? "";

async function logIn(site: AdminSite, token = TOKEN): Promise<string> {
  const answer = await site.call("POST", "/session", undefined, { token });
  expect(answer.status).toBe(201);
  return cookieOf(answer);
}

const status = async (site: AdminSite, cookie: string): Promise<number> =>
  (await site.call("GET", "/session", undefined, { token: null, headers: { cookie } })).status;

const mint = async (tokenId: string, expiresAtMs: number, secret?: string, root = TOKEN): Promise<string> => {
  const key = await importKeySecret(secret ?? env.WEIR_KEY_SECRET ?? "");
  return `weir_session=${await mintAdminSession(key, root, { tokenId, expiresAtMs })}`;
};

describe("a session", () => {
  it("is a cookie that no script, no other path, no other site and no plain connection gets", async () => {
    const site = await openSite();
    const answer = await site.call("POST", "/session");
    expect(answer.headers.get("set-cookie")).toMatch(
      /^weir_session=root\.[0-9a-z]+\.[\w-]{22}; Path=\/_weir\/; Max-Age=28800; HttpOnly; SameSite=Strict; Secure$/,
    );
    expect(answer.headers.get("set-cookie")).not.toContain(TOKEN);
    const plain = await site.ask("/_weir/api/v1/session", { method: "POST", origin: "http://gateway.example" });
    expect(plain.headers.get("set-cookie")).not.toContain("Secure");
    const ended = await site.call("DELETE", "/session");
    expect(ended.headers.get("set-cookie")).toMatch(/^weir_session=; Path=\/_weir\/; Max-Age=0; /);
  });

  it("says who it is, and may what its token may", async () => {
    const site = await openSite();
    const { token, tokenId } = await site.makeToken({ role: "reader", tenants: ["acme"] });
    const cookie = await logIn(site, token);
    const who = await site.call("GET", "/session", undefined, { token: null, headers: { cookie } });
    expect(who.json).toMatchObject({ id: tokenId, name: "test", role: "reader", tenants: ["acme"] });
    const ask = (path: string) => site.call("GET", path, undefined, { token: null, headers: { cookie } });
    expect((await ask("/tenants/acme/keys")).status).toBe(200);
    expect((await ask("/tenants/globex/keys")).status).toBe(403);
    expect((await ask("/tokens")).status).toBe(403);
  });

  it("that is forged, of another secret, or changed by a character, lets nobody in, and is throttled like a guess", async () => {
    const site = await openSite();
    const cookie = await logIn(site);
    const { tokenId } = await site.makeToken({ role: "reader" });
    const now = site.edge.now();
    const [, id = "", expiry = "", mac = ""] = /=(\w+)\.(\w+)\.(.+)$/.exec(cookie) ?? [];
    const forged = [
      await mint("root", now + HOUR_MS, "another-secret-0123456789abcdef0123456789"),
      await mint("root", now + HOUR_MS, undefined, "another-root-token-0123456789abcdef0123"),
      `weir_session=${tokenId}.${expiry}.${mac}`,
      `weir_session=${id}.z${expiry.slice(1)}.${mac}`,
      `weir_session=${id}.${expiry}.${"A".repeat(22)}`,
      `weir_session=${TOKEN}`,
      "weir_session=",
    ];
    for (const text of forged) expect([text, await status(site, text)]).toEqual([text, 404]);
    const guesses: number[] = [];
    for (let turn = 0; turn < 12; turn++) {
      const headers = { cookie: `weir_session=root.${expiry}.${"A".repeat(22)}` };
      guesses.push((await site.call("GET", "/session", undefined, { token: null, headers, from: "192.0.2.9" })).status);
    }
    expect(guesses).toEqual([...Array.from({ length: 10 }, () => 404), 429, 429]);
    // Who holds a true one is not locked out by others behind the same address.
    const own = await site.call("GET", "/session", undefined, { token: null, headers: { cookie }, from: "192.0.2.9" });
    expect(own.status).toBe(200);
  });

  it("ends when its time is over, and cannot be made longer by itself", async () => {
    const site = await openSite();
    const now = site.edge.now();
    expect(await status(site, await mint("root", now + HOUR_MS))).toBe(200);
    expect(await status(site, await mint("root", now - 1_000))).toBe(404);
    const headers = {
      cookie: await mint("root", now + HOUR_MS),
      origin: "https://gateway.example",
      "content-type": "application/json",
    };
    const again = await site.call("POST", "/session", undefined, { token: null, headers });
    expect([again.status, again.headers.get("set-cookie")]).toEqual([403, null]);
  });

  it("ends with its token: when that is revoked, or the deployment has another root token", async () => {
    const site = await openSite();
    const { token, tokenId } = await site.makeToken({ role: "operator" });
    const cookie = await logIn(site, token);
    const root = await logIn(site);
    expect(await status(site, cookie)).toBe(200);
    await site.call("DELETE", `/tokens/${tokenId}`);
    // An isolate that has not heard of it before; one that has takes four seconds, as for the token itself.
    const other = await openSite();
    expect(await status(other, cookie)).toBe(404);
    expect(await status(other, root)).toBe(200);
    const renewed = await openSite({ WEIR_ADMIN_TOKEN: "another-root-token-0123456789abcdef0123" });
    expect(await status(renewed, root)).toBe(404);
  });

  it("that comes twice is none: who adds a cookie from outside is not who has the other", async () => {
    const site = await openSite();
    const cookie = await logIn(site);
    expect(await status(site, `a=b; ${cookie}; c=d`)).toBe(200);
    expect(await status(site, `${cookie}; ${cookie}`)).toBe(404);
  });
});

describe("on a host that serves an origin's pages", () => {
  it("there are no sessions: none is opened, and one from elsewhere opens nothing", async () => {
    const open = await openSite();
    const cookie = await logIn(open);
    const closed = await AdminSite.make();
    expect(await status(closed, cookie)).toBe(404);
    const opened = await closed.call("POST", "/session");
    expect([opened.status, opened.headers.get("set-cookie")]).toEqual([404, null]);
  });

  it("with an admin host, sessions are there alone", async () => {
    const site = await AdminSite.make();
    site.bindings = { ...env, WEIR_ADMIN_HOST: "admin.internal" };
    const ask = (origin: string, cookie: string) =>
      site.ask("/_weir/api/v1/session", { origin, token: null, headers: { cookie } });
    const opened = await site.ask("/_weir/api/v1/session", { method: "POST", origin: "https://admin.internal" });
    expect(opened.status).toBe(201);
    expect((await ask("https://admin.internal", cookieOf(opened))).status).toBe(200);
    expect((await ask("https://admin.internal", "")).status).toBe(401);
    expect((await ask("https://gateway.example", cookieOf(opened))).status).toBe(404);
  });
});
