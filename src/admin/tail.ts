/** Live decisions: asking makes its caller a listener for some seconds; isolates send theirs with the next flush. */
import { METRICS_OBJECT } from "../edge/stages/record.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { tailQuery, tailReply } from "./contract/tail.ts";
import { operation } from "./operation.ts";
import { COORDINATOR_DEADLINE_MS, problem, problemType } from "./reply.ts";

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
    const asked = callCoordinator(env, "METRICS", METRICS_OBJECT, "watch", {
      v: 1,
      // Nobody takes part in what another token watches.
      listener: `${actor.id}/${listener}`,
      filter: { ...filter, ...(tenants === undefined ? {} : { tenants }) },
      after,
    });
    const reply = await withDeadline(asked, COORDINATOR_DEADLINE_MS);
    if (reply.kind === "full")
      return problem(429, `${reply.listeners} watch already: try again when one of them has stopped`);
    const { decisions, next, matched, dropped, edges } = reply;
    return { decisions, next, matched, dropped, edges };
  },
);

export const tailOperations = [tailDecisions];
