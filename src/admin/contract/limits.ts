/** Limits of one tenant: what holds, where it comes from, what is left. */
import * as z from "zod";
import { timeMs } from "./common.ts";

const limitView = z
  .object({
    limit: z
      .string()
      .describe("Its name; of a route's: `route:<route>:<name>`.")
      .meta({ examples: ["requests"] }),
    source: z
      .string()
      .describe("Where it stands in the config, or `tenant` for one of a tenant made through the API.")
      .meta({ examples: ["plans.pro.limits.requests"] }),
    configured: z
      .string()
      .describe("In words.")
      .meta({ examples: ["200/s, burst 400"] }),
    inForce: z.string().describe("In words: another than configured while it is overridden."),
    override: z.object({ reason: z.string(), expiresAtMs: timeMs }).readonly().nullable(),
    partition: z.enum(["tenant", "principal"]),
    mode: z.enum(["enforce", "shadow", "off"]),
    failMode: z.enum(["local", "open", "closed"]),
    partitions: z.number().int().describe("In use now; an unused one is full."),
    leastFreeTokens: z.number().nullable().describe("Of the partition that has least; null: none is in use."),
  })
  .readonly();
export type LimitView = z.infer<typeof limitView>;

export const limitList = z.object({ tenant: z.string(), plan: z.string(), limits: z.array(limitView).readonly() });
export type LimitList = z.infer<typeof limitList>;
