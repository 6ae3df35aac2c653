/**
 * JWTs this isolate has verified. A token is verified once and then found by its text, until it expires or its issuer's
 * keys change; one that was refused is never remembered. All refusals look the same from outside.
 */
import { decodeProtectedHeader, errors, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import type { JwtRule } from "../../config/model.ts";
import { principalOf } from "../../platform/api-key.ts";
import {
  MAX_TOKEN_LENGTH,
  parseTokenHeader,
  pickKey,
  readClaims,
  type TokenHeader,
} from "../../policy/identity/token.ts";
import { tableSize } from "../table-size.ts";
import { type IssuerKey, KeySet, type KeySetSite } from "./key-sets.ts";
import { type Series, series } from "../../protocol/series.ts";

const MAX_TOKENS = 10_000;
/** A config has at most 16 rules. */
const MAX_KEY_SETS = 64;
/** Of all remembered tokens together; one has about a thousand. */
const MAX_TOKEN_CHARACTERS = 8_388_608;

export interface VerifiedToken {
  /** What the rule said when it was verified: a config that changes it makes the token unknown. */
  readonly rule: string;
  readonly generation: number;
  readonly tenantId: string;
  readonly plan: string | undefined;
  readonly principal: string;
  readonly partitionKey: string | undefined;
  readonly expiresAtMs: number;
}

export type TokenVerdict =
  | { readonly kind: "good"; readonly token: VerifiedToken }
  | { readonly kind: "bad" }
  /** The issuer's keys are not to be had. */
  | { readonly kind: "unverifiable" };

export interface TokensOptions {
  readonly now: () => number;
  readonly count: (series: Series) => void;
  /** Others, whose issuers' keys these go by. */
  readonly beside?: Tokens | undefined;
}

const BAD: TokenVerdict = { kind: "bad" };

export class Tokens {
  readonly #options: TokensOptions;
  readonly #verified: LRUCache<string, VerifiedToken>;
  readonly #issuers = new WeakMap<JwtRule, Issuer>();
  /** They outlive the config they came with: by where they are and what they are for. */
  readonly #keySets = new LRUCache<string, KeySet>({ max: MAX_KEY_SETS });

  constructor(options: TokensOptions) {
    this.#options = options;
    this.#verified = new LRUCache({
      max: tableSize(MAX_TOKENS, options.beside),
      maxSize: MAX_TOKEN_CHARACTERS,
      sizeCalculation: (_token, text) => text.length,
    });
  }

  /** A token verified before: no cryptography, no promise. */
  known(rule: JwtRule, text: string, site: KeySetSite, nowMs: number): VerifiedToken | undefined {
    const token = this.#verified.get(text);
    if (token === undefined || nowMs >= token.expiresAtMs) return undefined;
    const { name, keySet } = this.#issuerOf(rule);
    if (token.rule !== name) return undefined;
    return keySet.known(site, nowMs)?.generation === token.generation ? token : undefined;
  }

  /** Throws nothing for any `text`. `partitionKeyOf` names a partition in the `RateLimit` field. */
  async verify(
    rule: JwtRule,
    text: string,
    site: KeySetSite,
    partitionKeyOf: (partition: string) => Promise<string | undefined> | string | undefined,
  ): Promise<TokenVerdict> {
    const header = headerOf(text, rule);
    if (header === undefined) return this.#refused("header");
    const { name, keySet } = this.#issuerOf(rule);
    let issued = await keySet.keys(site, this.#options.now());
    if (issued === undefined) return { kind: "unverifiable" };
    let key = pickKey(issued.keys, header);
    if (key === undefined) {
      issued = (await keySet.newerKeys(issued, site, this.#options.now())) ?? issued;
      key = pickKey(issued.keys, header);
    }
    if (key === undefined) return this.#refused("unknown_key");
    const { generation } = issued;
    const payload = await this.#payloadOf(rule, text, header, key);
    const claims = payload === undefined ? undefined : readClaims(payload, rule);
    if (claims === undefined) return payload === undefined ? BAD : this.#refused("claims");
    const { tenantId, plan, subject, expiresAtMs } = claims;
    const principal = `s${await principalOf(rule.issuer, subject)}`;
    const partitionKey = await partitionKeyOf(`${tenantId}|${principal}`);
    const token: VerifiedToken = { rule: name, generation, tenantId, plan, principal, partitionKey, expiresAtMs };
    this.#verified.set(text, token);
    return { kind: "good", token };
  }

  async #payloadOf(
    rule: JwtRule,
    text: string,
    { alg }: TokenHeader,
    { key }: IssuerKey,
  ): Promise<Readonly<Record<string, unknown>> | undefined> {
    try {
      const { payload } = await jwtVerify(text, key, {
        algorithms: [alg],
        issuer: rule.issuer,
        audience: [...rule.audience],
        requiredClaims: ["exp"],
        clockTolerance: rule.clockToleranceMs / 1_000,
        currentDate: new Date(this.#options.now()),
      });
      return payload;
    } catch (error) {
      this.#refused(error instanceof errors.JOSEError ? error.code.toLowerCase() : "malformed");
      return undefined;
    }
  }

  #refused(reason: string): TokenVerdict {
    this.#options.count(series("weir_tokens_refused_total", { reason }));
    return BAD;
  }

  #issuerOf(rule: JwtRule): Issuer {
    const { beside } = this.#options;
    if (beside !== undefined) return beside.#issuerOf(rule);
    let issuer = this.#issuers.get(rule);
    if (issuer === undefined) {
      issuer = { name: JSON.stringify(rule), keySet: this.#keySetOf(rule) };
      this.#issuers.set(rule, issuer);
    }
    return issuer;
  }

  #keySetOf({ issuer, jwks, algorithms }: JwtRule): KeySet {
    const name = JSON.stringify([issuer, jwks, algorithms]);
    let keySet = this.#keySets.get(name);
    if (keySet === undefined) {
      const { now, count } = this.#options;
      const onEvent = (result: string): void => {
        count(series("weir_jwks_fetches_total", { issuer, result }));
      };
      keySet = new KeySet({ jwks, algorithms }, { now, onEvent });
      this.#keySets.set(name, keySet);
    }
    return keySet;
  }
}

interface Issuer {
  readonly name: string;
  readonly keySet: KeySet;
}

function headerOf(text: string, { algorithms }: JwtRule): TokenHeader | undefined {
  if (text.length > MAX_TOKEN_LENGTH) return undefined;
  try {
    return parseTokenHeader(decodeProtectedHeader(text), algorithms);
  } catch {
    // Counted by the caller.
    return undefined;
  }
}
