/**
 * Collapsing: of concurrent equal misses one goes to the origin, the others wait for what it finds out, and look at the
 * store again; no response passes from one request to another by any other way, but a failure. Each follower has a timer
 * of its own, because a leader's request may die with everything it promised; the first whose timer ends leads anew.
 * A URL whose answer turned out not to be for others collapses nothing for a while.
 */
import { LRUCache } from "lru-cache";
import type { OriginFailure } from "../exchange.ts";
import { tableSize } from "../table-size.ts";

/** Flights of one isolate at once; what is beyond goes to the origin by itself. */
const MAX_FLIGHTS = 1_000;
const MAX_ALONE = 10_000;
const ALONE_MS = 30_000;
const MAX_FAILED = 10_000;
/** Keys are as long as URLs: what is remembered by key is bounded by their bytes, too. */
const KEY_BYTES = 4 * 1_048_576;
const keySize = (_value: unknown, key: string): number => key.length + 64;
/** A URL whose refresh failed: stale is served without waiting, ... */
const FAILED_MS = 30_000;
/** ... and it is tried again behind an answer no more often than this. */
const TRY_AGAIN_MS = 2_000;

/** The origin's own failure in plain data, for followers whose request could have been the leader's. */
export interface SharedAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: ArrayBuffer | null;
  /** Fields it varies by, and the leader's values of them. */
  readonly vary: readonly string[];
  readonly variant: string;
}

export type Landing =
  /** Look at the store again. */
  | { readonly kind: "stored" }
  /** `answer`: what the origin said, where it may be passed on. */
  | {
      readonly kind: "failed";
      readonly reason: OriginFailure["reason"];
      readonly retryAfterMs: number | undefined;
      readonly answer: SharedAnswer | undefined;
    }
  /** Not for others: each for itself. */
  | { readonly kind: "alone" };

export class Flight {
  /** For the leader to keep alive: settles when it has landed. */
  readonly landed: Promise<undefined>;
  readonly #leave: () => void;
  /** Each waits for a promise of its own, made in its own request, so that those who left are not called any more. */
  readonly #followers = new Set<(landing: Landing) => void>();
  #hasLanded = false;

  constructor(leave: () => void) {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.landed = promise;
    this.#leave = (): void => {
      leave();
      resolve(undefined);
    };
  }

  /** Undefined: the leader is late, or dead. */
  async follow(waitMs: number): Promise<Landing | undefined> {
    const { promise, resolve } = Promise.withResolvers<Landing | undefined>();
    const timer = setTimeout(resolve, waitMs);
    this.#followers.add(resolve);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#followers.delete(resolve);
    }
  }

  /** The first time counts. */
  land(landing: Landing): void {
    if (this.#hasLanded) return;
    this.#hasLanded = true;
    this.#leave();
    for (const follower of this.#followers) follower(landing);
  }

  /** Ends with the leader's client, unless others wait for the outcome. */
  endsWith(client: AbortSignal): AbortSignal {
    const gone = new AbortController();
    const leave = (): void => {
      if (this.#followers.size === 0) gone.abort();
    };
    if (client.aborted) leave();
    else client.addEventListener("abort", leave);
    return gone.signal;
  }
}

export type Boarding = { readonly kind: "leads" | "follows"; readonly flight: Flight } | { readonly kind: "alone" };

const ALONE: Boarding = { kind: "alone" };

export class Flights {
  readonly #flights = new Map<string, Flight>();
  readonly #alone: LRUCache<string, true>;
  /** Key -> when it may be tried again. */
  readonly #failed: LRUCache<string, number>;

  readonly #beside: Flights | undefined;

  /** `beside`: others, of which these know what they know. */
  constructor(beside?: Flights) {
    this.#beside = beside;
    this.#alone = new LRUCache<string, true>({
      max: tableSize(MAX_ALONE, beside),
      maxSize: KEY_BYTES,
      sizeCalculation: keySize,
      ttl: ALONE_MS,
    });
    this.#failed = new LRUCache<string, number>({
      max: tableSize(MAX_FAILED, beside),
      maxSize: KEY_BYTES,
      sizeCalculation: keySize,
      ttl: FAILED_MS,
    });
  }

  /** Somebody leads there now. */
  isUnderWay(key: string): boolean {
    return this.#flights.has(key) || this.#beside?.isUnderWay(key) === true;
  }

  board(key: string): Boarding {
    const known = this.#flights.get(key);
    if (known !== undefined) return { kind: "follows", flight: known };
    if (this.#flights.size >= MAX_FLIGHTS || this.#alone.has(key)) return ALONE;
    const flight = new Flight(() => {
      this.#remove(key, flight);
    });
    this.#flights.set(key, flight);
    return { kind: "leads", flight };
  }

  /** Its leader is late: whoever comes next leads anew. */
  giveUp(key: string, flight: Flight): void {
    this.#remove(key, flight);
  }

  /** What the origin answered is not for others. */
  keepApart(key: string): void {
    this.#alone.set(key, true);
  }

  /** What the origin last answered was not for others. */
  isApart(key: string): boolean {
    return this.#alone.has(key) || this.#beside?.isApart(key) === true;
  }

  noteFailed(key: string, nowMs: number): void {
    this.#failed.set(key, nowMs + TRY_AGAIN_MS);
  }

  noteAnswered(key: string): void {
    this.#failed.delete(key);
  }

  /** undefined: its last refresh did not fail; else whether it is time for another. */
  mayTryAgain(key: string, nowMs: number): boolean | undefined {
    const atMs = this.#failed.get(key) ?? (this.#beside === undefined ? undefined : this.#beside.#failed.peek(key));
    return atMs === undefined ? undefined : nowMs >= atMs;
  }

  #remove(key: string, flight: Flight): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
