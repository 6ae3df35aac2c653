/** What is left of the limits that a request is held to, as this isolate last heard: for the RateLimit fields. No call. */
import type { LimitConfig } from "../../config/model.ts";
import { costOf, type Holding, stock } from "../../policy/limits/lessee.ts";
import { capacityMicro, refillPerSecond } from "../../policy/limits/partition.ts";
import { type LimitSpec, MICRO_TOKENS_PER_TOKEN } from "../../policy/limits/types.ts";
import type { ChargeSet } from "./charge-set.ts";

export interface LimitReading {
  readonly limit: LimitConfig;
  /** Of the spec in force: an override may differ from the limit. */
  readonly quotaTokens: number;
  readonly windowSeconds: number;
  readonly remainingTokens: number;
  /** Undefined for slots: nobody knows when one is free. */
  readonly resetSeconds: number | undefined;
  readonly overridden: boolean;
}

/** One for each enforced limit, in their order. */
export function readingsOf(
  { enforced, enforcedLimits }: ChargeSet,
  costMicro: number,
  nowMs: number,
): readonly LimitReading[] {
  return enforced.map((holding, index): LimitReading => {
    const limit = enforcedLimits[index];
    if (limit === undefined) throw new TypeError("charge set out of step");
    return readingOf(limit, holding, costMicro, nowMs);
  });
}

function readingOf(limit: LimitConfig, holding: Holding, costMicro: number, nowMs: number): LimitReading {
  const { quotaTokens, windowSeconds } =
    holding.override === undefined ? limit : { ...limit, ...quotaOf(holding.override) };
  const inStock = stock(holding, nowMs);
  const refused = nowMs < holding.askAgainAtMs && inStock < costOf(holding, costMicro);
  const resetAtMs = refused ? holding.retryAtMs : holding.resetAtMs;
  return {
    limit,
    quotaTokens,
    windowSeconds,
    overridden: holding.override !== undefined,
    remainingTokens: refused
      ? 0
      : Math.min(quotaTokens, Math.floor((inStock + holding.freeMicro) / MICRO_TOKENS_PER_TOKEN)),
    resetSeconds: holding.spec.kind === "slots" ? undefined : Math.max(0, Math.ceil((resetAtMs - nowMs) / 1_000)),
  };
}

/** What `RateLimit-Policy` says of a spec that is not the configured one. */
function quotaOf(spec: LimitSpec): { readonly quotaTokens: number; readonly windowSeconds?: number } {
  const quotaTokens = Math.floor(capacityMicro(spec) / MICRO_TOKENS_PER_TOKEN);
  // A quota's window is its period, which an override does not change.
  if (spec.kind !== "bucket") return { quotaTokens };
  return { quotaTokens, windowSeconds: Math.max(1, Math.round(capacityMicro(spec) / refillPerSecond(spec))) };
}
