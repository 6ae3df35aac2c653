import { env } from "cloudflare:workers";
import { createExecutionContext, evictDurableObject, reset, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { LimitConfig } from "../../src/config/model.ts";
import { type Admission, type AdmitRequest, Lessees } from "../../src/edge/lessees.ts";
import type { Env } from "../../src/platform/bindings.ts";
import type { LeaseRequest } from "../../src/protocol/tenant.ts";

afterEach(() => reset());

const limit = (change: Partial<LimitConfig> = {}): LimitConfig => ({
  name: "requests",
  id: "requests",
  spec: { kind: "bucket", refillNumerator: 1, refillDenominator: 1_000, burstMicro: 20_000_000 },
  partition: "tenant",
  mode: "enforce",
  failMode: "closed",
  deadlineMs: 2_000,
  quotaTokens: 20,
  windowSeconds: 1,
  ...change,
});

/** One limit of 100/s, so that tokens are leased ahead. */
const FAST = limit({
  spec: { kind: "bucket", refillNumerator: 100_000, refillDenominator: 1, burstMicro: 100_000_000 },
});

class Caller {
  readonly context = createExecutionContext();
  shadowRefused = 0;
  readonly lessees = new Lessees({
    maxTenants: 2,
    edgeId: crypto.randomUUID(),
    now: Date.now,
    onShadowRefused: (_name, _limit, count) => {
      this.shadowRefused += count;
    },
  });
  readonly #env: Env;

  constructor(bindings: Env = env) {
    this.#env = bindings;
  }

  request(tenantLimits: readonly LimitConfig[], change: Partial<AdmitRequest> = {}): AdmitRequest {
    return {
      env: this.#env,
      waitUntil: (work) => {
        this.context.waitUntil(work);
      },
      nowMs: Date.now(),
      coordinatorName: "tenant:acme",
      configVersion: 1,
      tenantLimits,
      routeLimits: [],
      principal: "key",
      costMicro: 1_000_000,
      keyId: undefined,
      ...change,
    };
  }

  admit(tenantLimits: readonly LimitConfig[], change: Partial<AdmitRequest> = {}): Admission | Promise<Admission> {
    return this.lessees.admit(this.request(tenantLimits, change));
  }

  done(): Promise<void> {
    return waitOnExecutionContext(this.context);
  }
}

/** Bindings whose coordinators throw, or never answer. */
function broken(lease: () => Promise<never>): Env {
  return { ...env, WAN: { call: lease } };
}

describe("an isolate as a lessee", () => {
  it("admits exactly the burst of requests that come at once, with few calls, and refuses the rest locally", async () => {
    const caller = new Caller();
    const limits = [limit()];
    const admissions = await Promise.all(Array.from({ length: 60 }, () => caller.admit(limits)));
    expect(admissions.filter(({ admitted }) => admitted)).toHaveLength(20);
    expect(caller.lessees.stats.calls).toBeLessThanOrEqual(3);
    const refused = caller.admit(limits);
    expect(refused).toMatchObject({ admitted: false, reason: "limited", violated: limits });
    await caller.done();
  });

  it("is warm after its first call: then it decides without one, at once", async () => {
    const caller = new Caller();
    const limits = [FAST];
    await Promise.all(Array.from({ length: 20 }, () => caller.admit(limits)));
    await caller.done();
    const { calls } = caller.lessees.stats;
    const next = caller.admit(limits);
    expect(next).toMatchObject({ admitted: true, decidedBy: "lease" });
    expect(caller.lessees.stats.calls).toBeLessThanOrEqual(calls + 1);
    await caller.done();
  });

  it("takes nothing at any level from a request that one level refuses", async () => {
    const caller = new Caller();
    const limits = [limit()];
    const routeLimits = [
      limit({
        name: "route",
        id: "route:r:route",
        spec: { kind: "bucket", refillNumerator: 1, refillDenominator: 1_000, burstMicro: 2_000_000 },
      }),
    ];
    const admissions = await Promise.all(Array.from({ length: 10 }, () => caller.admit(limits, { routeLimits })));
    expect(admissions.filter(({ admitted }) => admitted)).toHaveLength(2);
    const { partitions } = await env.TENANT.getByName("tenant:acme").status();
    expect(partitions.find(({ partition }) => partition === "requests")?.freeTokens).toBe(18);
    await caller.done();
  });

  it("never refuses for a shadow limit, and counts what it would have refused", async () => {
    const caller = new Caller();
    const limits = [
      FAST,
      limit({
        name: "shadow",
        id: "shadow",
        mode: "shadow",
        spec: { kind: "bucket", refillNumerator: 1, refillDenominator: 1_000, burstMicro: 3_000_000 },
      }),
    ];
    const admissions: Admission[] = [];
    for (let index = 0; index < 10; index++) admissions.push(await caller.admit(limits));
    await caller.done();
    expect(admissions.every(({ admitted }) => admitted)).toBe(true);
    expect(caller.shadowRefused).toBe(7);
  });

  it("asks once for a request that it can pay in part, and refuses it when the rest is not there", async () => {
    const caller = new Caller();
    // Of "few" this isolate holds one token more than the coordinator has; of "many" it leases nothing ahead.
    const limits = [
      limit({ name: "few", id: "few", spec: { kind: "quota", quotaMicro: 3_000_000, period: "day", timeZone: "UTC" } }),
      limit({ name: "many", id: "many" }),
    ];
    const admitted: boolean[] = [];
    for (let index = 0; index < 6; index++) admitted.push((await caller.admit(limits)).admitted);
    expect(admitted).toEqual([true, true, true, false, false, false]);
    await caller.done();
    expect(caller.lessees.stats.calls).toBeLessThanOrEqual(4);
  });

  it("gives a slot back that was granted to a key which turns out to be revoked", async () => {
    const slots = limit({ name: "concurrency", id: "concurrency", spec: { kind: "slots", slotsMicro: 2_000_000 } });
    const tenant = env.TENANT.getByName("tenant:acme");
    await tenant.createKey({ v: 1, keyId: "0123456789abcdef", label: "" });
    await tenant.revokeKey({ v: 1, keyId: "0123456789abcdef" });
    const caller = new Caller();
    for (let index = 0; index < 3; index++) {
      const change = { keyId: "0123456789abcdef" };
      expect(await caller.admit([slots], change)).toMatchObject({ admitted: false, reason: "key-revoked" });
    }
    const others = await Promise.all([caller.admit([slots]), caller.admit([slots]), caller.admit([slots])]);
    expect(others.map(({ admitted }) => admitted)).toEqual([true, true, false]);
    await caller.done();
  });

  it("goes on with the same number after its coordinator was evicted", async () => {
    const caller = new Caller();
    const limits = [limit()];
    await Promise.all(Array.from({ length: 12 }, () => caller.admit(limits)));
    await evictDurableObject(env.TENANT.getByName("tenant:acme"));
    const more = await Promise.all(Array.from({ length: 20 }, () => caller.admit(limits)));
    expect(more.filter(({ admitted }) => admitted)).toHaveLength(8);
    await caller.done();
  });

  it("begins anew with a tenant it had to forget, under a name the coordinator does not take for an old one", async () => {
    const caller = new Caller();
    const limits = [limit()];
    expect(await caller.admit(limits)).toMatchObject({ admitted: true });
    for (const other of ["b", "c", "d"]) await caller.admit(limits, { coordinatorName: `tenant:${other}` });
    const again = await Promise.all(Array.from({ length: 30 }, () => caller.admit(limits)));
    expect(again.filter(({ admitted }) => admitted)).toHaveLength(19);
    expect(caller.lessees.stats.staleReplies).toBe(0);
    await caller.done();
  });

  it("books what a fail mode admitted as soon as the coordinator answers", async () => {
    let away = true;
    const tenant = env.TENANT.getByName("tenant:acme");
    const call = (_kind: string, _name: string, _method: string, argument: LeaseRequest): Promise<unknown> =>
      away ? Promise.reject(new Error("away")) : tenant.lease(argument);
    const caller = new Caller({ ...env, WAN: { call } });
    const limits = [limit({ failMode: "open", deadlineMs: 500 })];
    for (let index = 0; index < 5; index++)
      expect(await caller.admit(limits)).toMatchObject({ decidedBy: "fail-open" });
    away = false;
    let admitted = 5;
    await vi.waitFor(
      async () => {
        admitted++;
        expect(await caller.admit(limits)).toMatchObject({ decidedBy: "coordinator" });
      },
      { timeout: 3_000, interval: 100 },
    );
    await caller.done();
    const { partitions } = await tenant.status();
    expect(partitions[0]?.freeTokens).toBe(20 - admitted);
  });

  it("refuses a revoked key, and one it has never heard of only after asking", async () => {
    const tenant = env.TENANT.getByName("tenant:acme");
    await tenant.createKey({ v: 1, keyId: "k", label: "" });
    await tenant.revokeKey({ v: 1, keyId: "k" });
    const caller = new Caller();
    expect(await caller.admit([FAST], { keyId: "k" })).toMatchObject({ admitted: false, reason: "key-revoked" });
    expect(await caller.admit([FAST], { keyId: "other" })).toMatchObject({ admitted: true });
    expect(caller.admit([FAST], { keyId: "k" })).toMatchObject({ admitted: false, reason: "key-revoked" });
    await caller.done();
  });
});

describe("a tenant's record", () => {
  const standing = (revision: number, suspended: boolean) => ({
    v: 1 as const,
    standing: { revision, born: 1, profile: undefined, suspended },
  });

  it("that says suspended refuses every named caller of the tenant, until it says otherwise", async () => {
    const tenant = env.TENANT.getByName("tenant:acme");
    await tenant.setStanding(standing(1, true));
    const caller = new Caller();
    expect(await caller.admit([FAST], { named: true })).toMatchObject({ admitted: false, reason: "suspended" });
    expect(caller.admit([FAST], { named: true })).toMatchObject({ admitted: false, reason: "suspended" });
    await tenant.setStanding(standing(2, false));
    const later = { named: true, nowMs: Date.now() + 5_001 };
    expect(await caller.admit([FAST], later)).toMatchObject({ admitted: true });
    await caller.done();
  });

  it("still refuses whom it refused when the coordinator is out of reach", async () => {
    let away = false;
    const call = async (_kind: string, name: string, _method: string, argument: LeaseRequest): Promise<unknown> => {
      if (away) throw new Error("away");
      const tenant: { lease(request: unknown): Promise<unknown> } = env.TENANT.getByName(name);
      return tenant.lease(argument);
    };
    const tenant = env.TENANT.getByName("tenant:acme");
    await tenant.createKey({ v: 1, keyId: "k" });
    await tenant.revokeKey({ v: 1, keyId: "k" });
    const caller = new Caller({ ...env, WAN: { call } });
    const open = [limit({ failMode: "open", deadlineMs: 60 })];
    expect(await caller.admit(open, { keyId: "k" })).toMatchObject({ reason: "key-revoked" });
    await tenant.setStanding(standing(1, true));
    expect(await caller.admit(open, { named: true, nowMs: Date.now() + 5_001 })).toMatchObject({ reason: "suspended" });
    away = true;
    const later = { nowMs: Date.now() + 60_000 };
    expect(await caller.admit(open, { ...later, keyId: "other" })).toMatchObject({ decidedBy: "fail-open" });
    expect(await caller.admit(open, { ...later, keyId: "k" })).toMatchObject({ reason: "key-revoked" });
    expect(await caller.admit(open, { ...later, named: true })).toMatchObject({ reason: "suspended" });
    await caller.done();
  });
});

describe.each([
  ["throws", () => Promise.reject(new Error("object gone"))],
  ["never answers", () => new Promise<never>(() => undefined)],
])("when the coordinator %s", (_how, lease) => {
  it("a closed limit refuses, an open one admits, a local one admits a bounded share", async () => {
    const answer = async (failMode: LimitConfig["failMode"]): Promise<{ admitted: number; kinds: Set<string> }> => {
      const caller = new Caller(broken(lease));
      const limits = [limit({ failMode, deadlineMs: 60 })];
      const admissions: Admission[] = [];
      for (let index = 0; index < 30; index++) admissions.push(await caller.admit(limits));
      return {
        admitted: admissions.filter(({ admitted }) => admitted).length,
        kinds: new Set(admissions.map((admission) => (admission.admitted ? admission.decidedBy : admission.reason))),
      };
    };
    expect(await answer("closed")).toEqual({ admitted: 0, kinds: new Set(["coordinator-unreachable"]) });
    expect(await answer("open")).toEqual({ admitted: 30, kinds: new Set(["fail-open"]) });
    const local = await answer("local");
    expect(local.kinds).toEqual(new Set(["fail-local", "limited"]));
    expect(local.admitted).toBeGreaterThanOrEqual(1);
    expect(local.admitted).toBeLessThanOrEqual(20 / 8 + 1);
  });

  it("a closed limit refuses also where nothing is charged, because the key cannot be checked", async () => {
    const caller = new Caller(broken(lease));
    const change = { keyId: "k", chargeNothing: true };
    expect(await caller.admit([limit({ failMode: "closed", deadlineMs: 60 })], change)).toMatchObject({
      admitted: false,
      reason: "coordinator-unreachable",
    });
    const other = new Caller(broken(lease));
    expect(await other.admit([limit({ failMode: "local" })], change)).toMatchObject({ admitted: true });
  });

  it("only the first request waits for the deadline; the next ones go to the fail mode at once", async () => {
    const caller = new Caller(broken(lease));
    const limits = [limit({ failMode: "open", deadlineMs: 100 })];
    await caller.admit(limits);
    expect(caller.admit(limits)).toMatchObject({ admitted: true, decidedBy: "fail-open" });
  });
});
