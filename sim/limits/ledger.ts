/**
 * What was admitted, against what a limit allows: kept while a run goes on, in the order of time, without tolerance.
 * Amounts in tokens, times in milliseconds.
 */
import { capacityMicro, refillPerSecond } from "../../src/policy/limits/partition.ts";
import { type LimitSpec, MICRO_TOKENS_PER_TOKEN } from "../../src/policy/limits/types.ts";

export class Ledger {
  admittedTokens = 0;
  /** Admitted beyond burst + rate × length in the worst window (s, t]; negative: room left. */
  worstExcess = Number.NEGATIVE_INFINITY;
  readonly #burst: number;
  readonly #ratePerMs: number;
  /** The envelope: a bucket that may go below zero. Its lowest level is the worst window's excess. */
  #level: number;
  #atMs: number;
  /** Admitted in each `binMs`. */
  readonly bins: number[] = [];
  readonly #startMs: number;

  constructor(spec: LimitSpec, startMs: number) {
    this.#burst = capacityMicro(spec) / MICRO_TOKENS_PER_TOKEN;
    this.#ratePerMs = refillPerSecond(spec) / MICRO_TOKENS_PER_TOKEN / 1_000;
    this.#level = this.#burst;
    this.#atMs = startMs;
    this.#startMs = startMs;
  }

  admit(atMs: number, tokens: number): void {
    this.admittedTokens += tokens;
    this.#level = Math.min(this.#burst, this.#level + (atMs - this.#atMs) * this.#ratePerMs) - tokens;
    this.#atMs = atMs;
    this.worstExcess = Math.max(this.worstExcess, roundOff(-this.#level));
    const bin = Math.floor((atMs - this.#startMs) / BIN_MS);
    this.bins[bin] = (this.bins[bin] ?? 0) + tokens;
  }
}

export const BIN_MS = 100;

/** The ledger adds fractions of tokens in floating point; a millionth of a token is its smallest unit. */
const roundOff = (tokens: number): number => Math.round(tokens * MICRO_TOKENS_PER_TOKEN) / MICRO_TOKENS_PER_TOKEN;

/** One bucket in the middle of the world, asked without any delay: the ideal that utilisation is measured against. */
export class IdealBucket {
  admittedTokens = 0;
  readonly #burst: number;
  readonly #ratePerMs: number;
  #level: number;
  #atMs: number;

  constructor(spec: LimitSpec, startMs: number) {
    this.#burst = capacityMicro(spec) / MICRO_TOKENS_PER_TOKEN;
    this.#ratePerMs = refillPerSecond(spec) / MICRO_TOKENS_PER_TOKEN / 1_000;
    this.#level = this.#burst;
    this.#atMs = startMs;
  }

  take(atMs: number, tokens: number): boolean {
    if (this.levelAt(atMs) < tokens) return false;
    this.#level -= tokens;
    this.admittedTokens += tokens;
    return true;
  }

  levelAt(atMs: number): number {
    this.#level = Math.min(this.#burst, this.#level + (atMs - this.#atMs) * this.#ratePerMs);
    this.#atMs = atMs;
    return this.#level;
  }

  /** Takes whether it is there or not. */
  drain(atMs: number, tokens: number): void {
    this.set(atMs, this.levelAt(atMs) - tokens);
  }

  set(atMs: number, tokens: number): void {
    this.#level = tokens;
    this.#atMs = atMs;
  }
}

/** Jain's index: 1 when all get the same, 1/n when one gets everything. Source: Jain, Chiu, Hawe 1984. */
export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}
