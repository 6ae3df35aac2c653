/**
 * What a JWT must look like, and whom it names. Looked at before any cryptography, so that neither the token's own word
 * on algorithms nor on where its key is to be found is ever followed: `jku`, `x5u`, `x5c` and `jwk` are not read, and
 * `kid` is only compared with the ids of keys that are there already.
 *
 * Sources: RFC 8725 (sections 3.1, 3.2, 3.5, 3.10, 3.11), RFC 7515 section 4.1.
 */
import { isRecord } from "../kernel/json.ts";

/** Symmetric ones and `none` are not among them, so cannot be configured. */
export const JWT_ALGORITHMS = [
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
] as const;
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];

/** The kind of key that an algorithm needs. */
const KEY_OF: Readonly<Record<JwtAlgorithm, { readonly kty: string; readonly crv?: string }>> = {
  ES256: { kty: "EC", crv: "P-256" },
  ES384: { kty: "EC", crv: "P-384" },
  ES512: { kty: "EC", crv: "P-521" },
  EdDSA: { kty: "OKP", crv: "Ed25519" },
  RS256: { kty: "RSA" },
  RS384: { kty: "RSA" },
  RS512: { kty: "RSA" },
  PS256: { kty: "RSA" },
  PS384: { kty: "RSA" },
  PS512: { kty: "RSA" },
};

/** Characters: a token is remembered whole, and headers of most servers end at 8 KiB. */
export const MAX_TOKEN_LENGTH = 8_192;
const MAX_KEY_ID_LENGTH = 256;
const MAX_SUBJECT_LENGTH = 1_024;
const TYPES: readonly string[] = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"];

export interface TokenHeader {
  readonly alg: JwtAlgorithm;
  readonly kid: string | undefined;
}

/** Undefined: not a token for us. */
export function parseTokenHeader(header: unknown, algorithms: readonly JwtAlgorithm[]): TokenHeader | undefined {
  if (!isRecord(header)) return undefined;
  const { alg, kid, typ, crit, b64 } = header;
  const pinned = algorithms.find((algorithm) => algorithm === alg);
  if (pinned === undefined || crit !== undefined || b64 !== undefined) return undefined;
  if (typ !== undefined && !(typeof typ === "string" && TYPES.includes(typ.toLowerCase()))) return undefined;
  if (kid !== undefined && !isText(kid, MAX_KEY_ID_LENGTH)) return undefined;
  return { alg: pinned, kid };
}

/** One public key of an issuer, for one algorithm. */
export interface KeyName {
  readonly kid: string | undefined;
  readonly alg: JwtAlgorithm;
}

/** Without a key id in the token exactly one key must fit; keys are not tried one after the other. */
export function pickKey<Key extends KeyName>(keys: readonly Key[], { alg, kid }: TokenHeader): Key | undefined {
  const fitting = keys.filter((key) => key.alg === alg && (kid === undefined || key.kid === kid));
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** For which of the configured algorithms a key of a JWK set may be used; none for private and symmetric keys. */
export function algorithmsOf(jwk: unknown, algorithms: readonly JwtAlgorithm[]): readonly JwtAlgorithm[] {
  if (!isRecord(jwk) || "d" in jwk || "k" in jwk) return [];
  const { kty, crv, alg, use, kid, key_ops: operations } = jwk;
  if (use !== undefined && use !== "sig") return [];
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) return [];
  if (kid !== undefined && !isText(kid, MAX_KEY_ID_LENGTH)) return [];
  return algorithms.filter((algorithm) => {
    const needed = KEY_OF[algorithm];
    return (
      needed.kty === kty &&
      (needed.crv === undefined || needed.crv === crv) &&
      (alg === undefined || alg === algorithm || (alg === "Ed25519" && algorithm === "EdDSA"))
    );
  });
}

export interface TokenClaims {
  readonly tenantId: string;
  /** Undefined: the tenant's configured plan. */
  readonly plan: string | undefined;
  /** "": it names nobody, and all such tokens of the tenant are one principal. */
  readonly subject: string;
  readonly expiresAtMs: number;
}

/** Of a payload whose signature, issuer, audience and times were found good. */
export function readClaims(
  payload: Readonly<Record<string, unknown>>,
  rule: { readonly tenantClaim: string; readonly planClaim?: string; readonly clockToleranceMs: number },
): TokenClaims | undefined {
  const own = (name: string): unknown => (Object.hasOwn(payload, name) ? payload[name] : undefined);
  const tenantId = own(rule.tenantClaim);
  const plan = rule.planClaim === undefined ? undefined : own(rule.planClaim);
  const subject = own("sub") ?? "";
  const expiry = own("exp");
  if (typeof tenantId !== "string" || !(plan === undefined || typeof plan === "string")) return undefined;
  if (typeof subject !== "string" || subject.length > MAX_SUBJECT_LENGTH) return undefined;
  if (typeof expiry !== "number" || !Number.isFinite(expiry)) return undefined;
  return { tenantId, plan, subject, expiresAtMs: expiry * 1_000 + rule.clockToleranceMs };
}

const isText = (value: unknown, most: number): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= most;
