/** Attack: tokens are guessed, by many calls from one address or a few from many. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { importKeySecret } from "../../src/platform/api-key.ts";
import { mintAdminToken, newTokenId } from "../../src/platform/admin-token.ts";
import { AdminSite } from "../edge/admin-site.ts";

afterEach(() => reset());

const forged = (): string => `weiradm_${newTokenId()}_${"A".repeat(22)}`;

async function clocked(): Promise<{
  readonly site: AdminSite;
  readonly pass: (ms: number) => void;
  readonly status: (ask: object) => Promise<number>;
}> {
  const site = await AdminSite.make();
  let nowMs = Date.now();
  Object.assign(site.edge, { now: () => nowMs });
  return {
    site,
    pass: (ms) => {
      nowMs += ms;
    },
    status: async (ask) => (await site.ask("/_weir/api/v1/breakers/app", ask)).status,
  };
}

describe("who guesses tokens", () => {
  it("is told to wait after ten, twice as long each time, up to fifteen minutes", async () => {
    const { site, pass } = await clocked();
    const from = "192.0.2.1";
    for (let guess = 0; guess < 10; guess++) {
      expect((await site.ask("/_weir/api/v1/status", { token: forged(), from })).status).toBe(404);
    }
    const waits: number[] = [];
    for (let guess = 0; guess < 13; guess++) {
      const { status, headers } = await site.ask("/_weir/api/v1/status", { token: forged(), from });
      expect(status).toBe(429);
      waits.push(Number(headers.get("retry-after")));
      pass(Number(headers.get("retry-after")) * 1_000);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    pass(3_600_000);
    expect((await site.ask("/_weir/api/v1/status", { token: forged(), from })).status).toBe(404);
  });

  it("locks nobody out: not the operator behind the same address, and no other address", async () => {
    const { status } = await clocked();
    const from = "2001:db8:1:2::1";
    for (let guess = 0; guess < 30; guess++) await status({ token: forged(), from });
    // The whole /64 is one caller.
    expect(await status({ token: forged(), from: "2001:db8:1:2:ffff::9" })).toBe(429);
    expect(await status({ token: forged(), from: "2001:db8:1:3::1" })).toBe(404);
    expect(await status({ from })).toBe(200);
    expect(await status({ token: forged(), from })).toBe(404);
  });

  it("costs no coordinator a call, however many identities and addresses are made up", async () => {
    const { site, status } = await clocked();
    let calls = 0;
    site.bindings = { ...env, WAN: { call: async () => Promise.reject(new Error(`call ${++calls}`)) } };
    for (let guess = 0; guess < 300; guess++) {
      const from = `198.51.${Math.floor(guess / 200)}.${guess % 200}`;
      for (const token of [forged(), "x", "", "A".repeat(10_000), `weir_${"A".repeat(50)}`]) {
        expect([404, 429]).toContain(await status({ token, from }));
      }
    }
    expect(calls).toBe(0);
  });

  it("gets nowhere with a token that this secret made but nobody was given, or written in another way", async () => {
    const { site, status } = await clocked();
    const unknown = await mintAdminToken(await importKeySecret(env.WEIR_KEY_SECRET ?? ""), newTokenId());
    expect(await status({ token: unknown })).toBe(404);
    const other = await mintAdminToken(await importKeySecret("another-secret-0123456789abcdef0123"), newTokenId());
    expect(await status({ token: other })).toBe(404);
    const { token } = await site.makeToken({ role: "admin" });
    expect(await status({ token })).toBe(200);
    // The last character of 128 bits has four bits that say nothing; only one way of writing them is right.
    const ways = Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    const right: string[] = [];
    for (const [index, last] of ways.entries()) {
      const written = token.slice(0, -1) + last;
      if ((await status({ token: written, from: `203.0.113.${index}` })) === 200) right.push(written);
    }
    expect(right).toEqual([token]);
  });

  it("and who has a token that runs wild is slowed down, alone", async () => {
    const { site, pass, status } = await clocked();
    const { token } = await site.makeToken({ role: "reader" });
    const statuses: number[] = [];
    for (let call = 0; call < 210; call++) statuses.push(await status({ token }));
    expect(statuses.filter((each) => each === 200)).toHaveLength(200);
    expect(statuses.at(-1)).toBe(429);
    expect(await status({})).toBe(200);
    pass(1_000);
    expect(await status({ token })).toBe(200);
  });
});
