import { describe, expect, it } from "vitest";
import { loadConfig, type LoadResult } from "../../src/config/load.ts";
import { preparePage } from "../../src/config/pages/prepare.ts";
import { compileIdentity } from "../../src/config/identity.ts";

const JWT = {
  type: "jwt",
  issuer: "https://issuer.example/",
  audience: "weir",
  jwks: "https://issuer.example/keys.json",
  tenantClaim: "tenant",
};
const PROXY = { type: "trustedHeader", tenantHeader: "X-Tenant-Id" };
const KEY = { type: "apiKey", header: "X-Api-Key" };
const ANYBODY = { type: "anonymous", plan: "free" };

function load(...identity: unknown[]): Promise<LoadResult> {
  const file = {
    version: 1,
    origins: { shop: { url: "https://shop.example" } },
    identity,
    plans: { free: {} },
    routes: [{ id: "all", match: { path: "/*" }, origin: "shop" }],
  };
  return loadConfig(JSON.stringify(file), { configVersion: 1, readPage: async () => undefined, preparePage });
}

const lines = (found: readonly { path: string; message: string }[]) =>
  found.map(({ path, message }) => `${path}: ${message}`);

async function problemsOf(...identity: unknown[]): Promise<string[]> {
  const result = await load(...identity);
  return lines(result.ok ? [] : result.problems);
}

async function rulesOf(...identity: unknown[]) {
  const result = await load(...identity);
  if (!result.ok) throw new Error(lines(result.problems).join("\n"));
  return { rules: result.config.identity, warnings: lines(result.warnings) };
}

describe("an identity rule", () => {
  it("gets its defaults: two asymmetric algorithms, Authorization with Bearer, half a minute between clocks", async () => {
    const { rules, warnings } = await rulesOf(JWT, PROXY, ANYBODY);
    expect(rules).toEqual([
      {
        ...JWT,
        audience: ["weir"],
        algorithms: ["ES256", "RS256"],
        header: "authorization",
        scheme: "Bearer",
        clockToleranceMs: 30_000,
        forward: false,
      },
      { type: "trustedHeader", tenantHeader: "x-tenant-id", secretHeader: "x-weir-proxy-secret" },
      ANYBODY,
    ]);
    expect(warnings).toEqual([]);
  });

  it.each(["HS256", "none", "RS1", "ES256K", "es256", "dir", "RSA-OAEP"])(
    "cannot name the algorithm %s",
    async (algorithm) => {
      const [problem] = await problemsOf({ ...JWT, algorithms: ["ES256", algorithm] });
      expect(problem).toMatch(/^identity\.0\.algorithms\.1: .*"ES256"/);
    },
  );

  it.each([
    ["http://issuer.example/keys.json", "must be https: it says whom to believe"],
    ["http://10.0.0.1/keys.json", "must be https"],
    ["http://127.0.0.1.nip.io/keys.json", "must be https"],
    ["https://169.254.169.254/latest/meta-data", "link-local"],
    ["https://2852039166/keys", "link-local"],
    ["https://0xa9fea9fe/keys", "link-local"],
    ["https://[::ffff:169.254.169.254]/keys", "link-local"],
    ["https://user:pass@issuer.example/keys", "must not carry credentials"],
    ["https://issuer.example/keys#k1", "must have no fragment"],
    ["file:///etc/passwd", "must be http or https"],
    ["data:application/json,{}", "must be http or https"],
    ["keys.json", "is no URL"],
  ])("does not take keys from %s", async (jwks, message) => {
    expect((await problemsOf({ ...JWT, jwks })).join("\n")).toContain(message);
  });

  it.each([
    "https://issuer.example/keys?policy=b2c",
    "http://127.0.0.1:9000/keys",
    "http://localhost:9000/keys",
    "http://[::1]:9000/keys",
  ])("may take keys from %s", async (jwks) => {
    expect(await problemsOf({ ...JWT, jwks })).toEqual([]);
  });

  it.each([
    [{ ...JWT, audience: [] }, "identity.0.audience"],
    [{ ...JWT, audience: undefined }, "identity.0.audience"],
    [{ ...JWT, issuer: 'https://a"b/' }, "identity.0.issuer"],
    [{ ...JWT, tenantClaim: "" }, "identity.0.tenantClaim"],
    [{ ...JWT, clockTolerance: "6m" }, "identity.0.clockTolerance: must be between 0ms and 300000ms"],
    [{ ...JWT, secret: "x" }, "identity.0.secret: unknown key"],
    [{ ...PROXY, secret: "x" }, "identity.0.secret: unknown key"],
    [{ ...PROXY, principalHeader: "x-tenant-id" }, "identity.0.tenantHeader: must be a header of its own"],
    [{ ...PROXY, secretHeader: "X-TENANT-ID" }, "identity.0.tenantHeader: must be a header of its own"],
    [{ ...ANYBODY, plan: "fre" }, 'identity.0.plan: unknown plan "fre"'],
  ])("that is %j is refused", async (rule, message) => {
    expect((await problemsOf(rule)).join("\n")).toContain(message);
  });

  it("that can never be asked is warned of", async () => {
    const bearer = { type: "apiKey", header: "Authorization", scheme: "bearer" };
    expect((await rulesOf(bearer, JWT, KEY, ANYBODY, PROXY)).warnings).toEqual([
      "identity.1: is never asked: identity.0 reads the same header",
      "identity.4: is never asked: identity.3 takes whoever has no credential",
    ]);
  });

  it("keeps its own headers from the origin, and what only a proxy may set whoever calls", async () => {
    const { rules } = await rulesOf(KEY, JWT, { ...JWT, header: "x-id", forward: true }, PROXY, ANYBODY);
    const trusted = ["x-tenant-id", "x-weir-proxy-secret"];
    expect(compileIdentity(rules).map(({ consumed }) => consumed)).toEqual([
      ["x-api-key", ...trusted],
      ["authorization", ...trusted],
      trusted,
      trusted,
      trusted,
    ]);
  });
});
