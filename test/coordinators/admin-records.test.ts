/** The Control object's records of the admin API: what bounds them, what outlives a restart, what happens twice. */
import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Control } from "../../src/coordinators/control/object.ts";
import type { AuditIntent } from "../../src/protocol/admin-records.ts";
import { CONTROL_OBJECT } from "../../src/protocol/control.ts";

const DAY_MS = 86_400_000;
const intent: AuditIntent = {
  actor: { id: "root", name: "root", role: "admin" },
  operation: "createKey",
  params: { tenant: "acme" },
  requestId: "r",
  client: "192.0.2.1",
};
const done = { outcome: "done", status: 201, before: null, after: '{"keyId":"k"}' } as const;
const reply = { status: 201, sealed: new Uint8Array([1, 2, 3]) };

let control: DurableObjectStub<Control>;
beforeEach(() => {
  control = env.CONTROL.getByName(CONTROL_OBJECT);
});
afterEach(() => reset());

const begin = (name?: string, fingerprint = "f") =>
  control.beginWrite({ v: 1, intent, once: name === undefined ? undefined : { name, fingerprint } });
const read = () => control.audit({ v: 1, before: undefined, limit: 10, filter: {} });
const sql = (statement: string, ...values: unknown[]) =>
  runInDurableObject(control, (_object, { storage }) => storage.sql.exec(statement, ...values).toArray());
const numbers = (count: number): string =>
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`;

async function makeToken(tokenId: string, forMs = DAY_MS) {
  const begun = await begin();
  if (begun.kind !== "begun") throw new Error(begun.kind);
  const { entryId } = begun;
  const order = { label: "x", role: "reader", tenants: ["acme"], forMs, createdBy: "root" } as const;
  return control.createAdminToken({ v: 1, tokenId, ...order, entryId });
}

describe("the audit", () => {
  it("keeps the newest hundred thousand entries, and counts what it dropped, also over a restart", async () => {
    const entry = "'root', 'createKey', NULL, 'done', 201, ?";
    await sql(
      `${numbers(99_999)} INSERT INTO audit (entry_id, at_ms, actor_id, operation, tenant, outcome, status, intent)
       SELECT i, ?, ${entry} FROM n`,
      Date.now(),
      JSON.stringify(intent),
    );
    await begin();
    expect((await read()).dropped).toBe(0);
    await begin();
    await begin();
    await evictDurableObject(control);
    expect(await read()).toMatchObject({
      dropped: 2,
      entries: [{ entryId: 100_002 }, {}, {}, {}, {}, {}, {}, {}, {}, {}],
    });
    expect(await sql("SELECT COUNT(*) AS n, MIN(entry_id) AS first FROM audit")).toEqual([{ n: 100_000, first: 3 }]);
  });

  it("drops what is older than ninety days, some with each new entry", async () => {
    const [old, young] = [Date.now() - 91 * DAY_MS, Date.now() - 89 * DAY_MS];
    for (const [count, atMs] of [
      [150, old],
      [5, young],
    ] as const) {
      await sql(
        `${numbers(count)} INSERT INTO audit (at_ms, actor_id, operation, outcome, status, intent)
         SELECT ?, 'root', 'createKey', 'done', 201, ? FROM n`,
        atMs,
        JSON.stringify(intent),
      );
    }
    await begin();
    expect((await read()).dropped).toBe(100);
    await begin();
    expect((await read()).dropped).toBe(150);
    expect(await sql("SELECT COUNT(*) AS n FROM audit")).toEqual([{ n: 7 }]);
  });

  it("keeps an entry done whose effect is stored, whatever is said of it afterwards", async () => {
    const begun = await begin();
    if (begun.kind !== "begun") throw new Error(begun.kind);
    const { entryId } = begun;
    const order = { label: "x", role: "reader", tenants: null, forMs: DAY_MS, createdBy: "root" } as const;
    await control.createAdminToken({ v: 1, tokenId: "t", ...order, entryId });
    await control.endWrite({ v: 1, entryId, end: { ...done, outcome: "failed", status: 503 }, once: undefined });
    expect((await read()).entries).toMatchObject([{ outcome: "done", status: 503 }]);
  });

  it("refuses values that are too long", async () => {
    const end = { ...done, after: "x".repeat(4_001) };
    const long = { ...intent, client: "x".repeat(4_001) };
    await runInDurableObject(control, async (object) => {
      await expect(object.endWrite({ v: 1, entryId: 1, end, once: undefined })).rejects.toThrow("bad value");
      await expect(object.beginWrite({ v: 1, intent: long, once: undefined })).rejects.toThrow("bad intent");
    });
    expect((await read()).entries).toEqual([]);
  });
});

describe("tokens", () => {
  it("are a thousand at most: one more is made only when one has ended", async () => {
    await sql(
      `${numbers(1_000)} INSERT INTO admin_token (token_id, label, role, created_at_ms, created_by, expires_at_ms)
       SELECT 't' || i, 'x', 'reader', 1, 'root', ? FROM n`,
      Date.now() + DAY_MS,
    );
    expect(await makeToken("more")).toBeUndefined();
    await sql("UPDATE admin_token SET expires_at_ms = 1 WHERE token_id = 't7'");
    expect(await makeToken("more")).toMatchObject({ tokenId: "more" });
    expect(await control.adminToken({ v: 1, tokenId: "t7" })).toBeUndefined();
  });

  it("say what they may until they end; a row that cannot be read is no token, least of all an unlimited one", async () => {
    await makeToken("t");
    await evictDurableObject(control);
    expect(await control.adminToken({ v: 1, tokenId: "t" })).toMatchObject({ role: "reader", tenants: ["acme"] });
    for (const change of [
      "tenants = '[1]'",
      "tenants = 'null'",
      "tenants = ''",
      "tenants = '[\"acme\"]', role = 'boss'",
    ]) {
      await sql(`UPDATE admin_token SET ${change}`);
      expect(await control.adminToken({ v: 1, tokenId: "t" }), change).toBeUndefined();
    }
  });
});

describe("a call that must happen once", () => {
  it("is begun by one of many that come at once, and remembered over a restart, for a day", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => begin("n")));
    expect(all.filter(({ kind }) => kind === "begun")).toHaveLength(1);
    expect(all.filter(({ kind }) => kind === "unfinished")).toHaveLength(19);
    await control.endWrite({ v: 1, entryId: 1, end: done, once: { name: "n", reply } });
    await evictDurableObject(control);
    expect(await begin("n")).toEqual({ kind: "replay", reply });
    expect(await begin("n", "another")).toEqual({ kind: "other-request" });
    await sql("UPDATE admin_once SET at_ms = ?", Date.now() - DAY_MS);
    expect((await begin("n")).kind).toBe("begun");
  });

  it("is one of ten thousand a day at most", async () => {
    await sql(
      `${numbers(10_000)} INSERT INTO admin_once (name, fingerprint, at_ms) SELECT 'n' || i, 'f', ? FROM n`,
      Date.now(),
    );
    expect((await begin("more")).kind).toBe("full");
    expect((await begin("n5")).kind).toBe("unfinished");
    expect((await begin()).kind).toBe("begun");
  });
});
