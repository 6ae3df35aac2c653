/** Trusted headers from somebody who is not the proxy: without the secret, with a wrong one, or beside another credential. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { Gateway } from "../edge/gateway.ts";
import { arrivals, expectAllRefused, keyOf, shapeOf, withOrigin } from "./callers.ts";
import { bearing, Issuer, RULE } from "./issuer.ts";

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(() => {
  issuer = new Issuer();
});

const SECRET = env.WEIR_PROXY_SECRET ?? "";
const NAMES = { tenant: "x-tenant-id", user: "x-user", secret: "x-weir-proxy-secret" } as const;
const trusted = {
  type: "trustedHeader",
  tenantHeader: "X-Tenant-Id",
  principalHeader: "X-User",
  secretHeader: "X-Weir-Proxy-Secret",
};
const proxyGateway = (change: Record<string, unknown> = {}): Promise<Gateway> =>
  Gateway.of({
    identity: [{ type: "apiKey", header: "x-api-key" }, trusted, { type: "anonymous", plan: "open" }],
    plans: { open: {}, held: { limits: { each: { rate: "1/h", deadline: "5s", burst: 2, partition: "principal" } } } },
    tenants: { acme: { plan: "held" }, globex: { plan: "open" } },
    ...change,
  });
const from = { "cf-connecting-ip": "192.0.2.1" };

describe("trusted headers", () => {
  it("without the secret, or with a wrong one, are refused like a wrong key, and never taken for anonymous", async () => {
    const gateway = await proxyGateway();
    const tenant = { ...from, [NAMES.tenant]: "acme" };
    const wrong = [
      "",
      "x",
      SECRET.slice(0, -1),
      `${SECRET}x`,
      SECRET.toUpperCase(),
      `${SECRET}, ${SECRET}`,
      "x".repeat(10_000),
    ];
    await expectAllRefused(gateway, [
      tenant,
      { ...tenant, [NAMES.user]: "ann" },
      { ...from, [NAMES.user]: "ann" },
      { ...from, [NAMES.tenant]: "" },
      ...wrong.map((secret) => ({ ...tenant, [NAMES.secret]: secret })),
      ...wrong.map((secret) => ({ ...from, [NAMES.secret]: secret })),
      { ...from, "x-api-key": "weir_x" },
    ]);
    expect((await gateway.send(from)).status).toBe(200);
  });

  it("with the secret are refused where they name no tenant, or one that is unknown, or more than one", async () => {
    const gateway = await proxyGateway();
    const tenants = [undefined, "", "nobody", "ACME", "acme, globex", "__proto__", "anonymous"];
    await expectAllRefused(
      gateway,
      tenants.map((tenant) => ({
        ...from,
        [NAMES.secret]: SECRET,
        ...(tenant === undefined ? {} : { [NAMES.tenant]: tenant }),
      })),
    );
    // The proxy's own word that it is a tenant; what cannot be one asks nobody.
    expect(gateway.calls).toEqual(["nobody", "anonymous"].map(() => "TENANT_INDEX"));
  });

  it("with the secret name the tenant and who calls; none of them goes to the origin", async () => {
    const gateway = await proxyGateway();
    const by = (user: string): Record<string, string> => ({
      ...from,
      [NAMES.secret]: SECRET,
      [NAMES.tenant]: "acme",
      [NAMES.user]: user,
      "x-other": "stays",
    });
    expect(await gateway.statuses(3, by("ann"))).toEqual([200, 200, 429]);
    expect(await gateway.statuses(3, by("bob"))).toEqual([200, 200, 429]);
    expect(arrivals).toHaveLength(4);
    for (const { headers } of arrivals) {
      expect(Object.values(NAMES).filter((name) => headers.has(name))).toEqual([]);
      expect(headers.get("x-other")).toBe("stays");
    }
  });

  it("beside another credential reach no origin that might believe them", async () => {
    await issuer.addKey("k1");
    const gateway = await proxyGateway({
      identity: [{ type: "apiKey", header: "x-api-key" }, RULE, trusted, { type: "anonymous", plan: "open" }],
    });
    const claim = { ...from, [NAMES.tenant]: "globex", [NAMES.user]: "root", [NAMES.secret]: "guess" };
    expect((await gateway.send({ ...claim, "x-api-key": await keyOf({}) })).status).toBe(200);
    expect((await gateway.send({ ...claim, ...bearing(await issuer.sign()) })).status).toBe(200);
    const seen = arrivals.map(({ headers }) =>
      [...Object.values(NAMES), "authorization", "x-api-key"].filter((name) => headers.has(name)),
    );
    expect(seen).toEqual([[], []]);
  });

  it("are answered with 503 while the secret is missing or too short, and nobody else is", async () => {
    const gateway = await proxyGateway();
    for (const secret of ["", "short", SECRET.slice(0, 31)]) {
      gateway.bindSecret("WEIR_PROXY_SECRET", secret);
      const answer = await gateway.send({ ...from, [NAMES.tenant]: "acme", [NAMES.secret]: secret });
      expect(await shapeOf(answer)).toMatchObject({
        status: 503,
        body: { type: "urn:weir:problem:proxy-secret-missing" },
      });
      expect((await gateway.send(from)).status).toBe(200);
    }
  });
});
