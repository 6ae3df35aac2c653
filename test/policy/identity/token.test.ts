import { describe, expect, it } from "vitest";
import { algorithmsOf, JWT_ALGORITHMS, parseTokenHeader, readClaims } from "../../../src/policy/identity/token.ts";

const PINNED = ["ES256", "RS256"] as const;
const good = { alg: "ES256", kid: "k1", typ: "JWT" };

describe("a token's header", () => {
  it("tells the algorithm that was pinned, and the key's id", () => {
    expect(parseTokenHeader({ ...good, jku: "https://x", jwk: {} }, PINNED)).toEqual({ alg: "ES256", kid: "k1" });
    expect(parseTokenHeader({ alg: "RS256" }, PINNED)).toEqual({ alg: "RS256", kid: undefined });
  });

  it.each([
    [],
    null,
    "ES256",
    {},
    { ...good, alg: "none" },
    { ...good, alg: "ES384" },
    { ...good, alg: ["ES256"] },
    { ...good, crit: ["exp"] },
    { ...good, crit: [] },
    { ...good, b64: true },
    { ...good, typ: "dpop+jwt" },
    { ...good, typ: 1 },
    { ...good, kid: "" },
    { ...good, kid: 1 },
    { ...good, kid: "k".repeat(257) },
  ])("that is %j is refused", (header) => {
    expect(parseTokenHeader(header, PINNED)).toBeUndefined();
  });
});

describe("a published key", () => {
  const ec = { kty: "EC", crv: "P-256", x: "x", y: "y" };
  it.each([
    [ec, ["ES256"]],
    [{ ...ec, crv: "P-521" }, ["ES512"]],
    [{ kty: "RSA", n: "n" }, ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]],
    [{ kty: "RSA", n: "n", alg: "PS256" }, ["PS256"]],
    [{ kty: "OKP", crv: "Ed25519", alg: "Ed25519" }, ["EdDSA"]],
    [{ ...ec, key_ops: ["verify"] }, ["ES256"]],
    [{ ...ec, key_ops: ["sign"] }, []],
    [{ ...ec, key_ops: "verify" }, []],
    [{ ...ec, use: "enc" }, []],
    [{ ...ec, d: "private" }, []],
    [{ ...ec, kid: 1 }, []],
    [{ ...ec, alg: "ECDH-ES" }, []],
    [{ kty: "oct", k: "secret", alg: "HS256" }, []],
    [{ kty: "OKP", crv: "X25519" }, []],
    ["key", []],
    [null, []],
  ])("that is %j serves %j", (jwk, algorithms) => {
    expect(algorithmsOf(jwk, JWT_ALGORITHMS)).toEqual(algorithms);
  });
});

describe("a token's claims", () => {
  const rule = { tenantClaim: "https://example.com/tenant", planClaim: "plan", clockToleranceMs: 30_000 };
  const payload = { "https://example.com/tenant": "acme", sub: "ann", exp: 100 };

  it("name the tenant, and the plan where there is one; it ends when the clocks' tolerance does", () => {
    const claims = { tenantId: "acme", plan: undefined, subject: "ann", expiresAtMs: 130_000 };
    expect(readClaims(payload, rule)).toEqual(claims);
    expect(readClaims({ ...payload, plan: "gold", sub: undefined }, rule)).toEqual({
      ...claims,
      plan: "gold",
      subject: "",
    });
  });

  it.each([
    { exp: undefined },
    { exp: "100" },
    { exp: Number.POSITIVE_INFINITY },
    { plan: 1 },
    { plan: null },
    { sub: 1 },
  ])("with %j are refused", (change) => {
    expect(readClaims({ ...payload, ...change }, rule)).toBeUndefined();
  });

  it("are the token's own, never what every object has", () => {
    expect(readClaims({ ...payload }, { ...rule, tenantClaim: "constructor" })).toBeUndefined();
    expect(readClaims({ ...payload }, { ...rule, planClaim: "toString" })?.plan).toBeUndefined();
  });
});
