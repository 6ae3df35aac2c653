/**
 * API keys this isolate has verified. A key is checked by its MAC, in the isolate, once; after that its presented text
 * is found in a bounded table. Forged keys are never remembered and never reach a coordinator.
 */
import { LRUCache } from "lru-cache";
import { importKeySecret, type KeySecret, verifyApiKey } from "../platform/api-key.ts";

const MAX_VERIFIED_KEYS = 10_000;

export interface VerifiedKey {
  readonly tenantId: string;
  readonly keyId: string;
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
    if (this.#secret?.text !== secret) {
      this.#verified.clear();
      this.#secret = { text: secret, key: importKeySecret(secret) };
    }
    const key = await verifyApiKey(await this.#secret.key, presented);
    if (key !== undefined) this.#verified.set(presented, key);
    return key;
  }
}
