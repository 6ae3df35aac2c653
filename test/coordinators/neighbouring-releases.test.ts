/**
 * A deploy can be taken back, and objects keep what they stored: each opens tables of the release before and of the one
 * after, loses nothing of them that it knows, and leaves alone what it does not.
 */
import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { BREAKER_DEFAULTS } from "../../src/policy/breaker/types.ts";
import { CONTROL_OBJECT } from "../../src/protocol/control.ts";
import { TENANT_INDEX_OBJECT } from "../../src/protocol/tenant-index.ts";

afterEach(() => reset());

type Stub = Parameters<typeof evictDurableObject>[0];
type Sql = SqlStorage;

const settings = {
  configVersion: 1,
  breaker: BREAKER_DEFAULTS,
  probeUrl: "https://app.example/",
  probeTimeoutMs: 1_000,
};
const spec = { kind: "bucket" as const, refillNumerator: 1, refillDenominator: 1, burstMicro: 5_000_000 };
const item = { partition: "requests", spec, heldMicro: 0, returnMicro: 0, demandMicroPerSecond: 0, wantMicro: 0 };

const tenant = () => env.TENANT.getByName("tenant:acme");
const origin = () => env.ORIGIN.getByName("origin:app");
const control = () => env.CONTROL.getByName(CONTROL_OBJECT);
const index = () => env.TENANT_INDEX.getByName(TENANT_INDEX_OBJECT);
const metrics = () => env.METRICS.getByName("metrics");

const lease = (seq: number) =>
  tenant().lease({
    v: 1,
    lesseeId: "edge",
    seq,
    configVersion: 1,
    recordVersion: 0,
    items: [item],
    waiting: [{ count: 3, costMicro: 1_000_000, enforced: [0], shadow: [] }],
  });

interface Kind {
  readonly stub: () => Stub;
  /** Something of each table. */
  readonly fill: () => Promise<unknown>;
  /** What is there, as its users see it. */
  readonly read: () => Promise<unknown>;
  /** Tables whose rows are added to by column names, with what a later release may have added to them. */
  readonly tables: readonly string[];
  /** Tables in which a later release may have put fields into JSON, with the column. */
  readonly bodies: readonly (readonly [table: string, column: string])[];
  /** Turns the tables into those of the release before; undefined: that had no such object. */
  readonly older?: (sql: Sql) => void;
  readonly schema: number;
}

const profile = { plan: "open", limits: [] } as unknown as { plan: string; limits: [] };

const KINDS: Readonly<Record<string, Kind>> = {
  tenant: {
    stub: tenant,
    fill: async () => {
      await tenant().createKey({ v: 1, keyId: "0000000000000001", label: "ci" });
      await tenant().createKey({ v: 1, keyId: "0000000000000002" });
      await tenant().revokeKey({ v: 1, keyId: "0000000000000002" });
      await tenant().setOverride({ v: 1, limitId: "requests", spec, forMs: 3_600_000, reason: "a try" });
      await tenant().setStanding({ v: 1, standing: { born: 1, revision: 1, profile: undefined, suspended: true } });
      await lease(1);
    },
    read: async () => ({
      keys: (await tenant().listKeys()).keys,
      overrides: (await tenant().listOverrides()).overrides,
      suspended: (await tenant().record({ v: 1, tenantId: "acme" })).suspended,
      partitions: (await tenant().status()).partitions.map(({ partition, capacityTokens }) => [
        partition,
        capacityTokens,
      ]),
    }),
    tables: ["partition", "lessee", "api_key", "override", "standing"],
    bodies: [
      ["partition", "state"],
      ["override", "state"],
      ["standing", "body"],
    ],
    older: (sql) => {
      sql.exec(
        "CREATE TABLE was (key_id TEXT PRIMARY KEY, label TEXT NOT NULL, created_at_ms INTEGER NOT NULL, revoked_at_ms INTEGER) WITHOUT ROWID",
      );
      sql.exec("INSERT INTO was SELECT key_id, label, created_at_ms, revoked_at_ms FROM api_key");
      sql.exec("DROP TABLE api_key");
      sql.exec("ALTER TABLE was RENAME TO api_key");
      // It knew no debt, and nothing written off.
      sql.exec("UPDATE partition SET state = json_remove(state, '$.debtMicro', '$.writtenOffMicro')");
    },
    schema: 2,
  },
  origin: {
    stub: origin,
    fill: async () => {
      await origin().force({ v: 1, settings, state: "open", reason: "moved", by: "ann", forMs: 3_600_000 });
      const asked = {
        routeId: "all",
        startInMs: 0,
        forMs: 3_600_000,
        allow: [],
        pageOnly: true,
        reason: "paint",
        by: "ann",
      };
      await origin().placeMaintenance({ v: 1, asked });
      await origin().purge({ v: 1, target: { kind: "tag", value: "news" }, mode: "hard", reason: "wrong", by: "ann" });
      await origin().configInForce({ v: 1, inForce: { sequence: 5, number: 3 } });
    },
    read: async () => {
      const { forced, history, view } = await origin().status();
      return {
        forced,
        history,
        config: view?.config,
        maintenance: (await origin().listMaintenance()).all,
        purges: await origin().listPurges(),
      };
    },
    tables: ["meta", "transition", "snapshot", "maintenance", "purge"],
    bodies: [
      ["transition", "body"],
      ["maintenance", "body"],
      ["purge", "body"],
    ],
    // What it did not have yet is made when the object wakes.
    older: (sql) => {
      sql.exec("UPDATE meta SET value = json_remove(value, '$.breaker.rampMs') WHERE name = 'settings'");
    },
    schema: 1,
  },
  control: {
    stub: control,
    fill: async () => {
      const write = { packed: new Uint8Array([1, 2]), text: "{}", author: "ann", message: "", originIds: ["app"] };
      await control().apply({ v: 1, hash: "a", ...write, expected: 0, trial: undefined });
      await control().apply({ v: 1, hash: "b", ...write, expected: 1, trial: undefined });
      await control().apply({ v: 1, hash: "c", ...write, expected: 2, trial: { shareRatio: 0.1, forMs: 3_600_000 } });
      const intent = {
        actor: { id: "root", name: "root", role: "admin" },
        operation: "createToken",
        params: {},
        requestId: "r",
        client: "",
      } as const;
      const begun = await control().beginWrite({ v: 1, intent, once: undefined });
      const entryId = begun.kind === "begun" ? begun.entryId : 0;
      const token = {
        tokenId: "0123456789abcdef",
        label: "ci",
        role: "reader",
        tenants: ["acme"],
        forMs: 1_000_000,
        createdBy: "root",
      } as const;
      await control().createAdminToken({ v: 1, ...token, entryId });
    },
    read: async () => ({
      history: await control().history({ v: 1, before: undefined, limit: 10 }),
      content: await control().read({ v: 1, number: 1 }),
      tokens: await control().listAdminTokens({ v: 1, after: undefined, limit: 10 }),
      audit: await control().audit({ v: 1, before: undefined, limit: 10, filter: {} }),
    }),
    tables: [
      "config_version",
      "config_chunk",
      "config_push",
      "trial_edge",
      "admin_token",
      "audit",
      "admin_once",
      "restore",
      "staged_version",
      "staged_chunk",
    ],
    bodies: [
      ["config_version", "body"],
      ["audit", "intent"],
    ],
    older: (sql) => {
      for (const table of ["staged_version", "staged_chunk", "restore"]) sql.exec(`DROP TABLE ${table}`);
    },
    schema: 1,
  },
  "tenant index": {
    stub: index,
    fill: async () => {
      const one = { profile, settings: '{"plan":"open"}', label: "Acme Ltd" } as never;
      await index().upsert({
        v: 1,
        tenants: [
          { id: "acme", ...(one as object) },
          { id: "globex", ...(one as object) },
        ] as never,
      });
      await index().suspend({ v: 1, id: "globex", reason: "the bill", inFile: false });
    },
    read: async () => ({
      all: await index().list({ v: 1, words: "", plan: undefined, suspended: undefined, after: undefined, limit: 10 }),
      found: await index().list({
        v: 1,
        words: "ltd",
        plan: "open",
        suspended: undefined,
        after: undefined,
        limit: 10,
      }),
      counts: await index().counts(),
    }),
    tables: ["tenant", "plan_count", "push", "removed_tenant"],
    bodies: [["tenant", "body"]],
    older: (sql) => {
      sql.exec("DROP TABLE removed_tenant");
    },
    schema: 1,
  },
  metrics: {
    stub: metrics,
    fill: () =>
      metrics().flush({
        v: 2,
        edgeId: "edge",
        configVersion: 1,
        durable: 0,
        batches: [{ seq: 1, spanMs: 1_000, routes: [], tenants: [], events: { weir_config_swaps_total: 7 } }],
      }),
    read: async () => (await metrics().totals()).series,
    tables: ["chunk"],
    bodies: [],
    older: (sql) => {
      sql.exec("DROP TABLE chunk");
      sql.exec("INSERT INTO total VALUES ('weir_config_swaps_total', 7), ('weir_requests_total{route=\"all\"}', 7)");
    },
    schema: 2,
  },
};

const inStorage = (stub: () => Stub, act: (sql: Sql) => void): Promise<void> =>
  runInDurableObject(stub() as DurableObjectStub, (_object, { storage }) => {
    act(storage.sql);
  });

const schemaOf = (sql: Sql): number => Number(sql.exec("SELECT value FROM meta WHERE name = 'schema'").one()["value"]);

describe.each(Object.entries(KINDS))("the object: %s", (_name, { stub, fill, read, tables, bodies, older, schema }) => {
  it.runIf(older !== undefined)("takes over what the release before stored", async () => {
    await fill();
    const before = await read();
    await inStorage(stub, (sql) => {
      older?.(sql);
      sql.exec("UPDATE meta SET value = ? WHERE name = 'schema'", Math.max(1, schema - 1));
    });
    await evictDurableObject(stub());
    expect(await read()).toEqual(before);
    await inStorage(stub, (sql) => {
      expect(schemaOf(sql)).toBe(schema);
    });
  });

  it("works on what the release after stored, and leaves of it what it does not know", async () => {
    await fill();
    const before = await read();
    await inStorage(stub, (sql) => {
      for (const table of tables) {
        sql.exec(`ALTER TABLE ${table} ADD COLUMN of_later TEXT`);
        sql.exec(`ALTER TABLE ${table} ADD COLUMN count_of_later INTEGER NOT NULL DEFAULT 7`);
      }
      for (const [table, column] of bodies) {
        sql.exec(
          `UPDATE ${table} SET ${column} = json_set(${column}, '$.ofLater', json('{"a":[1]}')) WHERE json_valid(${column})`,
        );
      }
      sql.exec("CREATE TABLE of_later (id TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID");
      sql.exec("INSERT INTO of_later VALUES ('x', 'kept')");
      sql.exec("INSERT INTO meta (name, value) VALUES ('of-later', 5)");
      sql.exec("UPDATE meta SET value = 99 WHERE name = 'schema'");
    });
    await evictDurableObject(stub());
    expect(await read()).toMatchObject(before as object);
    await inStorage(stub, (sql) => {
      expect(schemaOf(sql)).toBe(99);
      expect(sql.exec("SELECT body FROM of_later").one()).toEqual({ body: "kept" });
      expect(Number(sql.exec("SELECT value FROM meta WHERE name = 'of-later'").one()["value"])).toBe(5);
    });
  });

  it("still writes there, and what it wrote outlives the next waking", async () => {
    await inStorage(stub, (sql) => {
      for (const table of tables) sql.exec(`ALTER TABLE ${table} ADD COLUMN of_later TEXT`);
      sql.exec("UPDATE meta SET value = 99 WHERE name = 'schema'");
    });
    await evictDurableObject(stub());
    await fill();
    const written = await read();
    await evictDurableObject(stub());
    expect(await read()).toEqual(written);
  });
});

describe("rows that cannot be read", () => {
  it("of the index hold up nobody else: their tenant is unknown until it is written again", async () => {
    await KINDS["tenant index"]?.fill();
    for (const broken of ["{", "null", "[]", '{"limits":[]}', '"open"']) {
      await inStorage(index, (sql) => {
        sql.exec("UPDATE tenant SET body = ? WHERE id = 'acme'", broken);
      });
      const all = { v: 1 as const, words: "", plan: undefined, suspended: undefined, after: undefined, limit: 10 };
      expect((await index().list(all)).tenants.map(({ id, profile: kept }) => [id, kept?.plan])).toEqual([
        ["acme", undefined],
        ["globex", "open"],
      ]);
      expect((await index().lookup({ v: 1, id: "acme" }))?.profile).toBeUndefined();
    }
  });

  it("of the Control object are no token, no version and no trial, and nothing else is lost", async () => {
    await KINDS["control"]?.fill();
    await inStorage(control, (sql) => {
      sql.exec("UPDATE config_version SET body = '{' WHERE number = 1");
      sql.exec("UPDATE admin_token SET tenants = '{'");
      sql.exec("UPDATE meta SET value = '{' WHERE name = 'trial'");
    });
    await evictDurableObject(control());
    const { versions, trial, inForce } = await control().history({ v: 1, before: undefined, limit: 10 });
    expect([versions.map(({ number }) => number), trial, inForce?.number]).toEqual([[3, 2], undefined, 2]);
    expect(await control().adminToken({ v: 1, tokenId: "0123456789abcdef" })).toBeUndefined();
  });
});
