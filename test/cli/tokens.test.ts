/** Tokens and the audit through the real binary, against a real gateway. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import type { AuditPage, CreatedToken, TokenList } from "../../src/admin/contract.ts";
import { commandLine, json, noteGateway } from "../support/command-line.ts";
import { configOf, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { run } from "../support/process.ts";

const folder = temporaryFolder();
let gateway: Gateway;
const url = (): string => gateway.urls[0] ?? "";

beforeAll(async () => {
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: "http://127.0.0.1:9" } },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { limits: { requests: { rate: "1/s", burst: 50 } } } },
    tenants: { acme: { plan: "open" } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  gateway = await startTestGateway(config, { edges: 2, stateDir: join(folder.path, "objects") });
  noteGateway(folder.path, url());
});
afterAll(async () => {
  await gateway.stop();
  folder.remove();
});

const weir = commandLine(folder.path);

const statusWith = async (token: string, base: string): Promise<number> =>
  (await fetch(`${base}/_weir/api/v1/status`, { headers: { authorization: `Bearer ${token}` } })).status;

describe("weir tokens", () => {
  it("makes one that does what its role may on every edge, lists it without showing it, and revokes it within 5 s", async () => {
    const piped = await weir("tokens", "create", "night shift", "--role", "operator", "--for", "1h");
    expect(piped.code).toBe(0);
    expect(piped.stdout).toMatch(/^weiradm_[0-9a-f]{16}_[A-Za-z0-9_-]{22}\n$/);
    expect(piped.stderr).toContain("operator");
    const token = piped.stdout.trim();
    for (const base of gateway.urls) expect(await statusWith(token, base)).toBe(200);

    const listed = await weir("tokens", "list", "--json");
    expect(listed.stdout).not.toContain(token.slice(-22));
    const [made] = (json(listed) as TokenList).tokens;
    expect(made).toMatchObject({ label: "night shift", role: "operator", tenants: null, revokedAtMs: null });

    const revoked = await weir("tokens", "revoke", made?.tokenId ?? "");
    expect([revoked.code, revoked.stdout]).toEqual([0, `${made?.tokenId} of night shift is revoked\n`]);
    for (const base of gateway.urls) {
      await waitUntil("the token is refused", 5_000, async () => (await statusWith(token, base)) === 404);
    }
    expect((await weir("tokens", "list")).stdout).toMatch(/night shift\s+operator\s+all\s+root\s+\S+\s+revoked/);
  });

  it("says what is wrong with a role, a duration or an id", async () => {
    expect((await weir("tokens", "create", "x", "--role", "boss")).stderr).toContain("role:");
    expect((await weir("tokens", "create", "x", "--for", "soon")).code).not.toBe(0);
    expect((await weir("tokens", "revoke", "0000000000000000")).stderr).toContain('no token "0000000000000000"');
  });
});

describe("weir audit", () => {
  it("tells who did what, and goes on where a page ended", async () => {
    const created = await weir("tokens", "create", "ci", "--role", "admin", "--tenants", "acme", "--json");
    const { token, tokenId } = json(created) as CreatedToken;
    const made = await run("cli/weir.ts", ["keys", "create", "acme"], { WEIR_URL: url(), WEIR_TOKEN: token });
    expect(made.code).toBe(0);
    const refused = await run("cli/weir.ts", ["breakers", "reset", "app"], { WEIR_URL: url(), WEIR_TOKEN: token });
    expect(refused.stderr).toContain("answered 403");

    const told = await weir("audit", "--actor", tokenId);
    expect(told.stdout).toMatch(new RegExp(`ci ${tokenId}\\s+createKey\\s+tenant=acme\\s+done 201`));
    const first = json(await weir("audit", "--limit", "1", "--since", "1h", "--json")) as AuditPage;
    const second = json(await weir("audit", "--limit", "1", "--cursor", first.next ?? "", "--json")) as AuditPage;
    expect([first.entries[0]?.operation, second.entries[0]?.operation]).toEqual(["createKey", "createToken"]);
    expect(JSON.stringify([first, second])).not.toContain(token.slice(-22));
    expect((await weir("audit", "--limit", "0")).code).toBe(2);
  });
});
