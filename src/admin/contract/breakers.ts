/** Breakers by hand, and their history. */
import * as z from "zod";
import { by, DAY_MS, reason, timeMs } from "./common.ts";

export const originParams = z.strictObject({
  origin: z
    .string()
    .min(1)
    .max(64)
    .describe("Origin id.")
    .meta({ examples: ["shop"] }),
});

export const forceBody = z.strictObject({
  reason,
  by,
  forMs: z
    .number()
    .int()
    .min(1_000)
    .max(30 * DAY_MS)
    .default(600_000)
    .describe("How long, in milliseconds: 1 s to 30 days. Default 10 minutes."),
  state: z.enum(["open", "closed"]).default("open"),
});

export const resetBody = z.strictObject({ reason, by });

const breakerTransition = z
  .object({
    atMs: timeMs,
    from: z.string(),
    to: z.string(),
    reason: z.string(),
    score: z.number(),
    pops: z.array(z.string()).readonly().describe("PoPs that saw it."),
    epoch: z.number().int(),
    by: z.string().optional().describe("Whose hand it was; left out: nobody's."),
  })
  .readonly();
export type BreakerTransition = z.infer<typeof breakerTransition>;

/** One breaker with its whole history, the newest last. */
export const breakerView = z
  .object({
    origin: z.string(),
    state: z.string().meta({ examples: ["closed"] }),
    forced: z
      .object({ state: z.string(), reason: z.string(), by: z.string(), untilMs: timeMs })
      .readonly()
      .nullable()
      .describe("By hand; null: it is not."),
    score: z.number().describe("Evidence against the origin; it opens at 20."),
    epoch: z.number().int(),
    outstandingProbes: z.number().int(),
    pops: z.number().int().describe("PoPs heard of."),
    underWay: z.number().describe("Calls under way in the world, where they are counted."),
    slots: z.number().nullable().describe("How many may be, where latency decides; else null."),
    earlyAgeMs: z.number().nullable().describe("From which age on a pending call is late; null: not known yet."),
    counts: z
      .record(z.string(), z.number())
      .readonly()
      .describe("Since its coordinator woke: successes, and failures by kind."),
    history: z.array(breakerTransition).readonly(),
  })
  .readonly();
export type BreakerView = z.infer<typeof breakerView>;
