/** Attack: lines of a restore that no backup has: prototypes, bombs, bad configs, tenants and keys of nobody. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { packConfig } from "../../src/config/packed.ts";
import { CONTROL_OBJECT } from "../../src/protocol/control.ts";
import { AdminSite } from "../edge/admin-site.ts";

afterEach(() => reset());

const SHA = "a".repeat(64);
const begin = (site: AdminSite, more: object = {}) =>
  site.call("POST", "/restores", { sha256: SHA, createdAt: "2026-11-26T06:00:00.000Z", ...more });
const send = (site: AdminSite, lines: unknown, sha = SHA) => site.call("POST", `/restores/${sha}/lines`, { lines });
const end = (site: AdminSite) => site.call("POST", `/restores/${SHA}/end`, {});
const inForce = async () => (await env.CONTROL.getByName(CONTROL_OBJECT).inForce({ v: 1 })).inForce;

const base64 = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
};
const configLine = (number: number) => ({
  kind: "config",
  number,
  configVersion: 5,
  hash: "h",
  source: "apply",
  author: "ann",
  message: "",
  atMs: 1,
  contentOf: null,
  originIds: ["app"],
});
const content = (number: number, bytes: Uint8Array) => ({
  kind: "config-content",
  number,
  of: "packed",
  part: 0,
  bytes: base64(bytes),
});
const holds = (number: number) => ({ kind: "in-force", number, sequence: 3, trial: null, lastDeploy: null });
const tenant = {
  kind: "tenant",
  id: "evil",
  settings: { plan: "open" },
  label: "",
  suspended: null,
  createdAtMs: 1,
  updatedAtMs: 1,
};
const key = {
  kind: "key",
  tenant: "acme",
  keyId: "0123456789abcdef",
  label: "",
  scopes: [],
  createdAtMs: 1,
  expiresAtMs: null,
  revokedAtMs: null,
  endsAtMs: null,
  replacedBy: null,
  lastUsedAtMs: null,
};

describe("lines", () => {
  it("are taken when they are good: what is refused below is refused for what it is", async () => {
    const site = await AdminSite.make();
    expect((await begin(site)).status).toBe(201);
    const packed = await packConfig(site.edge.config.tables.config);
    const taken = await send(site, [configLine(1), content(1, packed), holds(1), tenant, key]);
    expect([taken.status, taken.json]).toEqual([200, { lines: 5 }]);
    expect((await end(site)).json["number"]).toBe((await inForce())?.number);
  });

  it.each<[string, unknown]>([
    ["of no kind", [{ kind: "secret" }]],
    ["of a prototype's name", [{ kind: "__proto__" }]],
    ["that are no lines", ["tenant", 1, null]],
    ["that are none", []],
    ["more than a call takes", Array.from({ length: 201 }, () => tenant)],
    ["with a field more", [{ ...tenant, role: "admin" }]],
    ["of a tenant whose name is a path", [{ ...tenant, id: "../control" }]],
    ["of a tenant whose name is a prototype", [{ ...tenant, id: "__proto__" }]],
    [
      "of a tenant with bad settings",
      [{ ...tenant, settings: { plan: "open", limits: { requests: { rate: "-1/s", burst: 1 } } } }],
    ],
    ["of a key with a number for a name", [{ ...key, keyId: 7 }]],
    ["of a key of an anonymous object", [{ ...key, tenant: "anonymous:open:0" }]],
    [
      "of an override beyond numbers",
      [
        {
          kind: "override",
          tenant: "acme",
          limitId: "requests",
          reason: "",
          setAtMs: 1,
          expiresAtMs: 9e15,
          spec: { kind: "bucket", refillNumerator: 1, refillDenominator: 9e15, burstMicro: 9e15 },
        },
      ],
    ],
    [
      "of an override of nothing",
      [
        {
          kind: "override",
          tenant: "acme",
          limitId: "requests",
          reason: "",
          setAtMs: 1,
          expiresAtMs: 9e12,
          spec: { kind: "bucket", refillNumerator: 0, refillDenominator: 1, burstMicro: 0 },
        },
      ],
    ],
    ["of a purge at the end of all numbers", [{ kind: "purges", origin: "app", epoch: Number.MAX_SAFE_INTEGER }]],
    [
      "of a token of no role",
      [
        {
          kind: "token",
          tokenId: "0123456789abcdef",
          label: "x",
          role: "root",
          tenants: null,
          createdAtMs: 1,
          createdBy: "x",
          expiresAtMs: 9e12,
          revokedAtMs: null,
          lastUsedAtMs: null,
        },
      ],
    ],
    [
      "of the audit's future",
      [
        {
          kind: "audit",
          entryId: 7,
          atMs: 1,
          actor: { id: "x", name: "x", role: "admin" },
          operation: "x",
          params: {},
          requestId: "",
          client: "",
          outcome: "done",
          status: 200,
          before: null,
          after: null,
        },
      ],
    ],
  ])("%s are refused, and nothing of the batch is kept", async (_what, lines) => {
    const site = await AdminSite.make();
    await begin(site);
    const refused = await send(
      site,
      Array.isArray(lines) && lines.length > 0 && lines.length < 200 ? [...lines, tenant] : lines,
    );
    expect([400, 422]).toContain(refused.status);
    expect((await site.call("GET", "/tenants/evil")).status).toBe(404);
    expect(({} as { role?: string }).role).toBeUndefined();
  });

  it("are refused for a restore that is not under way", async () => {
    const site = await AdminSite.make();
    expect((await send(site, [tenant])).status).toBe(409);
    await begin(site);
    expect((await send(site, [tenant], "b".repeat(64))).status).toBe(409);
    expect((await site.call("GET", "/tenants/evil")).status).toBe(404);
  });
});

describe("a config in a restore", () => {
  async function gzipped(text: string): Promise<Uint8Array> {
    const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
  const HOSTILE: Readonly<Record<string, (site: AdminSite) => Promise<Uint8Array>>> = {
    "that unpacks to forty megabytes": () => gzipped(`{"v":1,"config":"${" ".repeat(40_000_000)}"}`),
    "that is no config": () => gzipped('{"v":1,"config":{"routes":[]}}'),
    "that is nested a million deep": () => gzipped("[".repeat(1_000_000)),
    "that reaches into a private network": (site) => {
      const { config } = site.edge.config.tables;
      return packConfig({
        ...config,
        origins: config.origins.map((origin) => ({ ...origin, url: "http://169.254.169.254" })),
      });
    },
  };
  it.each(Object.keys(HOSTILE))("%s never comes in force", async (name) => {
    const site = await AdminSite.make();
    await begin(site);
    const packed = (await HOSTILE[name]?.(site)) ?? new Uint8Array();
    expect((await send(site, [configLine(1), content(1, packed), holds(1)])).status).toBe(200);
    expect((await end(site)).status).toBe(422);
    expect(await inForce()).toBeUndefined();
  });

  it("that the log does not have never comes in force", async () => {
    const site = await AdminSite.make();
    await begin(site);
    const packed = await packConfig(site.edge.config.tables.config);
    await send(site, [configLine(1), content(2, packed), holds(2)]);
    expect((await end(site)).status).toBe(503);
    expect(await inForce()).toBeUndefined();
  });

  it("does not replace what was applied here without being told to, however it is named", async () => {
    const site = await AdminSite.make();
    await site.makeToken({ role: "reader" });
    const refused = await begin(site);
    expect([refused.status, refused.json["found"]]).toEqual([409, ["tokens of the admin API"]]);
    expect((await begin(site, { dryRun: true })).status).toBe(409);
    expect((await begin(site, { force: true })).status).toBe(201);
  });
});

describe("a revoked key", () => {
  it("cannot be made to hold again by a restore, nor a token", async () => {
    const site = await AdminSite.make();
    const made = await site.call("POST", "/tenants/acme/keys", {});
    const keyId = String(made.json["keyId"]);
    await site.call("DELETE", `/tenants/acme/keys/${keyId}`);
    const { tokenId } = await site.makeToken({ role: "reader" });
    const { json } = await site.call("DELETE", `/tokens/${tokenId}`);
    const token = { kind: "token", ...json, revokedAtMs: null };
    await begin(site, { force: true });
    expect((await send(site, [{ ...key, keyId }, token])).status).toBe(200);
    const [listed] = (await site.call("GET", "/tenants/acme/keys")).json["keys"] as { state: string }[];
    expect(listed?.state).toBe("revoked");
    const tokens = (await site.call("GET", "/tokens")).json["tokens"] as {
      tokenId: string;
      revokedAtMs: number | null;
    }[];
    expect(tokens.find((one) => one.tokenId === tokenId)?.revokedAtMs).not.toBeNull();
  });
});
