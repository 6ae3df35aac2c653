/** JWT: a public key used as a shared secret, and signatures that are true but not of a pinned algorithm. RFC 8725 2.1, 3.1. */
import { exportSPKI, importJWK, type JWK, SignJWT } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { expectAllRefused, withOrigin } from "./callers.ts";
import { AUDIENCE, base64url, bearing, Issuer, ISSUER, seconds, tokenGateway } from "./issuer.ts";

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(() => {
  issuer = new Issuer();
});

/** Signed by HMAC under each form in which the public key is known to everybody. */
async function symmetric(jwk: JWK, alg: string): Promise<string[]> {
  const key = await importJWK(jwk, jwk.alg ?? "");
  if (key instanceof Uint8Array) throw new TypeError("not a public key");
  const pem = await exportSPKI(key);
  const secrets = [pem, `${pem}\n`, JSON.stringify(jwk), jwk.x ?? jwk.n ?? ""];
  return Promise.all(
    secrets.map((secret) =>
      new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: "ann", tenant: "acme", exp: seconds(Date.now()) + 3_600 })
        .setProtectedHeader({ alg, kid: jwk.kid ?? "", typ: "JWT" })
        .sign(new TextEncoder().encode(secret)),
    ),
  );
}

describe("a token of another algorithm", () => {
  it.each(["ES256", "RS256"])("signed by HMAC under the issuer's public %s key is refused", async (alg) => {
    const jwk = await issuer.addKey("k1", alg);
    const gateway = await tokenGateway();
    expect((await gateway.send(bearing(await issuer.sign()))).status).toBe(200);
    const forged = await Promise.all(["HS256", "HS384", "HS512"].map((symmetricAlg) => symmetric(jwk, symmetricAlg)));
    await expectAllRefused(gateway, forged.flat().map(bearing));
  });

  it("is refused though its signature is true, when the config does not name the algorithm", async () => {
    await issuer.addKey("ec", "ES384");
    await issuer.addKey("rsa", "RS256", { kid: "rsa" });
    await issuer.addKey("pss", "PS256", { kid: "pss" });
    const gateway = await tokenGateway({ algorithms: ["RS256"] });
    expect((await gateway.send(bearing(await issuer.sign({}, {}, "rsa")))).status).toBe(200);
    await expectAllRefused(gateway, [
      bearing(await issuer.sign({}, {}, "ec")),
      bearing(await issuer.sign({}, {}, "pss")),
    ]);
  });

  it("is refused when its header names one algorithm and its key is for another", async () => {
    await issuer.addKey("k1", "RS256");
    await issuer.addKey("k2", "ES256");
    const gateway = await tokenGateway();
    const [, payload = "", signature = ""] = (await issuer.sign()).split(".");
    const relabelled = (alg: string, kid: string): string =>
      `${base64url({ alg, kid, typ: "JWT" })}.${payload}.${signature}`;
    await expectAllRefused(
      gateway,
      [relabelled("ES256", "k1"), relabelled("ES256", "k2"), relabelled("RS256", "k2")].map(bearing),
    );
  });

  it("finds no use for symmetric, private and encryption keys that an issuer publishes by mistake", async () => {
    const secret = base64url("a secret that everybody can read, of 32+ bytes");
    issuer.published.push({ kty: "oct", k: secret, kid: "oct", alg: "HS256" });
    await issuer.addKey("k1");
    await issuer.addKey("enc", "ES256", { kid: "enc", use: "enc" });
    const gateway = await tokenGateway();
    expect((await gateway.send(bearing(await issuer.sign()))).status).toBe(200);
    const forged = await new SignJWT({ iss: ISSUER, aud: AUDIENCE, tenant: "acme", exp: seconds(Date.now()) + 3_600 })
      .setProtectedHeader({ alg: "HS256", kid: "oct" })
      .sign(new TextEncoder().encode("a secret that everybody can read, of 32+ bytes"));
    await expectAllRefused(gateway, [bearing(forged), bearing(await issuer.sign({}, {}, "enc"))]);
  });
});
