/** Durations and rates as people write them. */
import { MICRO_TOKENS_PER_TOKEN, type TokenBucketSpec } from "../policy/limits/types.ts";

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
export const DURATION_PATTERN = /^(\d{1,9})(ms|s|m|h|d)$/;

const RATE_UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
export const RATE_PATTERN = /^(\d{1,7}(?:\.\d{1,3})?)\/(s|m|h|d)$/;

/** "3s" -> 3000. NaN for anything that is not a duration. */
export function durationMs(text: string): number {
  const [, amount, unit] = DURATION_PATTERN.exec(text) ?? [];
  return amount === undefined || unit === undefined
    ? Number.NaN
    : Number(amount) * (DURATION_UNITS_MS[unit] ?? Number.NaN);
}

/** 21_600_000 -> "6h": in the largest unit of which it is a whole number. */
export function durationText(ms: number): string {
  const [unit, unitMs] = Object.entries(DURATION_UNITS_MS).findLast(([, unitMs]) => ms % unitMs === 0) ?? ["ms", 1];
  return `${ms / unitMs}${unit}`;
}

export interface Rate {
  /** Exact: micro-tokens per millisecond. */
  readonly numerator: number;
  readonly denominator: number;
  readonly tokensPerSecond: number;
}

/** "200/s" -> an exact fraction. Undefined for anything that is not a rate above zero. */
export function parseRate(text: string): Rate | undefined {
  const [, amount, unit] = RATE_PATTERN.exec(text) ?? [];
  const unitMs = unit === undefined ? undefined : RATE_UNITS_MS[unit];
  if (amount === undefined || unitMs === undefined) return undefined;
  // At most three decimals, so thousandths are whole.
  const thousandths = Math.round(Number(amount) * 1_000);
  if (thousandths <= 0) return undefined;
  const numerator = thousandths * (MICRO_TOKENS_PER_TOKEN / 1_000);
  const divisor = greatestCommonDivisor(numerator, unitMs);
  return {
    numerator: numerator / divisor,
    denominator: unitMs / divisor,
    tokensPerSecond: thousandths / unitMs,
  };
}

/** False where the bucket's arithmetic would leave the safe integers. */
export function isExact(rate: Rate, burstTokens: number): boolean {
  return burstTokens * MICRO_TOKENS_PER_TOKEN * rate.denominator <= Number.MAX_SAFE_INTEGER / 2;
}

export function bucketSpec(rate: Rate, burstTokens: number): TokenBucketSpec {
  return {
    kind: "bucket",
    refillNumerator: rate.numerator,
    refillDenominator: rate.denominator,
    burstMicro: burstTokens * MICRO_TOKENS_PER_TOKEN,
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
