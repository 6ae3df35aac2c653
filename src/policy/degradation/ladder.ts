/**
 * The degradation ladder: the ways to answer when the origin cannot, in order. Each rung is there only if this request
 * may use it; the last one always is. Source: DESIGN section 3, step 8.
 */
export type Rung = "stale" | "snapshot" | "failover" | "page" | "origin-answer" | "plain";

export interface LadderFacts {
  /** A stored response may be served although the origin failed. */
  readonly mayServeStale: boolean;
  /** The route keeps snapshots, and the request could be answered by one. */
  readonly keepsSnapshots: boolean;
  readonly hasFailover: boolean;
  /** The request can be sent a second time: safe or idempotent, with its body still at hand. */
  readonly repeatable: boolean;
  readonly hasPage: boolean;
  /** The origin answered, with a 5xx of its own. */
  readonly hasOriginAnswer: boolean;
}

export function ladder(facts: LadderFacts): readonly Rung[] {
  const rungs: Rung[] = [];
  if (facts.mayServeStale) rungs.push("stale");
  else if (facts.keepsSnapshots) rungs.push("snapshot");
  if (facts.hasFailover && facts.repeatable) rungs.push("failover");
  if (facts.hasPage) rungs.push("page");
  // The origin's own words are better than our plain ones.
  if (facts.hasOriginAnswer) rungs.push("origin-answer");
  rungs.push("plain");
  return rungs;
}
