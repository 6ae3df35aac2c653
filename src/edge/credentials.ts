/**
 * API keys this isolate has verified. A key is checked by its MAC, in the isolate, once; after that its presented text
 * is found in a bounded table. Forged keys are never remembered and never reach a coordinator.
 */
import { LRUCache } from "lru-cache";
import { importKeySecret, type KeySecret, partitionKeyOf, verifyApiKey } from "../platform/api-key.ts";
import { parseScopes, type Scopes } from "../policy/identity/scopes.ts";
import { tenantCoordinator } from "../protocol/tenant.ts";
import { tableSize } from "./table-size.ts";
import type { KeyUse } from "./lessees/tenant-lessee.ts";

const MAX_VERIFIED_KEYS = 10_000;
/** Anonymous callers share 4,096 partitions. */
const MAX_PARTITION_KEYS = 10_000;

export interface VerifiedKey extends KeyUse {
  readonly tenantId: string;
  readonly coordinatorName: string;
  readonly keyId: string;
  readonly partitionKey: string;
  /** Infinity: never by itself. */
  readonly expiresAtMs: number;
  /** Undefined: it may do everything its tenant may. */
  readonly scopes: Scopes | undefined;
}

export class Credentials {
  readonly #partitionKeys: LRUCache<string, string>;
  readonly #verified: LRUCache<string, VerifiedKey>;
  #secret: { readonly text: string; readonly key: Promise<KeySecret> } | undefined;

  /** `beside`: whose these are stands beside it, and lasts for one request. */
  constructor(beside?: object) {
    this.#partitionKeys = new LRUCache({ max: tableSize(MAX_PARTITION_KEYS, beside) });
    this.#verified = new LRUCache({ max: tableSize(MAX_VERIFIED_KEYS, beside) });
  }

  /** A key verified before: no cryptography, no promise. */
  known(presented: string): VerifiedKey | undefined {
    return this.#verified.get(presented);
  }

  /** Undefined: not a key of ours. Throws nothing for any `presented`. */
  async verify(secret: string, presented: string): Promise<VerifiedKey | undefined> {
    const imported = await this.#import(secret);
    const claims = await verifyApiKey(imported, presented);
    if (claims === undefined) return undefined;
    const { tenantId, keyId, expiresAtMs = Number.POSITIVE_INFINITY, scopes } = claims;
    const key: VerifiedKey = {
      tenantId,
      coordinatorName: tenantCoordinator(tenantId),
      keyId,
      partitionKey: await partitionKeyOf(imported, `${tenantId}|${keyId}`),
      expiresAtMs,
      scopes: scopes === undefined ? undefined : parseScopes(scopes),
      tellAtMs: 0,
    };
    this.#verified.set(presented, key);
    return key;
  }

  /** What names a partition in the `RateLimit` field; a promise only for one not asked for before. */
  partitionKey(secret: string, partition: string): string | Promise<string> {
    return this.#partitionKeys.get(partition) ?? this.#makePartitionKey(secret, partition);
  }

  async #makePartitionKey(secret: string, partition: string): Promise<string> {
    const partitionKey = await partitionKeyOf(await this.#import(secret), partition);
    this.#partitionKeys.set(partition, partitionKey);
    return partitionKey;
  }

  async #import(secret: string): Promise<KeySecret> {
    if (this.#secret?.text !== secret) {
      this.#verified.clear();
      this.#partitionKeys.clear();
      this.#secret = { text: secret, key: importKeySecret(secret) };
    }
    return this.#secret.key;
  }
}
