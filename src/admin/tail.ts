/** Live decisions: asking makes its caller a listener for some seconds; isolates send theirs with the next flush. */
import type { TailReply as ShardReply } from "../protocol/metrics.ts";
import { tailQuery, type TailReply, tailReply } from "./contract/tail.ts";
import { askMetrics } from "./metrics-objects.ts";
import { operation } from "./operation.ts";
import { problem, problemType } from "./reply.ts";

const tailDecisions = operation(
  {
    id: "tailDecisions",
    method: "GET",
    path: "/tail",
    tag: "Looking",
    summary: "Watch decisions as they are made",
    description:
      "Ask again within 15 seconds, about twice a second. From the first question on isolates send what the filters let through with their counters, about once a second: an even sample, of 50 at most. Nothing is stored.",
    query: tailQuery,
    result: tailReply,
    refusals: { 403: "A token of some tenants, and another's decisions.", 429: "So many watch already." },
  },
  async ({ env, actor, query }) => {
    const { listener, after, tenant, ...filter } = query;
    if (tenant !== undefined && actor.tenants?.includes(tenant) === false) {
      const title = "This token is told of decisions of its own tenants only";
      return problem(403, title, undefined, { type: problemType("outside-scope") });
    }
    const tenants = tenant === undefined ? actor.tenants : [tenant];
    const cursors = after.split(".");
    const replies = await askMetrics(env, "watch", (shard) => ({
      v: 1 as const,
      // Nobody takes part in what another token watches.
      listener: `${actor.id}/${listener}`,
      filter: { ...filter, ...(tenants === undefined ? {} : { tenants }) },
      after: Number(cursors[shard] ?? 0),
    }));
    const told: TailReply = { decisions: [], next: "", matched: 0, dropped: 0, edges: 0 };
    const reply = replies.reduce((sum: TailReply | undefined, part) => heard(sum, part), told);
    if (reply === undefined) return problem(429, "Too many watch already: try again when one of them has stopped");
    return { ...reply, decisions: reply.decisions.toSorted((a, b) => a.atMs - b.atMs) };
  },
);

/** Undefined: a Metrics object has no room for another listener. */
function heard(sum: TailReply | undefined, part: ShardReply): TailReply | undefined {
  if (sum === undefined || part.kind === "full") return undefined;
  return {
    decisions: [...sum.decisions, ...part.decisions],
    next: sum.next === "" ? String(part.next) : `${sum.next}.${part.next}`,
    matched: sum.matched + part.matched,
    dropped: sum.dropped + part.dropped,
    edges: sum.edges + part.edges,
  };
}

export const tailOperations = [tailDecisions];
