import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Tenant } from "../../src/coordinators/tenant/object.ts";
import type { LeaseItem, LimitSpec, WaitingGroup } from "../../src/policy/limits/types.ts";
import type { LeaseReply, LeaseRequest } from "../../src/protocol/tenant.ts";

const TOKEN = 1_000_000;
/** So slow that no test sees a token come back. */
const SPEC: LimitSpec = { kind: "bucket", refillNumerator: 1, refillDenominator: 1_000, burstMicro: 100 * TOKEN };
const tenant = () => env.TENANT.getByName("tenant:acme");
afterEach(() => reset());

function request(
  seq: number,
  options: { lessee?: string; need?: number; want?: number; held?: number; spec?: LimitSpec } = {},
): LeaseRequest {
  const { lessee = "edge-a", need = 0, want = 0, held = 0, spec = SPEC } = options;
  const item: LeaseItem = {
    partition: "requests",
    spec,
    heldMicro: held * TOKEN,
    returnMicro: 0,
    demandMicroPerSecond: 50 * TOKEN,
    wantMicro: want * TOKEN,
  };
  const waiting: WaitingGroup[] = need === 0 ? [] : [{ count: need, costMicro: TOKEN, enforced: [0], shadow: [] }];
  return { v: 1, lesseeId: lessee, seq, configVersion: 1, recordVersion: 0, items: [item], waiting };
}

/** A bucket with a rate high enough to lease ahead, so slow to watch that it hardly refills within a test. */
const LEASING: LimitSpec = { kind: "bucket", refillNumerator: 5_000, refillDenominator: 1, burstMicro: 100 * TOKEN };

function granted(reply: LeaseReply): Extract<LeaseReply, { kind: "granted" }> {
  if (reply.kind !== "granted") throw new Error(`reply is ${reply.kind}`);
  return reply;
}

const free = async (): Promise<{ free: number | undefined; outstanding: number | undefined }> => {
  const { partitions } = await tenant().status();
  return { free: partitions[0]?.freeTokens, outstanding: partitions[0]?.outstandingTokens };
};

describe("the Tenant object", () => {
  it("answers a repeated call with the same reply and debits once", async () => {
    const first = await tenant().lease(request(1, { need: 30 }));
    const again = await tenant().lease(request(1, { need: 30 }));
    expect(again).toEqual(first);
    expect((await free()).free).toBe(70);
  });

  it("does nothing for a call that was overtaken by a newer one", async () => {
    await tenant().lease(request(2, { need: 10 }));
    expect((await tenant().lease(request(1, { need: 50 }))).kind).toBe("stale");
    expect((await free()).free).toBe(90);
  });

  it("keeps free tokens, leases and the last reply when it is evicted in the middle of a lease", async () => {
    const first = granted(await tenant().lease(request(1, { need: 10, want: 40, spec: LEASING })));
    const leased = (first.grants[0]?.grantedMicro ?? 0) / TOKEN;
    expect(leased).toBeGreaterThan(10);
    await evictDurableObject(tenant());
    const after = await free();
    expect(after.outstanding).toBe(leased);
    expect(after.free).toBeLessThanOrEqual(100 - leased);
    expect(after.free).toBeLessThan(90);
    // The reply was lost with the connection: the lessee asks again under the same number.
    expect(await tenant().lease(request(1, { need: 10, want: 40, spec: LEASING }))).toEqual(first);
    expect((await free()).outstanding).toBe(leased);
  });

  it("is never full again after an eviction", async () => {
    await tenant().lease(request(1, { need: 100 }));
    for (let round = 0; round < 3; round++) {
      await evictDurableObject(tenant());
      const reply = granted(await tenant().lease(request(2 + round, { need: 5 })));
      expect(reply.waiting[0]?.admitted).toBe(0);
    }
  });

  it("admits exactly the burst, whatever many lessees ask at once", async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) => tenant().lease(request(1, { lessee: `edge-${index}`, need: 50 }))),
    );
    const admitted = replies.reduce((sum, reply) => sum + (granted(reply).waiting[0]?.admitted ?? 0), 0);
    expect(admitted).toBeLessThanOrEqual(100);
    expect(admitted).toBeGreaterThanOrEqual(95);
  });

  it("refuses a malformed call and debits nothing", async () => {
    const bad = { ...request(1, { need: 10 }), items: [{ ...request(1).items[0], heldMicro: -5 }] } as LeaseRequest;
    await runInDurableObject(tenant(), async (instance: Tenant) => {
      await expect(instance.lease(bad)).rejects.toThrow(/bad amounts/);
      await expect(instance.lease({ ...request(1), seq: Number.NaN })).rejects.toThrow(/bad seq/);
    });
    expect((await tenant().status()).partitions).toEqual([]);
  });

  it("counts a partition it cannot read as empty, not as full", async () => {
    await tenant().lease(request(1, { need: 1 }));
    await runInDurableObject(tenant(), (_instance, state) => {
      state.storage.sql.exec("UPDATE partition SET state = '{\"spec\":'");
    });
    await evictDurableObject(tenant());
    expect(granted(await tenant().lease(request(2, { need: 5 }))).waiting[0]?.admitted).toBe(0);
  });

  it("cleans up only what is full and unleased", async () => {
    const spent = request(1, { need: 50 });
    const [item] = spent.items;
    if (item === undefined) throw new Error("no item");
    const untouched = { ...item, partition: "untouched" };
    await tenant().lease({ ...spent, items: [item, untouched] });
    expect((await tenant().status()).partitions.map(({ partition }) => partition)).toEqual(["requests", "untouched"]);
    expect(await runDurableObjectAlarm(tenant())).toBe(true);
    await evictDurableObject(tenant());
    expect((await tenant().status()).partitions.map(({ partition }) => partition)).toEqual(["requests"]);
  });

  it("tells every lessee of a revoked key with its next lease", async () => {
    await tenant().createKey({ v: 1, keyId: "key-1", label: "ci" });
    expect(granted(await tenant().lease(request(1))).record).toEqual({ version: 1, revokedKeyIds: [], endingKeys: [] });
    expect(await tenant().revokeKey({ v: 1, keyId: "nope" })).toBeUndefined();
    expect((await tenant().revokeKey({ v: 1, keyId: "key-1" }))?.revokedAtMs).toBeGreaterThan(0);
    await evictDurableObject(tenant());
    const reply = granted(await tenant().lease({ ...request(2), recordVersion: 1 }));
    expect(reply.record).toEqual({ version: 2, revokedKeyIds: ["key-1"], endingKeys: [] });
    expect(granted(await tenant().lease({ ...request(3), recordVersion: 2 })).record).toBeUndefined();
  });
});

describe("an override", () => {
  const HOUR_MS = 3_600_000;
  const raised: LimitSpec = { ...SPEC, burstMicro: 500 * TOKEN };
  const set = (spec: LimitSpec, forMs = HOUR_MS, limitId = "requests") =>
    tenant().setOverride({ v: 1, limitId, spec, forMs, reason: "test" });
  const grant = async (seq: number) => granted(await tenant().lease(request(seq, { need: 1 }))).grants[0];

  it("holds from the next reply on, which says so, and never fills the bucket", async () => {
    expect(await grant(1)).not.toHaveProperty("spec");
    await set(raised);
    const after = await grant(2);
    expect(after?.spec).toEqual(raised);
    expect(after?.freeMicro).toBe(98 * TOKEN);
    expect((await tenant().status()).partitions[0]?.overriddenUntilMs).toBeGreaterThan(Date.now());
  });

  it("takes what is free at once when it lowers a limit, and gives none of it back when it ends", async () => {
    await grant(1);
    await set({ ...SPEC, burstMicro: 10 * TOKEN });
    expect((await grant(2))?.freeMicro).toBe(9 * TOKEN);
    expect(await tenant().removeOverride({ v: 1, limitId: "requests" })).toBe(true);
    expect((await grant(3))?.freeMicro).toBe(8 * TOKEN);
    expect(await tenant().removeOverride({ v: 1, limitId: "requests" })).toBe(false);
  });

  it("ends by itself, and the alarm forgets it", async () => {
    await set(raised, 1);
    let seq = 0;
    await vi.waitFor(async () => expect(await grant(++seq)).not.toHaveProperty("spec"));
    expect((await tenant().listOverrides()).overrides).toEqual([]);
    await runDurableObjectAlarm(tenant());
    const rows = await runInDurableObject(tenant(), (_: Tenant, state) =>
      state.storage.sql.exec("SELECT limit_id FROM override").toArray(),
    );
    expect(rows).toEqual([]);
  });

  it("survives an eviction; one that cannot be read is as if it had ended", async () => {
    await set(raised);
    await evictDurableObject(tenant());
    expect((await grant(1))?.spec).toEqual(raised);
    await runInDurableObject(tenant(), (_: Tenant, state) => {
      state.storage.sql.exec("UPDATE override SET state = '{'");
    });
    await evictDurableObject(tenant());
    expect(await grant(2)).not.toHaveProperty("spec");
  });

  it("of another kind than the limit is not taken", async () => {
    await set({ kind: "slots", slotsMicro: TOKEN });
    expect(await grant(1)).not.toHaveProperty("spec");
  });

  it("is one of a hundred at most", async () => {
    for (let index = 0; index < 100; index++) await set(raised, HOUR_MS, `limit-${index}`);
    await set(raised, HOUR_MS, "limit-7");
    const refused = await runInDurableObject(tenant(), (object: Tenant) =>
      object.setOverride({ v: 1, limitId: "one-more", spec: raised, forMs: HOUR_MS, reason: "test" }).then(
        () => "taken",
        (error: unknown) => String(error),
      ),
    );
    expect(refused).toContain("at most 100 overrides");
  });
});
