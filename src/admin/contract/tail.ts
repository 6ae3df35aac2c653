/** Live decisions. */
import * as z from "zod";
import { OUTCOMES } from "../../protocol/metrics.ts";
import { timeMs } from "./common.ts";

export const tailQuery = z.strictObject({
  listener: z
    .string()
    .regex(/^[a-z0-9]{8,32}$/)
    .describe("A name that the caller makes up, and keeps while it watches."),
  after: z
    .string()
    .regex(/^\d{1,16}(\.\d{1,16}){0,15}$/)
    .default("0")
    .describe("`next` of the reply before."),
  tenant: z.string().min(1).max(64).optional(),
  route: z.string().min(1).max(64).optional(),
  status: z
    .string()
    .regex(/^[1-5](\d\d|xx)$/)
    .optional()
    .describe("`429`, or `4xx` for all of a class."),
  outcome: z.enum(OUTCOMES).optional(),
});

const decision = z
  .object({
    atMs: timeMs,
    requestId: z.string(),
    tenant: z.string().nullable(),
    route: z.string().nullable(),
    method: z.string(),
    path: z.string().describe("Canonical, without the query; control characters are dots."),
    status: z.number().int(),
    outcome: z.string(),
    served: z.string().nullable(),
    refusal: z.string().nullable(),
    decidedBy: z.string().nullable().describe("What admitted it: `lease`, `coordinator`, or a fail mode."),
    violated: z.array(z.string()).readonly().describe("Limits that were used up."),
    durationMs: z.number(),
    pop: z.string(),
  })
  .readonly();
export type TailedDecision = z.infer<typeof decision>;

export const tailReply = z
  .object({
    decisions: z.array(decision).readonly(),
    next: z.string(),
    matched: z.number().int().describe("Since this listener began: requests that its filters let through."),
    dropped: z.number().int().describe("Of these, those that are not shown: an even sample is."),
    edges: z.number().int().describe("Isolates heard within the last five seconds."),
  })
  .readonly();
export type TailReply = z.infer<typeof tailReply>;
