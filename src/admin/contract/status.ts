/** What is going on. */
import * as z from "zod";
import { timeMs } from "./common.ts";

export const metricsQuery = z.strictObject({
  tenants: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_000)
    .default(20)
    .describe("Tenants with series of their own, those that ask most; the others are `other`."),
});

export const statusQuery = z.strictObject({
  tenant: z
    .string()
    .max(64)
    .optional()
    .describe("Only this one, also where it was made through the API; else the first hundred of the config file."),
});

const limitStatus = z
  .object({
    partition: z.string(),
    kind: z.enum(["bucket", "quota", "slots"]),
    capacityTokens: z.number(),
    freeTokens: z.number(),
    outstandingTokens: z.number(),
    activeLessees: z.number().int(),
    writtenOffTokens: z.number().describe("Quotas: lost in this period with isolates that died."),
    owedTokens: z.number().describe("Costs known after the response that are still to be paid."),
    overriddenUntilMs: timeMs.or(z.undefined()).optional().describe("Until when an override holds."),
  })
  .readonly();

const tenantStatus = z
  .object({
    tenant: z.string(),
    plan: z.string(),
    limits: z.array(limitStatus).readonly().nullable().describe("Null: its coordinator did not answer."),
    leaseCalls: z.number().int().describe("Calls of isolates to its coordinator since that woke."),
  })
  .readonly();
export type TenantStatus = z.infer<typeof tenantStatus>;

/** Requests that a tenant's limits decided without their coordinator, since counting began. */
const failModeStatus = z.object({ tenant: z.string(), mode: z.string(), requests: z.number() }).readonly();
export type FailModeStatus = z.infer<typeof failModeStatus>;

const breakerStatus = z
  .object({
    origin: z.string(),
    state: z.string(),
    score: z.number(),
    epoch: z.number().int(),
    outstandingProbes: z.number().int(),
    forced: z.object({ state: z.string(), reason: z.string(), untilMs: timeMs }).readonly().nullable(),
    lastTransition: z
      .object({ atMs: timeMs, from: z.string(), to: z.string(), reason: z.string() })
      .readonly()
      .nullable(),
  })
  .readonly();
export type BreakerStatus = z.infer<typeof breakerStatus>;

export const statusReply = z
  .object({
    configVersion: z.number().int(),
    configHash: z.string(),
    tenants: z.array(tenantStatus).readonly(),
    truncated: z.boolean().describe("The config file has more tenants than are shown: ask with `?tenant=`."),
    failModes: z.array(failModeStatus).readonly().nullable().describe("Null: the metrics object did not answer."),
    origins: z.array(breakerStatus).readonly(),
  })
  .readonly();
export type StatusReply = z.infer<typeof statusReply>;
