/** What one kind of request is charged with: holdings found once for each (tenant limits, route limits, principal). */
import type { LimitConfig } from "../../config/model.ts";
import type { Charge } from "../../policy/limits/call-queue.ts";
import type { Holding } from "../../policy/limits/lessee.ts";

export interface ChargeSet extends Charge {
  /** In the order of `enforced`. */
  readonly enforcedLimits: readonly LimitConfig[];
  /** Those of `all` that are quotas: refunded when the origin call failed. */
  readonly quotas: readonly Holding[];
  readonly hasSlots: boolean;
  /** The shortest deadline of its limits. */
  readonly deadlineMs: number;
}

const DEFAULT_DEADLINE_MS = 150;

export const NOTHING_CHARGED: ChargeSet = {
  all: [],
  enforced: [],
  shadow: [],
  enforcedLimits: [],
  quotas: [],
  hasSlots: false,
  deadlineMs: DEFAULT_DEADLINE_MS,
};

export function makeChargeSet(
  limits: readonly LimitConfig[],
  principal: string,
  holding: (partition: string, limit: LimitConfig) => Holding,
): ChargeSet {
  const charged = limits.map((limit) => ({
    limit,
    holding: holding(limit.partition === "principal" ? `${limit.id}|${principal}` : limit.id, limit),
  }));
  const enforced = charged.filter(({ limit }) => limit.mode === "enforce");
  const shadow = charged.filter(({ limit }) => limit.mode === "shadow");
  const all = charged.map((charge) => charge.holding);
  return {
    all,
    quotas: all.filter(({ spec }) => spec.kind === "quota"),
    hasSlots: enforced.some(({ limit }) => limit.spec.kind === "slots"),
    enforced: enforced.map((charge) => charge.holding),
    shadow: shadow.map((charge) => charge.holding),
    enforcedLimits: enforced.map(({ limit }) => limit),
    deadlineMs: limits.reduce((least, limit) => Math.min(least, limit.deadlineMs), Number.POSITIVE_INFINITY),
  };
}
