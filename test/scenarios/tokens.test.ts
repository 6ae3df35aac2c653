/** JWTs over real sockets: an issuer's keys from a real server, which then goes away. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { configOf, SECRETS, startTestGateway, temporaryFolder } from "../support/gateway.ts";
import { send } from "../support/traffic.ts";

const ISSUER = "http://issuer.test/";
const PROXY_SECRET = "scenario-proxy-secret-0123456789abcdef";
const folder = temporaryFolder();
const origin = new BrokenOrigin();
const keys = await generateKeyPair("ES256", { extractable: true });
const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "ES256" }] };
let asked = 0;
const issuer: Server = createServer((_request, response) => {
  asked++;
  response.setHeader("content-type", "application/jwk-set+json").end(JSON.stringify(jwks));
});
let gateway: Gateway;

beforeAll(async () => {
  await origin.start();
  await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
  const { port } = issuer.address() as AddressInfo;
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: origin.url } },
    identity: [
      { type: "jwt", issuer: ISSUER, audience: "weir", jwks: `http://127.0.0.1:${port}/keys`, tenantClaim: "tenant" },
      { type: "trustedHeader", tenantHeader: "x-tenant-id" },
      { type: "anonymous", plan: "open" },
    ],
    plans: { open: { limits: { requests: { rate: "100/s", burst: 100 } } } },
    tenants: { acme: { plan: "open" } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  gateway = await startTestGateway(config, { edges: 2, secrets: { ...SECRETS, WEIR_PROXY_SECRET: PROXY_SECRET } });
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  issuer.close();
  folder.remove();
});

const token = (claims: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT({ tenant: "acme", ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "k1" })
    .setIssuer(ISSUER)
    .setAudience("weir")
    .setSubject("ann")
    .setExpirationTime("1h")
    .sign(keys.privateKey);
const bearing = async (edge: number, text: Promise<string>): Promise<{ status: number; body: string }> =>
  send(undefined, `${gateway.urls[edge]}/`, { headers: { authorization: `Bearer ${await text}` } });

describe("a gateway in front of an issuer", () => {
  it("takes its tokens, refuses others, and lives on without it where its keys are known", async () => {
    expect((await bearing(0, token())).status).toBe(200);
    expect((await bearing(0, token({ tenant: "nobody" }))).status).toBe(401);
    expect((await bearing(0, Promise.resolve("a.b.c"))).status).toBe(401);
    expect(asked).toBe(1);
    issuer.closeAllConnections();
    await new Promise((resolve) => issuer.close(resolve));
    for (let index = 0; index < 5; index++) expect((await bearing(0, token({ index }))).status).toBe(200);
    const elsewhere = await bearing(1, token());
    expect([elsewhere.status, elsewhere.body]).toEqual([503, expect.stringContaining("token-unverifiable")]);
  });

  it("believes a proxy by its secret, and nobody without it", async () => {
    const by = async (headers: Record<string, string>): Promise<number> =>
      (await send(undefined, `${gateway.urls[0]}/`, { headers })).status;
    expect(await by({ "x-tenant-id": "acme", "x-weir-proxy-secret": PROXY_SECRET })).toBe(200);
    expect(await by({ "x-tenant-id": "acme", "x-weir-proxy-secret": `${PROXY_SECRET}x` })).toBe(401);
    expect(await by({ "x-tenant-id": "acme" })).toBe(401);
    expect(await by({})).toBe(200);
  });
});
