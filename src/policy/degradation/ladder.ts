/**
 * The degradation ladder: the ways to answer when the origin cannot, in the route's order. Each rung is there only if
 * this request may use it; behind them the origin's own words, and then a plain refusal, always. Source: DESIGN
 * section 3, step 8.
 */

/** What a route may put in order, or leave out; this is the order where it says nothing: from the truest on. */
export const LADDER_RUNGS = ["stale", "snapshot", "failover", "page"] as const;
export type LadderRung = (typeof LADDER_RUNGS)[number];

export type Rung = LadderRung | "origin-answer" | "plain";

export interface LadderFacts {
  /** The route's, in its order: without those it can never have. */
  readonly order: readonly LadderRung[];
  /** A stored response may be served although the origin failed. */
  readonly mayServeStale: boolean;
  /** The request could be answered by a snapshot. */
  readonly mayUseSnapshot: boolean;
  /** The request can be sent a second time: safe or idempotent, with its body still at hand. */
  readonly repeatable: boolean;
  /** Maintenance: no origin is called. */
  readonly isMaintenance: boolean;
  /** The origin answered, with a 5xx of its own. */
  readonly hasOriginAnswer: boolean;
}

export function ladder(facts: LadderFacts): readonly Rung[] {
  const may: Readonly<Record<LadderRung, boolean>> = {
    stale: facts.mayServeStale,
    snapshot: facts.mayUseSnapshot,
    failover: facts.repeatable && !facts.isMaintenance,
    page: true,
  };
  const rungs: Rung[] = facts.order.filter((rung) => may[rung]);
  // The origin's own words are better than our plain ones.
  if (facts.hasOriginAnswer) rungs.push("origin-answer");
  rungs.push("plain");
  return rungs;
}
