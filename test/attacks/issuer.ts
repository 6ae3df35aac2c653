/** An issuer of JWTs as the gateway sees it: signs what it is told to, and publishes its keys where it can be reached. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { Gateway } from "../edge/gateway.ts";

export const ISSUER = "https://issuer.example/";
export const AUDIENCE = "weir";
export const JWKS = "https://issuer.example/keys.json";

export const seconds = (ms: number): number => Math.floor(ms / 1_000);

export class Issuer {
  readonly published: JWK[] = [];
  /** How often its keys were asked for. */
  asked = 0;
  /** Where anything else was asked for beside the origin and the keys. */
  readonly strayed: string[] = [];
  answer: () => Promise<Response> = async () => Response.json({ keys: this.published });
  readonly #pairs = new Map<string, { readonly alg: string; readonly key: CryptoKey }>();

  /** To be given to `withOrigin`. */
  readonly elsewhere = (url: string): Promise<Response> | undefined => {
    if (url === JWKS) {
      this.asked++;
      return this.answer();
    }
    if (url.startsWith("https://app.example")) return undefined;
    this.strayed.push(url);
    return Promise.resolve(Response.json({ keys: [] }));
  };

  async addKey(kid: string, alg = "ES256", publish: Partial<JWK> = { kid, alg }): Promise<JWK> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    this.#pairs.set(kid, { alg, key: privateKey });
    const jwk = { ...(await exportJWK(publicKey)), use: "sig", ...publish };
    this.published.push(jwk);
    return jwk;
  }

  withdrawKey(kid: string): void {
    const at = this.published.findIndex((jwk) => jwk.kid === kid);
    if (at !== -1) this.published.splice(at, 1);
  }

  /** A good token, but for what `claims` and `header` change; undefined takes a claim away. */
  async sign(
    claims: Readonly<Record<string, unknown>> = {},
    header: Readonly<Record<string, unknown>> = {},
    kid = "k1",
  ): Promise<string> {
    const pair = this.#pairs.get(kid);
    if (pair === undefined) throw new Error(`no key ${kid}`);
    const nowS = seconds(Date.now());
    const usual = { iss: ISSUER, aud: AUDIENCE, sub: "ann", tenant: "acme", exp: nowS + 3_600 };
    const given = Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined);
    const protectedHeader = { alg: pair.alg, kid, typ: "JWT", ...header };
    const present = Object.entries(protectedHeader).filter(([, value]) => value !== undefined);
    const jwt = new SignJWT(Object.fromEntries(given));
    return jwt
      .setProtectedHeader(Object.fromEntries(present) as { alg: string })
      .sign(pair.key, { crit: { "x-own": true } });
  }
}

export const RULE = {
  type: "jwt",
  issuer: ISSUER,
  audience: AUDIENCE,
  jwks: JWKS,
  tenantClaim: "tenant",
  planClaim: "plan",
} as const;

export const tokenGateway = (rule: Record<string, unknown> = {}, change: Record<string, unknown> = {}) =>
  Gateway.of({
    plans: { open: {}, held: { limits: { requests: { rate: "1000/s", burst: 1000 } } } },
    identity: [
      { ...RULE, ...rule },
      { type: "anonymous", plan: "open" },
    ],
    tenants: { acme: { plan: "held" }, globex: { plan: "open" } },
    ...change,
  });

export const bearing = (token: string): Record<string, string> => ({
  authorization: `Bearer ${token}`,
  "cf-connecting-ip": "192.0.2.1",
});

export function base64url(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
