/**
 * Snapshots in KV, see `policy/cache/snapshot`: offered behind answers, read only when the ladder needs them. Whether one
 * is written, and whether one still stands, is the origin's coordinator's word, so the interval and a retirement hold for
 * the world. Without the binding nothing is kept, and nothing is found.
 */
import { LRUCache } from "lru-cache";
import { sha256Hex } from "../http/digest.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import type { HeaderReader } from "../policy/cache/freshness.ts";
import { mayServeSnapshot, mayTakeSnapshot, SNAPSHOT_LIFE_MS } from "../policy/cache/snapshot.ts";
import { variantKey } from "../policy/cache/storing.ts";
import { originObjectName } from "../protocol/origin.ts";
import { parseRecord, type StoredResponse } from "./cache/response-store.ts";
import { tableSize } from "./table-size.ts";
import type { OriginPurges } from "./purges.ts";

/** URLs whose next occasion this isolate remembers. */
const MAX_REMEMBERED = 20_000;
/** Of their names, which are as long as URLs. */
const REMEMBERED_BYTES = 8 * 1_048_576;
/** Snapshots this isolate keeps at hand during an outage, and for how long without asking again. */
const MAX_AT_HAND = 500;
const AT_HAND_BYTES = 8 * 1_048_576;
const AT_HAND_MS = 30_000;
const READ_DEADLINE_MS = 500;
/** The coordinator's word on a snapshot is waited for so long; without it the snapshot is good. */
const WORD_DEADLINE_MS = 150;
const WRITE_DEADLINE_MS = 10_000;
/** A longer one does not name the content; the coordinator takes 200 characters. */
const MAX_ETAG = 150;
/** Between two words to the coordinator that a URL's snapshots are no answer any more. */
const RETIRE_SPACING_MS = 5_000;

export interface SnapshotStats {
  written: number;
  retired: number;
  served: number;
  failures: number;
}

export interface SnapshotSite {
  readonly env: Env;
  readonly originId: string;
  /** Of the response store. */
  readonly key: string;
  /** The request's fields, for `Vary`. */
  readonly header: HeaderReader;
  readonly nowMs: number;
  readonly purges: OriginPurges;
}

type WholeResponse = StoredResponse & { readonly body: ArrayBuffer };

const asWhole = (entry: StoredResponse): WholeResponse | undefined =>
  entry.body instanceof ArrayBuffer ? { ...entry, body: entry.body } : undefined;

export class Snapshots {
  readonly #retireSpacingMs: number;
  readonly stats: SnapshotStats = { written: 0, retired: 0, served: 0, failures: 0 };
  /** Key → when the coordinator may be asked again. */
  readonly #askAgainAtMs: LRUCache<string, number>;
  readonly #atHand: LRUCache<string, StoredResponse>;

  /** `beside`: whose these are stands beside it, and lasts for one request. */
  constructor(beside?: object, retireSpacingMs = RETIRE_SPACING_MS) {
    this.#retireSpacingMs = retireSpacingMs;
    this.#askAgainAtMs = new LRUCache<string, number>({
      max: tableSize(MAX_REMEMBERED, beside),
      maxSize: REMEMBERED_BYTES,
      sizeCalculation: (_atMs, key) => key.length + 64,
    });
    this.#atHand = new LRUCache({
      max: tableSize(MAX_AT_HAND, beside),
      maxSize: AT_HAND_BYTES,
      ttl: AT_HAND_MS,
      sizeCalculation: ({ bytes }, key) => bytes + key.length + 1_024,
    });
  }

  /** The work of writing it, where it may be due; undefined: it is not. */
  offer(site: SnapshotSite, entry: StoredResponse, intervalMs: number): Promise<void> | undefined {
    if (site.env.SNAPSHOTS === undefined || entry.status !== 200) return undefined;
    const whole = asWhole(entry);
    if (whole === undefined || !mayTakeSnapshot(entry.freshness, entry.bytes)) return undefined;
    const key = site.key + variantKey(entry.vary, site.header);
    if (site.nowMs < (this.#askAgainAtMs.get(key) ?? 0)) return undefined;
    const purged = site.purges.lastHard(site.key, entry);
    // It has been purged itself meanwhile.
    if (purged > entry.purgeEpoch) return undefined;
    this.#askAgainAtMs.set(key, site.nowMs + intervalMs);
    // What is written now can be taken back at once.
    this.#askAgainAtMs.delete(`${site.key}!`);
    return this.#write(site, key, whole, intervalMs, purged).catch(() => {
      this.stats.failures++;
    });
  }

  /** The origin has said that this is no answer any more. */
  retire(site: SnapshotSite): Promise<void> | undefined {
    const { env, key, nowMs } = site;
    if (env.SNAPSHOTS === undefined) return undefined;
    const dueAtMs = Math.max(nowMs, this.#askAgainAtMs.get(`${key}!`) ?? 0);
    // One that is still to come takes back what has been written until then.
    if (dueAtMs - nowMs > this.#retireSpacingMs) return undefined;
    this.#askAgainAtMs.set(`${key}!`, dueAtMs + this.#retireSpacingMs);
    this.#askAgainAtMs.delete(key);
    this.#atHand.clear();
    return this.#retireAfter(dueAtMs - nowMs, site).catch(() => {
      this.stats.failures++;
    });
  }

  /** Another isolate may have written since the last time, so that nothing may be left out: only put off. */
  async #retireAfter(waitMs: number, site: SnapshotSite): Promise<void> {
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    this.#atHand.clear();
    await this.#retire(site);
  }

  async find(site: SnapshotSite): Promise<StoredResponse | undefined> {
    const { env, key, header, nowMs } = site;
    if (env.SNAPSHOTS === undefined) return undefined;
    const entry = this.#recall(key, header) ?? (await this.#read(site).catch(() => this.#failed()));
    if (entry === undefined || !mayServeSnapshot(entry.freshness, nowMs)) return undefined;
    // A soft purge has made it stale, which it is anyway.
    if (site.purges.apply(key, entry) === "hard") return undefined;
    this.stats.served++;
    return entry;
  }

  #recall(key: string, header: HeaderReader): StoredResponse | undefined {
    const bare = this.#atHand.get(key);
    return bare === undefined || bare.vary.length === 0 ? bare : this.#atHand.get(key + variantKey(bare.vary, header));
  }

  #failed(): undefined {
    this.stats.failures++;
    return undefined;
  }

  async #write(
    { env, originId, key: bareKey }: SnapshotSite,
    key: string,
    entry: WholeResponse,
    intervalMs: number,
    purged: number,
  ): Promise<void> {
    // What a purge has barred is written anew when it is due, even if the content is the same.
    const fingerprint = (await fingerprintOf(entry)) + (purged === 0 ? "" : ` after purge ${purged}`);
    const request = { v: 1, url: await hashOf(bareKey), variant: await hashOf(key), fingerprint, intervalMs } as const;
    const asked = callCoordinator(env, "ORIGIN", originObjectName(originId), "snapshot", request);
    const { write } = await withDeadline(asked, WRITE_DEADLINE_MS);
    if (!write || env.SNAPSHOTS === undefined) return;
    const options = { expirationTtl: SNAPSHOT_LIFE_MS / 1_000 };
    await env.SNAPSHOTS.put(request.variant, encode(entry), options);
    // By what it varies stands under the bare key, without a body.
    if (entry.vary.length > 0) {
      await env.SNAPSHOTS.put(request.url, encode({ ...entry, body: new ArrayBuffer(0), bytes: 0 }), options);
    }
    this.stats.written++;
  }

  async #retire({ env, originId, key }: SnapshotSite): Promise<void> {
    const url = await hashOf(key);
    const asked = callCoordinator(env, "ORIGIN", originObjectName(originId), "retireSnapshot", { v: 1, url });
    const { variants } = await withDeadline(asked, WRITE_DEADLINE_MS);
    for (const variant of variants) await env.SNAPSHOTS?.delete(variant);
    if (variants.length > 0) this.stats.retired++;
  }

  async #read(site: SnapshotSite): Promise<StoredResponse | undefined> {
    const { env, key, header } = site;
    const url = await hashOf(key);
    const stands = this.#stands(site, url);
    let entry = await this.#get(env, url);
    if (entry !== undefined && entry.vary.length > 0) {
      this.#atHand.set(key, entry);
      const variant = key + variantKey(entry.vary, header);
      entry = await this.#get(env, await hashOf(variant));
      if (entry !== undefined && (await stands)) this.#atHand.set(variant, entry);
    } else if (entry !== undefined && (await stands)) this.#atHand.set(key, entry);
    return (await stands) ? entry : undefined;
  }

  async #get(env: Env, name: string): Promise<StoredResponse | undefined> {
    const reading = env.SNAPSHOTS?.get(name, "arrayBuffer") ?? Promise.resolve(null);
    const bytes = await withDeadline(reading, READ_DEADLINE_MS);
    return bytes === null ? undefined : decode(bytes);
  }

  /** A store that is slow to forget must not bring back what was retired, or purged: the word brings newer purges, too. */
  async #stands({ env, originId, purges, nowMs }: SnapshotSite, url: string): Promise<boolean> {
    try {
      const request = { v: 1, url, purgesSince: purges.epoch } as const;
      const asked = callCoordinator(env, "ORIGIN", originObjectName(originId), "hasSnapshot", request);
      const { stands, purges: news } = await withDeadline(asked, WORD_DEADLINE_MS);
      if (news !== undefined) purges.hear(news, nowMs);
      return stands;
    } catch {
      return true;
    }
  }
}

async function fingerprintOf({ headers, body }: WholeResponse): Promise<string> {
  const etag = headers.find(([name]) => name === "etag")?.[1];
  return etag === undefined || etag.length > MAX_ETAG ? sha256Hex(body) : etag;
}

async function hashOf(key: string): Promise<string> {
  return `v1:${await sha256Hex(key)}`;
}

/** The record as JSON, a line break, the body as it is. */
function encode({ body, ...record }: WholeResponse): ArrayBuffer {
  const head = new TextEncoder().encode(`${JSON.stringify(record)}\n`);
  const bytes = new Uint8Array(head.length + body.byteLength);
  bytes.set(head);
  bytes.set(new Uint8Array(body), head.length);
  return bytes.buffer;
}

const LINE_BREAK = 10;

/** Undefined: not of ours, or of another version. */
function decode(bytes: ArrayBuffer): StoredResponse | undefined {
  const end = new Uint8Array(bytes).indexOf(LINE_BREAK);
  if (end === -1) return undefined;
  const record: unknown = JSON.parse(new TextDecoder().decode(bytes.slice(0, end)));
  const parsed = parseRecord(record);
  return parsed === undefined ? undefined : { ...parsed, body: bytes.slice(end + 1) };
}
