/** Overrides: one limit of one tenant, raised or lowered for a while. */
import * as z from "zod";
import { BOUNDS } from "../../config/schema-parts.ts";
import { RATE_PATTERN } from "../../config/units.ts";
import { DAY_MS, reason, tenantParams, timeMs } from "./common.ts";

const LONGEST_OVERRIDE_MS = 90 * DAY_MS;

/** What is not given stays as configured. */
export const overrideBody = z.strictObject({
  rate: z
    .string()
    .regex(RATE_PATTERN, 'must be a rate like "200/s", "100/m"')
    .optional()
    .describe("Token buckets: refill.")
    .meta({ examples: ["200/s"] }),
  burst: z.number().int().min(1).max(BOUNDS.burst).optional().describe("Token buckets: capacity in tokens."),
  quota: z.number().int().min(1).max(BOUNDS.burst).optional().describe("Quotas: tokens per period."),
  slots: z.number().int().min(1).max(100_000).optional().describe("Concurrency: requests at once."),
  forMs: z.number().int().min(1_000).max(LONGEST_OVERRIDE_MS).describe("How long, in milliseconds: 1 s to 90 days."),
  reason,
});
export type OverrideBody = z.infer<typeof overrideBody>;

export const overrideParams = tenantParams.extend({
  limit: z
    .string()
    .min(1)
    .max(128)
    .describe("Name of the limit.")
    .meta({ examples: ["requests"] }),
});

export const overrideView = z
  .object({
    tenant: z.string(),
    limit: z.string(),
    inForce: z
      .string()
      .describe("In words.")
      .meta({ examples: ["500/s, burst 1000"] }),
    reason: z.string(),
    setAtMs: timeMs,
    expiresAtMs: timeMs,
  })
  .readonly();
export type OverrideView = z.infer<typeof overrideView>;

export const overrideList = z.object({ overrides: z.array(overrideView).readonly() });
export const removedOverride = z.object({ tenant: z.string(), limit: z.string() });
