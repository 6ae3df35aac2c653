/** JWT: tenants and plans that a token's holder would rather have; an unknown one must not be told from a forged token. */
import { beforeEach, describe, expect, it } from "vitest";
import { arrivals, expectAllRefused, withOrigin } from "./callers.ts";
import { base64url, bearing, Issuer, tokenGateway } from "./issuer.ts";

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(async () => {
  issuer = new Issuer();
  await issuer.addKey("k1");
});

describe("a token for another tenant", () => {
  it("is refused where there is no such tenant or plan, like one whose payload was rewritten", async () => {
    const gateway = await tokenGateway();
    const [header = "", payload = "", signature = ""] = (await issuer.sign()).split(".");
    const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as Record<string, unknown>;
    const rewritten = `${header}.${base64url({ ...claims, tenant: "globex" })}.${signature}`;
    const tenants = [
      "nobody",
      "ACME",
      "acme ",
      "",
      "__proto__",
      "constructor",
      "anonymous",
      undefined,
      null,
      1,
      ["acme"],
      { id: "acme" },
    ];
    const plans = ["gold", "", "__proto__", "constructor", null, 1, ["held"]];
    const tokens = await Promise.all([
      ...tenants.map((tenant) => issuer.sign({ tenant })),
      ...plans.map((plan) => issuer.sign({ plan })),
      issuer.sign({ sub: 1 }),
      issuer.sign({ sub: "s".repeat(2_000) }),
    ]);
    await expectAllRefused(gateway, [bearing(rewritten)]);
    expect(gateway.calls).toEqual([]);
    await expectAllRefused(gateway, [rewritten, ...tokens].map(bearing));
    // The issuer vouches for these: the one index is asked, and no object is made. What cannot be a tenant asks nobody.
    expect(gateway.calls).toEqual(["nobody", "constructor", "anonymous"].map(() => "TENANT_INDEX"));
  });

  it("is held to its own tenant, whatever its other headers say", async () => {
    const gateway = await tokenGateway(
      {},
      { plans: { open: {}, held: { limits: { requests: { rate: "1/h", deadline: "5s", burst: 2 } } } } },
    );
    const headers = {
      ...bearing(await issuer.sign()),
      "x-tenant-id": "globex",
      tenant: "globex",
      "weir-tenant": "globex",
    };
    expect(await gateway.statuses(3, headers)).toEqual([200, 200, 429]);
    expect(arrivals.map((request) => request.headers.get("weir-tenant"))).toEqual([null, null]);
    expect(await gateway.statuses(3, bearing(await issuer.sign({ tenant: "globex" })))).toEqual([200, 200, 200]);
  });
});
