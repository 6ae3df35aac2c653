/** Attack: whoever may read answers, logs, the audit or the storage finds a secret there. */
import { env } from "cloudflare:workers";
import { reset, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CONTROL_OBJECT } from "../../src/protocol/control.ts";
import { AdminSite, filled, TOKEN } from "../edge/admin-site.ts";

const WRONG = "canary-wrong-token-0123456789abcdef";
const IDEMPOTENCY = "canary-idempotency-key-0123456789";
let logged = "";

beforeEach(() => {
  logged = "";
  for (const method of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, method).mockImplementation((...words: unknown[]) => {
      logged += `${words.map(String).join(" ")}\n`;
    });
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

/** Every value of every table of an object, as text; bytes as the characters they are. */
async function stored(stub: DurableObjectStub): Promise<string> {
  return runInDurableObject(stub, (_object, { storage }) => {
    const tables = storage.sql
      .exec(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'",
      )
      .toArray();
    return tables
      .flatMap(({ name }) => storage.sql.exec(`SELECT * FROM "${String(name)}"`).toArray())
      .flatMap((row) => Object.values(row))
      .map((value) => (value instanceof ArrayBuffer ? String.fromCharCode(...new Uint8Array(value)) : String(value)))
      .join("\n");
  });
}

describe("a secret", () => {
  it("is in no answer but the one that made it, in no log, not in the audit, and in no storage", async () => {
    const site = await AdminSite.make();
    const once = { headers: { "idempotency-key": IDEMPOTENCY } };
    const { token, tokenId } = await site.makeToken({ label: "ci", role: "admin" });
    const made = await site.call("POST", "/tenants/acme/keys", { label: "shop" }, once);
    const { key, keyId } = made.json as { key: string; keyId: string };
    const rotated = await site.call("POST", `/tenants/acme/keys/${keyId}/rotate`, {}, { token });
    const { key: second } = rotated.json as { key: string };
    const canaries = [
      TOKEN,
      String(env.WEIR_KEY_SECRET),
      token.slice(-22),
      key.slice(-22),
      second.slice(-22),
      WRONG,
      IDEMPOTENCY,
    ];
    expect(canaries.every((canary) => canary.length >= 22)).toBe(true);

    let seen = "";
    let asked = 0;
    for (const { method, path } of await site.operations()) {
      for (const ask of [{}, { token: WRONG }, { token }, { body: "{" }, { headers: { "if-match": TOKEN } }]) {
        if (method === "GET" && "body" in ask) continue;
        if (filled(path).endsWith("/keys") && method === "POST") continue;
        const from = `192.0.2.${asked++}`;
        const answer = await site.ask(filled(path), { method, from, ...ask });
        seen += `${answer.text}\n${JSON.stringify([...answer.headers])}\n`;
      }
    }
    // A coordinator that throws what it was given.
    const away = async (...said: unknown[]): Promise<unknown> =>
      Promise.reject(new Error(JSON.stringify(said.slice(0, 3))));
    site.bindings = { ...env, WAN: { call: away } };
    for (const path of ["/status", "/tokens", "/audit"]) seen += (await site.call("GET", path)).text;
    seen += (await site.call("POST", "/tenants/acme/keys", {}, { token, ...once })).text;
    site.bindings = env;

    const tables = [env.CONTROL.getByName(CONTROL_OBJECT), env.TENANT.getByName("tenant:acme")];
    const storage = (await Promise.all(tables.map(stored))).join("\n");
    expect(storage).toContain(tokenId);
    expect(storage).toContain(keyId);
    expect(seen).toContain(keyId);
    expect(logged).toContain("admin");
    for (const [where, text] of Object.entries({ seen, storage, logged })) {
      for (const canary of canaries) expect(text.includes(canary), `${canary} in ${where}`).toBe(false);
    }
  });
});
