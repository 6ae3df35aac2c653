/** Tenants made by guessing: identities at random, that nobody vouches for, or that an issuer lets its users choose. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { Gateway } from "../edge/gateway.ts";
import { expectAllRefused, heldClock, keyOf, presenting, withOrigin } from "./callers.ts";
import { bearing, Issuer, RULE } from "./issuer.ts";

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(async () => {
  issuer = new Issuer();
  await issuer.addKey("k1");
});

const gatewayOf = (): Promise<Gateway> =>
  Gateway.of({
    identity: [{ type: "apiKey", header: "x-api-key" }, RULE, { type: "trustedHeader", tenantHeader: "x-tenant-id" }],
  });
const byProxy = (id: string, secret: string) => ({ "x-tenant-id": id, "x-weir-proxy-secret": secret });

describe("random identities", () => {
  it("that nobody vouches for make no coordinator; a good key of a tenant that is none looks no different", async () => {
    const gateway = await gatewayOf();
    const ids = Array.from({ length: 50 }, (_, number) => `random-${number}`);
    const keys = await Promise.all(
      ids.map(async (tenantId) => `${(await keyOf({ tenantId })).slice(0, -22)}${"A".repeat(22)}`),
    );
    const tokens = await Promise.all(
      ids.map(async (tenant) => `${(await issuer.sign({ tenant })).slice(0, -40)}${"A".repeat(40)}`),
    );
    await expectAllRefused(gateway, keys.map(presenting));
    await expectAllRefused(gateway, tokens.map(bearing));
    await expectAllRefused(
      gateway,
      ids.map((id) => byProxy(id, "x".repeat(40))),
    );
    expect(gateway.calls).toEqual([]);
    const good = await keyOf({ tenantId: "nobody" });
    await expectAllRefused(gateway, [presenting(keys[0] ?? ""), presenting(good)]);
    expect(gateway.calls).toEqual(["TENANT_INDEX"]);
    const unknown = byProxy("nobody", env.WEIR_PROXY_SECRET ?? "");
    await expectAllRefused(gateway, [byProxy("nobody", "x".repeat(40)), unknown]);
  });

  it("with a good signature make one ask once, and what cannot be a tenant never", async () => {
    heldClock();
    const gateway = await gatewayOf();
    const headers = bearing(await issuer.sign({ tenant: "nobody" }));
    expect(await gateway.statuses(20, headers)).toEqual(Array.from({ length: 20 }, () => 401));
    expect(gateway.calls).toEqual(["TENANT_INDEX"]);
    for (const id of ["NOBODY", "../x", "x".repeat(65), "a b", "__proto__", ""]) {
      expect((await gateway.send(bearing(await issuer.sign({ tenant: id })))).status).toBe(401);
    }
    expect(gateway.calls).toEqual(["TENANT_INDEX"]);
  });
});
