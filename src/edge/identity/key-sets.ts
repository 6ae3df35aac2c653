/**
 * An issuer's public keys (JWK set) in this isolate: fetched by one request at a time, shared through the PoP's cache,
 * the last good ones kept while the issuer is out of reach. `policy/identity/key-set` says when. What is fetched is
 * bounded, redirects are not followed, and keys are imported at once, so that no request waits for another's work.
 */
import { importJWK } from "jose";
import type { JwtRule } from "../../config/model.ts";
import { withDeadline } from "../../platform/coordinators.ts";
import {
  FETCH_AGAIN_MS,
  isLastGood,
  KEYS_FRESH_MS,
  KEYS_LAST_GOOD_MS,
  keySetStep,
  mayFetch,
} from "../../policy/identity/key-set.ts";
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import { algorithmsOf, type KeyName } from "../../policy/identity/token.ts";
import { readResponseBody } from "../body.ts";
import { leave, lookUp } from "../pop-cache.ts";

const FETCH_DEADLINE_MS = 2_000;
const CACHE_DEADLINE_MS = 50;
/** For both, and importing the keys; whoever waits gives up after it. */
const FLIGHT_DEADLINE_MS = 2_500;
const MAX_KEYS = 100;
const MIN_RSA_BITS = 2_048;
const HOST = "https://weir-jwks.invalid";
const FETCHED_AT = "weir-fetched-at";

export interface IssuerKey extends KeyName {
  readonly key: CryptoKey;
}

export type KeySetSource = Pick<JwtRule, "jwks" | "algorithms">;

export interface KeySetSite {
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly pop: string;
}

export interface KeySetOptions {
  readonly now: () => number;
  readonly onEvent: (event: "fetched" | "failed") => void;
}

interface Fetched {
  readonly text: string;
  readonly fetchedAtMs: number;
}

export interface IssuerKeys extends Fetched {
  /** Another number when the keys have changed: what was verified before must be verified again. */
  readonly generation: number;
  readonly keys: readonly IssuerKey[];
}

export class KeySet {
  readonly #source: KeySetSource;
  readonly #options: KeySetOptions;
  #loaded: IssuerKeys | undefined;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #flight: { readonly done: Promise<void>; readonly endsAtMs: number } | undefined;

  constructor(source: KeySetSource, options: KeySetOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** The keys in force, without waiting; asks behind the request when that is due. Undefined: ask for them. */
  known(site: KeySetSite, nowMs: number): IssuerKeys | undefined {
    const step = keySetStep(this.#age(), nowMs);
    if (step === "use") return this.#loaded;
    if (step !== "refresh") return undefined;
    void this.#fly(site, KEYS_FRESH_MS, nowMs);
    return this.#loaded;
  }

  /** Undefined: there are none that may be used. */
  async keys(site: KeySetSite, nowMs: number): Promise<IssuerKeys | undefined> {
    const known = this.known(site, nowMs);
    if (known !== undefined) return known;
    if (this.#isFlying(nowMs) || mayFetch(this.#age(), nowMs)) await this.#waitFor(site, KEYS_FRESH_MS, nowMs);
    const loaded = this.#loaded;
    return loaded !== undefined && isLastGood(loaded.fetchedAtMs, this.#options.now()) ? loaded : undefined;
  }

  /** For a token whose key is not in `before`: asks again unless that was just done. Undefined: nothing new. */
  async newerKeys(before: IssuerKeys, site: KeySetSite, nowMs: number): Promise<IssuerKeys | undefined> {
    if (!this.#isFlying(nowMs) && !mayFetch(this.#age(), nowMs)) return undefined;
    await this.#waitFor(site, FETCH_AGAIN_MS, nowMs);
    return this.#loaded?.generation === before.generation ? undefined : this.#loaded;
  }

  #age(): { readonly fetchedAtMs: number | undefined; readonly askedAtMs: number } {
    return { fetchedAtMs: this.#loaded?.fetchedAtMs, askedAtMs: this.#askedAtMs };
  }

  /** Each waits by its own timer: the request that leads may be gone. */
  async #waitFor(site: KeySetSite, maxAgeMs: number, nowMs: number): Promise<void> {
    try {
      await withDeadline(this.#fly(site, maxAgeMs, nowMs), FLIGHT_DEADLINE_MS);
    } catch {
      this.#options.onEvent("failed");
    }
  }

  /** One that has not ended in time never will: the request that led it is gone. */
  #isFlying(nowMs: number): boolean {
    return this.#flight !== undefined && nowMs < this.#flight.endsAtMs;
  }

  /** One at a time; never rejects. */
  #fly(site: KeySetSite, maxAgeMs: number, nowMs: number): Promise<void> {
    if (this.#flight !== undefined && this.#isFlying(nowMs)) return this.#flight.done;
    this.#askedAtMs = nowMs;
    const done = this.#load(site, maxAgeMs, nowMs).finally(() => {
      if (this.#flight?.done === done) this.#flight = undefined;
    });
    this.#flight = { done, endsAtMs: nowMs + FLIGHT_DEADLINE_MS };
    site.waitUntil(done);
    return done;
  }

  async #load(site: KeySetSite, maxAgeMs: number, nowMs: number): Promise<void> {
    const shared = await this.#fromPop(site.pop, nowMs);
    if (shared !== undefined && nowMs - shared.fetchedAtMs <= maxAgeMs && (await this.#take(shared))) return;
    const text = await this.#fetch();
    if (text !== undefined && (await this.#take({ text, fetchedAtMs: nowMs }))) {
      this.#options.onEvent("fetched");
      await this.#toPop(site.pop, text, nowMs);
      return;
    }
    this.#options.onEvent("failed");
    if (shared !== undefined) await this.#take(shared);
  }

  /** False: there is no key in it that could be used, or what is known already is younger. */
  async #take({ text, fetchedAtMs }: Fetched): Promise<boolean> {
    const before = this.#loaded;
    if (before !== undefined && before.fetchedAtMs >= fetchedAtMs) return false;
    if (before?.text === text) {
      this.#loaded = { ...before, fetchedAtMs };
      return true;
    }
    const keys = await importKeys(text, this.#source);
    if (keys.length === 0) return false;
    this.#loaded = { text, fetchedAtMs, keys, generation: (before?.generation ?? 0) + 1 };
    return true;
  }

  async #fetch(): Promise<string | undefined> {
    try {
      const response = await fetch(this.#source.jwks, {
        headers: { accept: "application/jwk-set+json, application/json" },
        redirect: "manual",
        signal: AbortSignal.timeout(FETCH_DEADLINE_MS),
      });
      const { body, complete } = await readResponseBody(response);
      if (body instanceof ReadableStream) await body.cancel();
      if (response.status !== 200 || !complete || !(body instanceof ArrayBuffer)) return undefined;
      return new TextDecoder().decode(body);
    } catch {
      // Counted by the caller, like every other failure to get keys.
      return undefined;
    }
  }

  /** On a miss the issuer is asked anyway. */
  #fromPop(pop: string, nowMs: number): Promise<Fetched | undefined> {
    return lookUp(this.#cacheUrl(pop), CACHE_DEADLINE_MS, async (response) => {
      const fetchedAtMs = Math.min(nowMs, Number(response.headers.get(FETCHED_AT) ?? Number.NaN));
      return isLastGood(fetchedAtMs, nowMs) ? { text: await response.text(), fetchedAtMs } : undefined;
    });
  }

  #toPop(pop: string, text: string, fetchedAtMs: number): Promise<void> {
    return leave(this.#cacheUrl(pop), text, KEYS_LAST_GOOD_MS, { [FETCHED_AT]: String(fetchedAtMs) });
  }

  #cacheUrl(pop: string): string {
    return `${HOST}/${encodeURIComponent(pop)}/${encodeURIComponent(this.#source.jwks)}`;
  }
}

/** Empty: not a JWK set, or none of its keys fits. */
async function importKeys(text: string, { algorithms }: KeySetSource): Promise<readonly IssuerKey[]> {
  const keys: IssuerKey[] = [];
  for (const jwk of jwksOf(text).slice(0, MAX_KEYS)) {
    for (const alg of algorithmsOf(jwk, algorithms)) {
      const key = await importKey(jwk, alg);
      const kid = jwk["kid"];
      if (key !== undefined) keys.push({ kid: typeof kid === "string" ? kid : undefined, alg, key });
    }
  }
  return keys;
}

function jwksOf(text: string): readonly Record<string, unknown>[] {
  const value = parseJson(text);
  const keys = isRecord(value) ? value["keys"] : undefined;
  return Array.isArray(keys) ? keys.filter(isRecord) : [];
}

/** Undefined: a key that cannot be used is as if it were not in the set. */
async function importKey(jwk: Record<string, unknown>, alg: string): Promise<CryptoKey | undefined> {
  try {
    const key = await importJWK(jwk, alg);
    if (key instanceof Uint8Array || key.type !== "public") return undefined;
    const bits = "modulusLength" in key.algorithm ? key.algorithm.modulusLength : MIN_RSA_BITS;
    return typeof bits === "number" && bits >= MIN_RSA_BITS ? key : undefined;
  } catch {
    return undefined;
  }
}
