/** The audit, for reading: it is written around every write, in `writes.ts`. */
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { CONTROL_OBJECT } from "../protocol/control.ts";
import { auditPage, auditQuery } from "./contract/audit.ts";
import { operation } from "./operation.ts";
import { badCursor, COORDINATOR_DEADLINE_MS } from "./reply.ts";

const readAudit = operation(
  {
    id: "readAudit",
    method: "GET",
    path: "/audit",
    tag: "Audit",
    summary: "Read the audit",
    description: "Every write, the newest first: who, what, what was before and after. Secrets are never in it.",
    query: auditQuery,
    result: auditPage,
  },
  async ({ env, query: { limit, cursor, ...filter } }) => {
    const before = cursor === undefined ? undefined : Number(cursor);
    if (before !== undefined && !Number.isSafeInteger(before)) return badCursor();
    const call = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "audit", { v: 1, before, limit, filter });
    const { entries, next, dropped } = await withDeadline(call, COORDINATOR_DEADLINE_MS);
    return {
      entries: entries.map((entry) => ({ ...entry, before: valueOf(entry.before), after: valueOf(entry.after) })),
      next: next === undefined ? null : String(next),
      dropped,
    };
  },
);

function valueOf(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}

export const auditOperations = [readAudit];
