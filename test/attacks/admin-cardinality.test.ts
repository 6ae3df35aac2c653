/** Attack: an admin's token, or a mistake of its bearer, makes more and more of what is remembered. */
import { env } from "cloudflare:workers";
import { reset, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { MAX_AUDIT_ROWS } from "../../src/coordinators/control/audit-log.ts";
import { MAX_TOKENS } from "../../src/coordinators/control/token-table.ts";
import { MAX_KEYS } from "../../src/coordinators/tenant/keys.ts";
import type { Tenant } from "../../src/coordinators/tenant/object.ts";
import { CONTROL_OBJECT } from "../../src/protocol/control.ts";
import { AdminSite } from "../edge/admin-site.ts";

afterEach(() => reset());

const control = () => env.CONTROL.getByName(CONTROL_OBJECT);
const filled = (sql: string, ...values: SqlStorageValue[]) =>
  runInDurableObject(control(), (_object, { storage }) => {
    storage.sql.exec(sql, ...values);
  });
const count = (table: string): Promise<number> =>
  runInDurableObject(control(), (_object, { storage }) =>
    Number(storage.sql.exec(`SELECT COUNT(*) AS n FROM ${table}`).one()["n"]),
  );
const NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)";

describe("what is remembered", () => {
  it("of labels is bounded in length, and of one more than fits nothing is made", async () => {
    const site = await AdminSite.make();
    const long = "x".repeat(10_000);
    for (const [method, path, body] of [
      ["POST", "/tokens", { label: long, role: "reader" }],
      ["POST", "/tenants/acme/keys", { label: long }],
      ["PUT", "/tenants/new", { plan: "open", label: long }],
      ["PUT", "/tenants/acme/overrides/requests", { burst: 1, forMs: 60_000, reason: long }],
      ["POST", "/tenants/acme/suspend", { reason: long }],
      ["POST", "/breakers/app/trip", { reason: long, by: "x", forMs: 60_000 }],
    ] as const) {
      expect([path, (await site.call(method, path, body)).status]).toEqual([path, 400]);
    }
    expect(await count("audit")).toBe(0);
  });

  it("of calls that happen once ends at ten thousand: then they are refused, and others go on", async () => {
    const site = await AdminSite.make();
    await filled(
      `${NUMBERS} INSERT INTO admin_once (name, fingerprint, at_ms) SELECT 'n' || i, 'f', ? FROM n`,
      10_000,
      Date.now(),
    );
    const once = { headers: { "idempotency-key": "one-more" } };
    expect((await site.call("POST", "/tenants/acme/keys", {}, once)).status).toBe(503);
    expect((await site.call("POST", "/tenants/acme/keys", {})).status).toBe(201);
    expect(await count("admin_once")).toBe(10_000);
  });

  it("of writes ends at a hundred thousand: the oldest go, and are counted", async () => {
    const site = await AdminSite.make();
    await filled(
      `${NUMBERS} INSERT INTO audit (at_ms, actor_id, operation, outcome, status, intent) SELECT ?, 'x', 'x', 'done', 200, '{}' FROM n`,
      MAX_AUDIT_ROWS,
      Date.now(),
    );
    for (let more = 0; more < 3; more++) expect((await site.call("POST", "/tenants/acme/keys", {})).status).toBe(201);
    expect(await count("audit")).toBe(MAX_AUDIT_ROWS);
    expect((await site.call("GET", "/audit?limit=1")).json["dropped"]).toBe(3);
  });

  it("of tokens ends at a thousand that hold", async () => {
    const site = await AdminSite.make();
    await filled(
      `${NUMBERS} INSERT INTO admin_token (token_id, label, role, created_at_ms, created_by, expires_at_ms) SELECT 't' || i, 'x', 'reader', 1, 'x', ? FROM n`,
      MAX_TOKENS,
      Date.now() + 1_000_000,
    );
    expect((await site.call("POST", "/tokens", { label: "more", role: "reader" })).status).toBeGreaterThanOrEqual(409);
    expect(await count("admin_token")).toBe(MAX_TOKENS);
  });

  it("of a tenant's keys ends at a thousand, also by a restore", async () => {
    await AdminSite.make();
    const acme = env.TENANT.getByName("tenant:acme");
    const key = (index: number) => ({
      keyId: String(index).padStart(16, "0"),
      label: "",
      scopes: [],
      createdAtMs: 1,
      expiresAtMs: undefined,
      revokedAtMs: undefined,
      endsAtMs: undefined,
      replacedBy: undefined,
      lastUsedAtMs: undefined,
    });
    await acme.restore({ v: 1, keys: Array.from({ length: MAX_KEYS }, (_, at) => key(at)), overrides: [] });
    await runInDurableObject(acme, async (object) => {
      const more = { v: 1 as const, keys: [key(MAX_KEYS)], overrides: [] };
      await expect((object as Tenant).restore(more)).rejects.toThrow("at most");
    });
    expect((await acme.listKeys()).keys).toHaveLength(MAX_KEYS);
  });
});

describe("objects", () => {
  it("are made for no name that an admin makes up on a tenant's path", async () => {
    const site = await AdminSite.make();
    const before = site.edge.profiles;
    expect(before).toBeDefined();
    const statuses = new Set<number>();
    for (let made = 0; made < 20; made++) {
      for (const path of [`/tenants/Bad${made}!/keys`, `/tenants/%00${made}/keys`, `/tenants/${"y".repeat(65)}/keys`]) {
        statuses.add((await site.call("GET", path, undefined, { from: `192.0.2.${made}` })).status);
      }
    }
    expect([...statuses].every((status) => status === 404 || status === 400)).toBe(true);
  });
});
