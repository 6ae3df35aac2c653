import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Tenant } from "../../src/coordinators/tenant/object.ts";
import type { TenantIndex } from "../../src/coordinators/tenant-index/object.ts";
import { TENANT_INDEX_OBJECT, type TenantQuery } from "../../src/protocol/tenant-index.ts";
import { tenantCoordinator } from "../../src/protocol/tenant.ts";

const write = (id: string, plan = "pro", label = "") => ({
  id,
  label,
  profile: { plan },
  settings: JSON.stringify({ plan }),
});
const all: TenantQuery = { words: "", plan: undefined, suspended: undefined, after: undefined, limit: 10 };

describe("TenantIndex object", () => {
  let index: DurableObjectStub<TenantIndex>;
  beforeEach(() => {
    index = env.TENANT_INDEX.getByName(TENANT_INDEX_OBJECT);
  });
  afterEach(() => reset());

  const upsert = (...tenants: ReturnType<typeof write>[]) => index.upsert({ v: 1, tenants });
  const list = async (query: Partial<TenantQuery> = {}) => {
    const { tenants, next } = await index.list({ v: 1, ...all, ...query });
    return { ids: tenants.map(({ id }) => id), next };
  };
  const record = (id: string) => env.TENANT.getByName(tenantCoordinator(id)).record({ v: 1, tenantId: id });

  it("counts what a write creates, changes and finds as it is, so that it can be repeated", async () => {
    expect(await upsert(write("a"), write("b"))).toEqual({ created: 2, changed: 0, same: 0 });
    expect(await upsert(write("a"), write("b", "free"), write("c"))).toEqual({ created: 1, changed: 1, same: 1 });
    expect(await index.counts()).toEqual({ pro: 2, free: 1 });
  });

  it("writes all of a call or nothing", async () => {
    await runInDurableObject(index, async (object) => {
      const bad = object.upsert({ v: 1, tenants: [write("a"), write("Not An Id")] });
      await expect(bad).rejects.toThrow("bad tenant");
    });
    expect((await list()).ids).toEqual([]);
  });

  it("lists page by page in order of id, each tenant once", async () => {
    await upsert(...Array.from({ length: 25 }, (_, number) => write(`t${String(number).padStart(2, "0")}`)));
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await list({ after });
      seen.push(...page.ids);
      after = page.next;
    } while (after !== undefined);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, number) => `t${String(number).padStart(2, "0")}`));
  });

  it("finds by beginnings of words of id and label, whatever is typed", async () => {
    await upsert(write("acme-eu", "pro", "Acme Europe"), write("globex", "free", "Globex (Berlin)"), write("initech"));
    expect((await list({ words: "acm" })).ids).toEqual(["acme-eu"]);
    expect((await list({ words: "berl glo" })).ids).toEqual(["globex"]);
    expect((await list({ words: "eu", plan: "free" })).ids).toEqual([]);
    expect((await list({ words: '") OR *"' })).ids).toEqual([]);
    expect((await list({ words: "  -- " })).ids.length).toBe(3);
  });

  it("forgets the words of a label that was changed, and of a tenant that was removed", async () => {
    await upsert(write("a", "pro", "old name"));
    await upsert(write("a", "pro", "new name"));
    expect((await list({ words: "old" })).ids).toEqual([]);
    expect((await list({ words: "new" })).ids).toEqual(["a"]);
    expect(await index.remove({ v: 1, id: "a" })).toBe(true);
    expect((await list({ words: "new" })).ids).toEqual([]);
    expect(await index.remove({ v: 1, id: "a" })).toBe(false);
    expect(await index.counts()).toEqual({});
  });

  it("finds words without their accents and capitals, once for each tenant, page by page", async () => {
    await upsert(
      write("a", "pro", "Café Caféteria Cabaña"),
      write("b", "pro", "cab"),
      write("c", "pro", "CAFE"),
      write("d", "pro", "Über ca"),
    );
    expect((await list({ words: "CAFÉ" })).ids).toEqual(["a", "c"]);
    expect((await list({ words: "uber" })).ids).toEqual(["d"]);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await list({ words: "ca", limit: 1, after });
      seen.push(...page.ids);
      after = page.next;
    } while (after !== undefined);
    expect(seen.toSorted()).toEqual(["a", "b", "c", "d"]);
  });

  it.each(["", "x", "0 ca", "0 zz a", "9 ca a", "-1 ca a", "0 ca a b", "' OR 1"])(
    "begins a search anew for a cursor that is none of it (%j)",
    async (after) => {
      await upsert(write("a", "pro", "cab"));
      expect((await list({ words: "ca", after })).ids).toEqual(["a"]);
    },
  );

  it("cuts words and their number, and finds by what is left", async () => {
    const long = "x".repeat(40);
    await upsert(write("a", "pro", `${long} ${Array.from({ length: 40 }, (_, number) => `w${number}`).join(" ")}`));
    expect((await list({ words: long })).ids).toEqual(["a"]);
    expect((await list({ words: "w3" })).ids).toEqual(["a"]);
    expect((await list({ words: "w39" })).ids).toEqual([]);
  });

  it("says why those are suspended that are", async () => {
    await upsert(write("a"), write("b"));
    await index.suspend({ v: 1, id: "a", reason: "unpaid", inFile: false });
    await index.suspend({ v: 1, id: "filed", reason: "asked to", inFile: true });
    expect(await index.suspensions({ v: 1, ids: ["a", "b", "filed", "nobody"] })).toEqual({
      a: "unpaid",
      filed: "asked to",
    });
  });

  it("keeps everything over an eviction", async () => {
    await upsert(write("a", "pro", "one"));
    await evictDurableObject(index);
    expect(await index.get({ v: 1, id: "a" })).toMatchObject({ id: "a", profile: { plan: "pro" }, label: "one" });
  });

  describe("and the tenants' coordinators", () => {
    it("are told what they ask for, once, and every change after", async () => {
      await upsert(write("a"));
      expect((await record("a")).profile).toEqual({ plan: "pro" });
      await upsert(write("a", "free"));
      await runDurableObjectAlarm(index);
      expect((await record("a")).profile).toEqual({ plan: "free" });
    });

    it("that nobody has asked are not called for an import", async () => {
      await upsert(write("a"), write("b"));
      await upsert(write("a", "free"), write("b", "free"));
      await runDurableObjectAlarm(index);
      const pushed = await runInDurableObject(index, (_object, state) =>
        state.storage.sql.exec("SELECT id FROM push").toArray(),
      );
      expect(pushed).toEqual([]);
    });

    it("keep nothing of a tenant that is none", async () => {
      expect((await record("nobody")).profile).toBeUndefined();
      await upsert(write("nobody"));
      expect((await record("nobody")).profile).toEqual({ plan: "pro" });
    });

    it("hear that a tenant was removed, and end its keys, so that a later one does not inherit them", async () => {
      await upsert(write("a"));
      await record("a");
      const tenant = env.TENANT.getByName(tenantCoordinator("a"));
      await tenant.createKey({ v: 1, keyId: "0123456789abcdef" });
      await index.remove({ v: 1, id: "a" });
      await runDurableObjectAlarm(index);
      expect(await record("a")).toMatchObject({ revokedKeyIds: ["0123456789abcdef"] });
      expect((await record("a")).profile).toBeUndefined();
      await upsert(write("a"));
      expect(await record("a")).toMatchObject({ profile: { plan: "pro" }, revokedKeyIds: ["0123456789abcdef"] });
    });

    it("are told on though the first of the tries fail, and of what changed meanwhile", async () => {
      await upsert(write("a"));
      await record("a");
      const told = vi.spyOn(Tenant.prototype, "setStanding").mockRejectedValue(new Error("away"));
      await upsert(write("a", "free"));
      await runDurableObjectAlarm(index);
      await vi.waitFor(() => {
        expect(told).toHaveBeenCalled();
      });
      await upsert(write("a", "gold"));
      told.mockRestore();
      await vi.waitFor(
        async () => {
          expect((await record("a")).profile).toEqual({ plan: "gold" });
        },
        { timeout: 5_000 },
      );
    });

    it("keep the keys of a tenant that was in the config file and is then made here, and of one that is suspended", async () => {
      const tenant = env.TENANT.getByName(tenantCoordinator("a"));
      await tenant.createKey({ v: 1, keyId: "0123456789abcdef" });
      await index.suspend({ v: 1, id: "a", reason: "unpaid", inFile: true });
      await runDurableObjectAlarm(index);
      await index.suspend({ v: 1, id: "a", reason: undefined, inFile: true });
      await runDurableObjectAlarm(index);
      await upsert(write("a"));
      await runDurableObjectAlarm(index);
      expect(await record("a")).toMatchObject({ profile: { plan: "pro" }, revokedKeyIds: [] });
    });

    it("hear of a suspension, also of a tenant that is in the config file", async () => {
      expect(await index.suspend({ v: 1, id: "acme", reason: "unpaid", inFile: false })).toBeUndefined();
      const row = await index.suspend({ v: 1, id: "acme", reason: "unpaid", inFile: true });
      expect(row).toMatchObject({ id: "acme", suspended: "unpaid", profile: undefined });
      await runDurableObjectAlarm(index);
      expect((await record("acme")).suspended).toBe(true);
      await index.suspend({ v: 1, id: "acme", reason: undefined, inFile: true });
      await runDurableObjectAlarm(index);
      expect((await record("acme")).suspended).toBeUndefined();
    });
  });
});
