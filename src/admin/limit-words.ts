/** Limits in words. */
import { type LimitSpec, MICRO_TOKENS_PER_TOKEN, SLOT_MICRO } from "../policy/limits/types.ts";

/** `200/s, burst 400`, `1000 per day`, `20 at once`. */
export function inWords(spec: LimitSpec): string {
  switch (spec.kind) {
    case "bucket": {
      const perSecond = (spec.refillNumerator * 1_000) / spec.refillDenominator / MICRO_TOKENS_PER_TOKEN;
      const rate = perSecond >= 1 ? `${rounded(perSecond)}/s` : `${rounded(perSecond * 3_600)}/h`;
      return `${rate}, burst ${spec.burstMicro / MICRO_TOKENS_PER_TOKEN}`;
    }
    case "quota":
      return `${spec.quotaMicro / MICRO_TOKENS_PER_TOKEN} per ${spec.period}`;
    case "slots":
      return `${spec.slotsMicro / SLOT_MICRO} at once`;
  }
}

const rounded = (value: number): number => Number(value.toFixed(3));
