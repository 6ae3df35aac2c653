/** `weir keys` through the real binary, against a real gateway. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import type { CreatedKey } from "../../src/admin/contract.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { commandLine, json, noteGateway } from "../support/command-line.ts";
import { configOf, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { send } from "../support/traffic.ts";

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;

beforeAll(async () => {
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: origin.url } },
    identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
    plans: { pro: { limits: { requests: { rate: "1/s", burst: 50 } } }, open: {} },
    tenants: { acme: { plan: "pro" }, globex: { plan: "open" } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  gateway = await startTestGateway(config, { stateDir: join(folder.path, "objects") });
  noteGateway(folder.path, gateway.urls[0]);
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

const weir = commandLine(folder.path);

describe("weir keys", () => {
  it("makes a key that works, lists it without showing it, and revokes it", async () => {
    const created = await weir("keys", "create", "acme", "--label", "ci", "--json");
    expect(created.code).toBe(0);
    const { key, keyId } = json(created) as { key: string; keyId: string };
    const call = () => send(undefined, `${gateway.urls[0]}/`, { headers: { authorization: `Bearer ${key}` } });
    expect((await call()).status).toBe(200);

    const listed = await weir("keys", "list", "acme", "--json");
    expect(json(listed)).toMatchObject({ keys: [{ keyId, label: "ci", revokedAtMs: null }] });
    expect(listed.stdout).not.toContain(key);

    const revoked = await weir("keys", "revoke", "acme", keyId, "--json");
    expect(revoked.code).toBe(0);
    expect(Number(json(revoked)["revokedAtMs"])).toBeGreaterThan(0);
    expect((await weir("keys", "revoke", "acme", "0000000000000000")).code).toBe(1);
  });

  it("puts the key alone on stdout, so that it can be piped", async () => {
    const created = await weir("keys", "create", "acme");
    expect(created.stdout).toMatch(/^weir_[A-Za-z0-9_-]+\n$/);
    expect(created.stderr).toContain("not shown again");
  });

  it("makes a key with scopes and an expiry, which hold from the first request on", async () => {
    const created = await weir("keys", "create", "globex", "--scopes", "read, write:all", "--expires", "90d", "--json");
    const { key, keyId, expiresAtMs, createdAtMs, ...rest } = JSON.parse(created.stdout) as CreatedKey;
    expect(rest).toEqual({ tenant: "globex", label: "", scopes: ["read", "write:all"] });
    expect((expiresAtMs ?? 0) - createdAtMs).toBeGreaterThanOrEqual(90 * 86_400_000);
    const headers = { authorization: `Bearer ${key}` };
    expect((await send(undefined, `${gateway.urls[0]}/`, { headers })).status).toBe(200);
    await waitUntil("its use is noted", 5_000, async () => {
      const { keys } = json(await weir("keys", "list", "globex", "--json")) as { keys: Record<string, unknown>[] };
      return Number(keys.find((listed) => listed["keyId"] === keyId)?.["lastUsedAtMs"]) >= createdAtMs;
    });
    const table = await weir("keys", "list", "globex");
    expect(table.stdout).toMatch(/^KEY ID +LABEL +STATE +SCOPES +CREATED +LAST USED +UNTIL$/m);
    expect(table.stdout).toMatch(new RegExp(`^${keyId} +active +read,write:all +\\S+Z +\\S+Z +\\S+Z$`, "m"));
  });

  it("refuses a key what its scopes do not name, and a key that has expired", async () => {
    const key = async (...options: string[]): Promise<Record<string, string>> => {
      const { stdout } = await weir("keys", "create", "globex", ...options);
      return { authorization: `Bearer ${stdout.trim()}` };
    };
    const reader = await key("--scopes", "read");
    const url = `${gateway.urls[0]}/`;
    expect((await send(undefined, url, { headers: reader })).status).toBe(200);
    expect((await send(undefined, url, { headers: reader, method: "POST" })).status).toBe(403);
    const headers = await key("--expires", "1s");
    await waitUntil("it has expired", 4_000, async () => (await send(undefined, url, { headers })).status === 401);
  });

  it("rotates a key: both are good until the overlap ends, then only the new one", async () => {
    const first = json(await weir("keys", "create", "globex", "--label", "ci", "--scopes", "read", "--json"));
    const rotated = await weir("keys", "rotate", "globex", String(first["keyId"]), "--overlap", "2s", "--json");
    expect(rotated.code).toBe(0);
    const next = json(rotated);
    expect(next).toMatchObject({
      tenant: "globex",
      label: "ci",
      scopes: ["read"],
      expiresAtMs: null,
      replaced: { keyId: first["keyId"], state: "ending", replacedBy: next["keyId"] },
    });
    const status = async (key: unknown): Promise<number> =>
      (await send(undefined, `${gateway.urls[0]}/`, { headers: { authorization: `Bearer ${String(key)}` } })).status;
    expect(await status(next["key"])).toBe(200);
    await waitUntil("the old key has ended", 7_000, async () => (await status(first["key"])) === 401);
    expect(await status(next["key"])).toBe(200);
    expect((await weir("keys", "list", "globex")).stdout).toMatch(
      new RegExp(`^${String(first["keyId"])} +ci +ended `, "m"),
    );
    const again = await weir("keys", "rotate", "globex", String(first["keyId"]));
    expect(again).toMatchObject({ code: 1, stdout: "" });
    expect(again.stderr).toContain(`it was replaced by "${String(next["keyId"])}"`);
  });

  it("shows a rotated key alone on stdout, and until when the old one is good on stderr", async () => {
    const { keyId } = json(await weir("keys", "create", "globex", "--json"));
    const rotated = await weir("keys", "rotate", "globex", String(keyId), "--label", "new", "--expires", "30d");
    expect(rotated.stdout).toMatch(/^weir2_[A-Za-z0-9_-]+\n$/);
    expect(rotated.stderr).toMatch(new RegExp(`^key ${String(keyId)} is good until \\S+Z$`, "m"));
  });

  it.each([
    [["create", "globex", "--scopes", "admin"], 'must be "read", "write", or "route:"'],
    [["create", "globex", "--scopes", "route:none"], 'Unknown route "none"; valid: all'],
    [["create", "globex", "--expires", "soon"], '--expires must be a duration like "30m", "2h", "7d", not "soon"'],
    [["rotate", "globex", "0000000000000000"], 'Tenant "globex" has no key "0000000000000000"'],
    [["rotate", "globex", "0000000000000000", "--overlap", "91d"], "overlapMs"],
  ])("say what is wrong with %j", async (words, message) => {
    const finished = await weir("keys", ...words);
    expect(finished).toMatchObject({ code: 1, stdout: "" });
    expect(finished.stderr).toContain(message);
  });

  it("names the tenants there are when asked for another", async () => {
    const finished = await weir("keys", "create", "acmee");
    expect(finished.code).toBe(1);
    expect(finished.stderr).toContain('Unknown tenant "acmee"; valid: acme');
  });
});
