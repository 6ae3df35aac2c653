/**
 * API keys this isolate has verified. A key is checked by its MAC, in the isolate, once; after that its presented text
 * is found in a bounded table. Forged keys are never remembered and never reach a coordinator.
 */
import { LRUCache } from "lru-cache";
import { importKeySecret, type KeySecret, partitionKeyOf, verifyApiKey } from "../platform/api-key.ts";

const MAX_VERIFIED_KEYS = 10_000;

export interface VerifiedKey {
  readonly tenantId: string;
  readonly keyId: string;
  readonly partitionKey: string;
}

export class Credentials {
  readonly #verified = new LRUCache<string, VerifiedKey>({ max: MAX_VERIFIED_KEYS });
  #secret: { readonly text: string; readonly key: Promise<KeySecret> } | undefined;

  /** A key verified before: no cryptography, no promise. */
  known(presented: string): VerifiedKey | undefined {
    return this.#verified.get(presented);
  }

  /** Undefined: not a key of ours. Throws nothing for any `presented`. */
  async verify(secret: string, presented: string): Promise<VerifiedKey | undefined> {
    const imported = await this.#import(secret);
    const claims = await verifyApiKey(imported, presented);
    if (claims === undefined) return undefined;
    const partitionKey = await partitionKeyOf(imported, `${claims.tenantId}|${claims.keyId}`);
    const key: VerifiedKey = { ...claims, partitionKey };
    this.#verified.set(presented, key);
    return key;
  }

  /** What names a partition in the `RateLimit` field. */
  async partitionKey(secret: string, partition: string): Promise<string> {
    return partitionKeyOf(await this.#import(secret), partition);
  }

  async #import(secret: string): Promise<KeySecret> {
    if (this.#secret?.text !== secret) {
      this.#verified.clear();
      this.#secret = { text: secret, key: importKeySecret(secret) };
    }
    return this.#secret.key;
  }
}
