/** The audit: every write, who did it, and what became of it. */
import * as z from "zod";
import { AUDIT_OUTCOMES } from "../../protocol/admin-records.ts";
import { nextCursor, pageQuery, role, timeMs } from "./common.ts";

const outcome = z
  .enum(AUDIT_OUTCOMES)
  .describe("`failed`: what became of it is not certain. `unfinished`: it began, and nothing is known of its end.");

export const auditQuery = z.strictObject({
  ...pageQuery,
  actor: z.string().max(64).optional().describe('Id of a token, or "root".'),
  operation: z.string().max(64).optional().describe("Operation id, as in the OpenAPI document."),
  tenant: z.string().max(64).optional(),
  outcome: outcome.optional(),
  fromMs: z.coerce.number().int().min(0).optional().describe("Not before this time, in milliseconds since 1970."),
  toMs: z.coerce.number().int().min(0).optional().describe("Not after this time, in milliseconds since 1970."),
});

export const auditEntry = z.object({
  entryId: z.number().int(),
  atMs: timeMs,
  actor: z.object({ id: z.string(), name: z.string(), role }).describe("Who: a token, by id and label, or `root`."),
  operation: z.string(),
  params: z.record(z.string(), z.string()).describe("Of the path."),
  outcome,
  status: z.number().int().describe("Of the answer; 0: there was none yet."),
  before: z.unknown().describe("What was, as far as it may be kept; null: nothing."),
  after: z.unknown().describe("What is, as far as it may be kept; null: nothing."),
  requestId: z.string(),
  client: z.string().describe("Address the call came from."),
});
export type AuditEntry = z.infer<typeof auditEntry>;

export const auditPage = z.object({
  entries: z.array(auditEntry).readonly(),
  next: nextCursor,
  dropped: z.number().int().describe("Entries that gave way to newer ones or were older than 90 days."),
});
export type AuditPage = z.infer<typeof auditPage>;
