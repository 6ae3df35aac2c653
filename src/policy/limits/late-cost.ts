/**
 * A cost that only the origin knows, told in a response header. Returns micro-tokens to charge beyond what was charged on
 * admission: never negative, at most `mostMicro` in all; undefined when the text is no cost.
 *
 * Valid is a decimal number of tokens, digits with at most one point, up to 32 characters: no sign, no exponent, nothing
 * else, so NaN, infinity and overflow cannot come in. More than three decimals are rounded up.
 */
import { MICRO_TOKENS_PER_TOKEN } from "./types.ts";

const MAX_LENGTH = 32;
const DECIMALS = 1_000;

export function lateCostMicro(text: string, chargedMicro: number, mostMicro: number): number | undefined {
  if (!isDecimal(text)) return undefined;
  const costMicro = Math.ceil(Number(text) * DECIMALS) * (MICRO_TOKENS_PER_TOKEN / DECIMALS);
  return Math.max(0, Math.min(costMicro, mostMicro) - chargedMicro);
}

function isDecimal(text: string): boolean {
  let digits = 0;
  let points = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x2e) points++;
    else if (code >= 0x30 && code <= 0x39) digits++;
    else return false;
  }
  return digits > 0 && points <= 1 && text.length <= MAX_LENGTH;
}
