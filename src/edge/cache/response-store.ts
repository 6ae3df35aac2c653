/**
 * Stored responses: in the isolate's memory, and behind it in the PoP's cache, under one interface. The memory is
 * synchronous and bounded by bytes; the PoP's cache survives isolates. The platform's own freshness is not used: what is
 * put there lives long, with our freshness record beside it. Large bodies lie in the PoP's cache alone and are never held
 * whole: memory has their record, and `open` streams them. A store that fails is a miss, and counted.
 */
import { LRUCache } from "lru-cache";
import { favouriteLanguage } from "../../http/negotiation.ts";
import { withDeadline } from "../../platform/coordinators.ts";
import type { Freshness, HeaderReader } from "../../policy/cache/freshness.ts";
import { isEpoch } from "../../policy/cache/purge.ts";
import { type HeaderList, languageKey, MAX_VARIANTS, variantKey } from "../../policy/cache/storing.ts";
import { parseTags } from "../../policy/cache/tags.ts";
import type { FieldRecord } from "../exchange.ts";
import { tableSize } from "../table-size.ts";
import type { Copied } from "./body-part.ts";
import { KeptHeaders } from "./kept-headers.ts";

export interface StoredResponse {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: ArrayBuffer | LargeBody;
  /** Of the body. */
  readonly bytes: number;
  /** A soft purge ends its life. */
  freshness: Freshness;
  /** Fields it varies by, lower-case, sorted. */
  readonly vary: readonly string[];
  /** It is also found by those whose favourite it is. */
  readonly language?: string;
  readonly tags: readonly string[];
  /** Later purges may concern it: of when its origin request began, or when it was last looked at. */
  purgeEpoch: number;
}

/** Lies in the PoP's cache under a name of its own, never used again. */
export interface LargeBody {
  readonly id: string;
}

/**
 * What stands beside a body; `large` where it stands beside none. `generation` is part of the names of the variants: what
 * is taken back, or varies otherwise from now on, begins a new one, so that older variants are never found again.
 */
export type StoredRecord = Omit<StoredResponse, "body"> & { readonly large?: string; readonly generation?: string };

/** A larger body is not kept. */
export const MAX_STORED_BYTES = 33_554_432;
/** Memory of one isolate for stored responses. */
const MEMORY_BYTES = 16 * 1_048_576;
const MEMORY_URLS = 20_000;
const ENTRY_OVERHEAD_BYTES = 1_024;
/** Responses whose headers are kept in the runtime's form, and their bytes; there they take about three times as much. */
const MAX_KEPT = 500;
const KEPT_BYTES = 2 * 1_048_576;
/** Of hits on others: what is hit often soon has its own, and where everything is hit evenly little is displaced. */
const KEEP_ONE_IN = 16;
/** A look-up in the PoP's cache that takes longer is a miss. */
const POP_DEADLINE_MS = 50;
/** How long the platform may keep an entry; ours says what it is good for. */
const POP_CACHE_CONTROL = `public, max-age=${7 * 86_400}`;
const RECORD_HEADER = "weir-record";
const POP_HOST = "https://weir-cache.invalid";

export interface StoreStats {
  memoryHits: number;
  popHits: number;
  misses: number;
  failures: number;
}

interface Url {
  readonly vary: readonly string[];
  readonly variants: Map<string, StoredResponse>;
}

export class ResponseStore {
  readonly stats: StoreStats = { memoryHits: 0, popHits: 0, misses: 0, failures: 0 };
  readonly #pop: string;
  readonly #memory: LRUCache<string, Url>;
  readonly #fields = new WeakMap<HeaderList, FieldRecord>();
  readonly #kept: LRUCache<HeaderList, KeptHeaders>;
  #unkept = 0;

  readonly #beside: ResponseStore | undefined;

  /** `beside`: another, whose memory this one reads; then nothing is dropped from the PoP's cache either. */
  constructor(pop: string, beside?: ResponseStore) {
    this.#pop = pop;
    this.#beside = beside;
    this.#memory = new LRUCache({
      max: tableSize(MEMORY_URLS, beside),
      maxSize: MEMORY_BYTES,
      sizeCalculation: sizeOf,
    });
    this.#kept = new LRUCache({
      max: tableSize(MAX_KEPT, beside),
      maxSize: KEPT_BYTES,
      sizeCalculation: (_kept, headers) => ENTRY_OVERHEAD_BYTES + bytesOf(headers),
    });
  }

  /** Synchronous. `header` reads the request's fields, for `Vary`; `byLanguage`: see `languageKey`. */
  recall(key: string, header: HeaderReader, byLanguage: boolean): StoredResponse | undefined {
    const entry = variantOf(this.#memory.get(key), header, byLanguage);
    if (entry === undefined) {
      return this.#beside === undefined ? undefined : this.#beside.#copyOf(key, header, byLanguage);
    }
    this.stats.memoryHits++;
    return entry;
  }

  /** What purges do to it is done to the copy. */
  #copyOf(key: string, header: HeaderReader, byLanguage: boolean): StoredResponse | undefined {
    const entry = variantOf(this.#memory.peek(key), header, byLanguage);
    return entry === undefined ? undefined : { ...entry };
  }

  /** Of a stored response, as the record that a Response is made with. Made once; not to be changed. */
  fieldsOf({ headers }: StoredResponse): Readonly<FieldRecord> {
    let fields = this.#fields.get(headers);
    if (fields === undefined) {
      fields = Object.fromEntries(headers);
      this.#fields.set(headers, fields);
    }
    return fields;
  }

  /** Undefined: none are kept of it, for now. */
  keptHeaders(entry: StoredResponse): KeptHeaders | undefined {
    const { headers } = entry;
    const known = this.#kept.get(headers);
    if (known !== undefined || this.#unkept++ % KEEP_ONE_IN !== 0) return known;
    const kept = new KeptHeaders(this.fieldsOf(entry));
    this.#kept.set(headers, kept);
    return kept;
  }

  /** From the PoP's cache, and into memory. */
  async find(key: string, header: HeaderReader, byLanguage: boolean): Promise<StoredResponse | undefined> {
    try {
      const entry = await withDeadline(this.#fromPop(key, header, byLanguage), POP_DEADLINE_MS);
      if (entry === undefined) {
        this.stats.misses++;
        return undefined;
      }
      this.stats.popHits++;
      this.#remember(key, header, entry);
      return entry;
    } catch {
      this.stats.failures++;
      return undefined;
    }
  }

  /** Remembers at once; the returned work writes it to the PoP's cache. */
  put(key: string, header: HeaderReader, entry: StoredResponse): Promise<void> {
    this.#remember(key, header, entry);
    return this.#toPop(key, header, entry).catch(() => {
      this.stats.failures++;
    });
  }

  /** In the place of all variants. */
  replace(key: string, header: HeaderReader, entry: StoredResponse): Promise<void> {
    const forgotten = this.forget(key);
    this.#remember(key, header, entry);
    return forgotten
      .then(() => this.#toPop(key, header, entry))
      .catch(() => {
        this.stats.failures++;
      });
  }

  /** A large body as it comes. What names it is written only once all of it has come, so half of one is never found. */
  async putLarge(
    key: string,
    header: HeaderReader,
    entry: Omit<StoredResponse, "body" | "bytes">,
    copied: Copied,
  ): Promise<void> {
    const id = crypto.randomUUID();
    const url = this.#bodyUrl(key, id);
    const body = new Response(copied.copy, { headers: { "cache-control": POP_CACHE_CONTROL } });
    // Broken off on purpose, most of the time.
    const written = caches.default.put(url, body).catch(() => undefined);
    const bytes = await copied.bytes;
    await written;
    if (bytes === undefined) await caches.default.delete(url);
    else await this.put(key, header, { ...entry, bytes, body: { id } });
  }

  /** Undefined: the PoP's cache has dropped it. */
  async open(key: string, { id }: LargeBody): Promise<ReadableStream | undefined> {
    try {
      const found = await withDeadline(caches.default.match(this.#bodyUrl(key, id)), POP_DEADLINE_MS);
      if (found?.body) return found.body;
    } catch {
      this.stats.failures++;
    }
    this.#memory.delete(key);
    return undefined;
  }

  /** Whether another variant of it is there. Memory only. */
  knows(key: string): boolean {
    return this.#memory.has(key) || this.#beside?.knows(key) === true;
  }

  /** All variants. */
  forget(key: string): Promise<void> {
    this.#memory.delete(key);
    if (this.#beside !== undefined) return Promise.resolve();
    return this.#dropFromPop(key).catch(() => {
      this.stats.failures++;
    });
  }

  #remember(key: string, header: HeaderReader, entry: StoredResponse): void {
    const known = this.#memory.get(key);
    const sameFields = known !== undefined && known.vary.join() === entry.vary.join();
    const variants = sameFields ? new Map(known.variants) : new Map<string, StoredResponse>();
    for (const variant of variantsOf(entry, header)) {
      variants.delete(variant);
      variants.set(variant, entry);
    }
    for (const oldest of variants.keys()) {
      if (variants.size <= MAX_VARIANTS) break;
      variants.delete(oldest);
    }
    this.#memory.set(key, { vary: entry.vary, variants });
  }

  async #fromPop(key: string, header: HeaderReader, byLanguage: boolean): Promise<StoredResponse | undefined> {
    let response = await caches.default.match(this.#popUrl(key, ""));
    let record = recordOf(response);
    if (record === undefined) return undefined;
    if (record.vary.length > 0) {
      await response?.body?.cancel();
      const { vary, generation } = record;
      response = undefined;
      for (const variant of wantedVariants(vary, header, byLanguage)) {
        response ??= await caches.default.match(this.#variantUrl(key, generation, variant));
      }
      record = recordOf(response);
    }
    if (response === undefined || record === undefined) return undefined;
    const { large, generation: _, ...known } = record;
    if (large === undefined) return { ...known, body: await response.arrayBuffer() };
    await response.body?.cancel();
    return { ...known, body: { id: large } };
  }

  async #toPop(key: string, header: HeaderReader, entry: StoredResponse): Promise<void> {
    const { body, ...known } = entry;
    const varies = entry.vary.length > 0;
    const record: StoredRecord = {
      ...known,
      ...(body instanceof ArrayBuffer ? {} : { large: body.id }),
      ...(varies ? { generation: await this.#generationOf(key, entry.vary) } : {}),
    };
    const headers = {
      "cache-control": POP_CACHE_CONTROL,
      [RECORD_HEADER]: encodeURIComponent(JSON.stringify(record)),
    };
    const content = body instanceof ArrayBuffer ? body : "";
    for (const variant of varies ? variantsOf(entry, header) : []) {
      await caches.default.put(this.#variantUrl(key, record.generation, variant), new Response(content, { headers }));
    }
    // Under the bare key stands the response itself, or, when it varies, by what.
    await caches.default.put(this.#popUrl(key, ""), new Response(varies ? "" : content, { headers }));
  }

  /** Of the variants that are there; a new one where none are that vary by the same. */
  async #generationOf(key: string, vary: readonly string[]): Promise<string> {
    const response = await caches.default.match(this.#popUrl(key, ""));
    await response?.body?.cancel();
    const known = recordOf(response);
    const same = known?.vary.join() === vary.join() ? known.generation : undefined;
    return same ?? crypto.randomUUID();
  }

  #variantUrl(key: string, generation: string | undefined, variant: string): string {
    return this.#popUrl(key, `${generation ?? ""}\n${variant}`);
  }

  async #dropFromPop(key: string): Promise<void> {
    await caches.default.delete(this.#popUrl(key, ""));
  }

  #bodyUrl(key: string, id: string): string {
    return `${this.#popUrl(key, "")}&body=${id}`;
  }

  #popUrl(key: string, variant: string): string {
    return `${POP_HOST}/${encodeURIComponent(this.#pop)}/${encodeURIComponent(key)}?${encodeURIComponent(variant)}`;
  }
}

/** Under which a response is stored. */
function* variantsOf({ vary, language }: StoredResponse, header: HeaderReader): Generator<string> {
  yield variantKey(vary, header);
  if (language !== undefined) yield languageKey(vary, header, language);
}

/** Under which a request may find one, in this order; the second is worked out only where the first is not there. */
function* wantedVariants(vary: readonly string[], header: HeaderReader, byLanguage: boolean): Generator<string> {
  yield variantKey(vary, header);
  if (!byLanguage || !vary.includes("accept-language")) return;
  const language = favouriteLanguage(header("accept-language"));
  if (language !== undefined) yield languageKey(vary, header, language);
}

function variantOf(url: Url | undefined, header: HeaderReader, byLanguage: boolean): StoredResponse | undefined {
  if (url === undefined) return undefined;
  if (!byLanguage) return url.variants.get(variantKey(url.vary, header));
  for (const variant of wantedVariants(url.vary, header, byLanguage)) {
    const entry = url.variants.get(variant);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** Names count as well as bodies: a URL can be longer than its page, and so can the values of what it varies by. */
function sizeOf(url: Url, key: string): number {
  let bytes = ENTRY_OVERHEAD_BYTES + key.length;
  for (const [variant, entry] of url.variants) {
    bytes += ENTRY_OVERHEAD_BYTES + variant.length + (entry.body instanceof ArrayBuffer ? entry.bytes : 0);
    bytes += bytesOf(entry.headers);
  }
  return bytes;
}

function bytesOf(headers: HeaderList): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + value.length;
  return bytes;
}

/** What we wrote beside the body, checked, because the PoP's cache is shared with other versions of us. */
function recordOf(response: Response | undefined): StoredRecord | undefined {
  const text = response?.headers.get(RECORD_HEADER);
  if (text === null || text === undefined) return undefined;
  return parseRecord(JSON.parse(decodeURIComponent(text)));
}

/** A record of ours, without its body; also of the release before, which kept no epoch, and tags among the headers. */
export function parseRecord(value: unknown): StoredRecord | undefined {
  if (!isRecord(value)) return undefined;
  const { purgeEpoch, tags } = value;
  if (isEpoch(purgeEpoch) && Array.isArray(tags)) return { ...value, purgeEpoch, tags: tags.map(String) };
  const header = value.headers.find(([name]) => name === "cache-tag");
  return {
    ...value,
    headers: value.headers.filter((field) => field !== header),
    tags: parseTags(header?.[1]).tags,
    purgeEpoch: 0,
  };
}

type UnmarkedRecord = Omit<StoredRecord, "purgeEpoch" | "tags"> & {
  readonly purgeEpoch?: unknown;
  readonly tags?: unknown;
};

function isRecord(value: unknown): value is UnmarkedRecord {
  if (typeof value !== "object" || value === null) return false;
  if (!("status" in value && "headers" in value && "freshness" in value && "vary" in value && "bytes" in value)) {
    return false;
  }
  const { status, headers, freshness, vary, bytes } = value;
  return (
    typeof status === "number" &&
    typeof bytes === "number" &&
    Array.isArray(headers) &&
    Array.isArray(vary) &&
    typeof freshness === "object" &&
    freshness !== null &&
    "bornAtMs" in freshness &&
    typeof freshness.bornAtMs === "number"
  );
}
