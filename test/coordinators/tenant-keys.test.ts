import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { LeaseReply } from "../../src/protocol/tenant.ts";

const tenant = () => env.TENANT.getByName("tenant:acme");
afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

let seq = 0;
async function lease(recordVersion: number, usedKeyIds?: readonly string[]): Promise<LeaseReply & { kind: "granted" }> {
  const used = usedKeyIds === undefined ? {} : { usedKeyIds };
  const request = {
    v: 1,
    lesseeId: "edge",
    seq: ++seq,
    configVersion: 1,
    recordVersion,
    items: [],
    waiting: [],
  } as const;
  const reply = await tenant().lease({ ...request, ...used });
  if (reply.kind !== "granted") throw new Error(reply.kind);
  return reply;
}

const rotation = (keyId: string, newKeyId: string, overlapMs: number, order = {}) =>
  tenant().rotateKey({ v: 1, keyId, newKeyId, overlapMs, order });
const stored = async (keyId: string) => (await tenant().listKeys()).keys.find((key) => key.keyId === keyId);

describe("a key that is rotated", () => {
  it("ends after the overlap, which every lessee hears of with its next lease; the new key takes after it", async () => {
    const first = await tenant().createKey({ v: 1, keyId: "old", label: "ci", scopes: ["read"], lifetimeMs: 60_000 });
    const rotated = await rotation("old", "new", 10_000);
    if (rotated.kind !== "rotated") throw new Error(rotated.kind);
    const { made, replaced } = rotated;
    expect(made).toMatchObject({ keyId: "new", label: "ci", scopes: ["read"], endsAtMs: undefined });
    const lifeMs = (first.expiresAtMs ?? 0) - first.createdAtMs;
    expect((made.expiresAtMs ?? 0) - made.createdAtMs).toBeGreaterThanOrEqual(lifeMs);
    expect((made.expiresAtMs ?? 0) - made.createdAtMs).toBeLessThan(lifeMs + 1_000);
    expect(replaced).toMatchObject({ keyId: "old", replacedBy: "new", endsAtMs: made.createdAtMs + 10_000 });
    expect(await stored("old")).toEqual(replaced);

    const { record } = await lease(1);
    expect(record).toMatchObject({ version: 2, revokedKeyIds: [], endingKeys: [{ keyId: "old" }] });
    const endsInMs = record?.endingKeys?.[0]?.endsInMs ?? 0;
    expect(endsInMs).toBeGreaterThan(5_000);
    expect(endsInMs).toBeLessThanOrEqual(10_000);
    expect((await lease(2)).record).toBeUndefined();
  });

  it("is told as revoked once its end has come, also by an object that was evicted meanwhile", async () => {
    await tenant().createKey({ v: 1, keyId: "old" });
    await rotation("old", "new", 10_000);
    await evictDurableObject(tenant());
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 10_001);
    expect((await lease(0)).record).toEqual({ version: 2, revokedKeyIds: ["old"], endingKeys: [] });
  });

  it("ends at once without an overlap, and can be revoked before its end", async () => {
    await tenant().createKey({ v: 1, keyId: "a" });
    await tenant().createKey({ v: 1, keyId: "b" });
    await rotation("a", "a2", 0);
    await rotation("b", "b2", 60_000);
    await tenant().revokeKey({ v: 1, keyId: "b" });
    expect((await lease(0)).record).toMatchObject({ version: 4, revokedKeyIds: ["a", "b"], endingKeys: [] });
  });

  it("is not rotated twice, nor after it was revoked or has expired, nor when there is no such key", async () => {
    for (const keyId of ["twice", "revoked"]) await tenant().createKey({ v: 1, keyId });
    await tenant().createKey({ v: 1, keyId: "expired", lifetimeMs: 1_000 });
    await rotation("twice", "second", 60_000);
    await tenant().revokeKey({ v: 1, keyId: "revoked" });
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 3_000);
    for (const keyId of ["twice", "revoked", "expired"]) {
      expect(await rotation(keyId, "never", 0)).toMatchObject({ kind: "over", key: { keyId } });
    }
    expect(await rotation("nobody", "never", 0)).toEqual({ kind: "unknown" });
    expect(await stored("never")).toBeUndefined();
  });
});

describe("the use of a key", () => {
  it("is noted with a lease, to a minute, and only while the key is in force", async () => {
    for (const keyId of ["used", "idle", "revoked", "ended"]) await tenant().createKey({ v: 1, keyId });
    await tenant().revokeKey({ v: 1, keyId: "revoked" });
    await rotation("ended", "next", 0);
    const startMs = Date.now();
    const now = vi.spyOn(Date, "now").mockReturnValue(startMs);
    await lease(0, ["used", "revoked", "ended", "nobody"]);
    expect((await stored("used"))?.lastUsedAtMs).toBe(startMs);
    for (const keyId of ["idle", "revoked", "ended"]) expect((await stored(keyId))?.lastUsedAtMs).toBeUndefined();
    now.mockReturnValue(startMs + 59_000);
    await lease(0, ["used"]);
    expect((await stored("used"))?.lastUsedAtMs).toBe(startMs);
    now.mockReturnValue(startMs + 60_000);
    await lease(0, ["used"]);
    expect((await stored("used"))?.lastUsedAtMs).toBe(startMs + 60_000);
  });

  it("is refused where a lessee tells of too many at once", async () => {
    await expect(
      lease(
        0,
        Array.from({ length: 65 }, (_, index) => `k${index}`),
      ),
    ).rejects.toThrow("used keys");
  });
});

describe("the table of keys", () => {
  it("takes over the rows of the release before, which can still read what is written now", async () => {
    await runInDurableObject(tenant(), (_object, { storage }) => {
      storage.sql.exec("DROP TABLE api_key");
      storage.sql.exec(`CREATE TABLE api_key (
        key_id TEXT PRIMARY KEY, label TEXT NOT NULL, created_at_ms INTEGER NOT NULL, revoked_at_ms INTEGER) WITHOUT ROWID`);
      storage.sql.exec("INSERT INTO api_key VALUES ('before', 'ci', 5, NULL), ('gone', '', 6, 7)");
      storage.sql.exec("UPDATE meta SET value = 1 WHERE name = 'schema'");
    });
    await evictDurableObject(tenant());
    const before = { keyId: "before", label: "ci", createdAtMs: 5, scopes: [], revokedAtMs: undefined };
    expect((await tenant().listKeys()).keys).toMatchObject([before, { keyId: "gone", revokedAtMs: 7 }]);
    expect((await lease(0)).record).toMatchObject({ revokedKeyIds: ["gone"] });
    await tenant().createKey({ v: 1, keyId: "now", scopes: ["read"], lifetimeMs: 1_000 });
    await runInDurableObject(tenant(), (_object, { storage }) => {
      const rows = storage.sql.exec("SELECT key_id, label, created_at_ms, revoked_at_ms FROM api_key").toArray();
      expect(rows).toHaveLength(3);
      expect(storage.sql.exec("SELECT value FROM meta WHERE name = 'schema'").one()).toEqual({ value: 2 });
    });
  });

  it("forgets keys a day after they expired, and never one that could still be presented", async () => {
    await tenant().createKey({ v: 1, keyId: "short", lifetimeMs: 1_000 });
    await tenant().createKey({ v: 1, keyId: "revoked" });
    await tenant().revokeKey({ v: 1, keyId: "revoked" });
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 86_403_000);
    await tenant().createKey({ v: 1, keyId: "later" });
    expect((await tenant().listKeys()).keys.map(({ keyId }) => keyId)).toEqual(["revoked", "later"]);
  });
});
