/** What is recorded: points by the minute and the hour, and the demand that `weir size` reads. */
import * as z from "zod";
import { OUTCOMES } from "../../protocol/metrics.ts";
import { timeMs } from "./common.ts";

export const seriesQuery = z.strictObject({
  fromMs: z.coerce.number().int().min(0).describe("Milliseconds since 1970, UTC."),
  toMs: z.coerce.number().int().min(0).describe("Milliseconds since 1970, UTC."),
  stepMs: z.coerce
    .number()
    .int()
    .min(60_000)
    .max(86_400_000)
    .default(60_000)
    .describe("Whole minutes; from an hour on whole hours. At most 1,500 points."),
});

const routePoint = z
  .object({
    outcomes: z.partialRecord(z.enum(OUTCOMES), z.number()).readonly(),
    buckets: z.array(z.number()).readonly().describe("Requests by latency bound (`bounds`), the last above them all."),
    goodBuckets: z.array(z.number()).readonly().describe("Of those the origin or a fresh entry answered."),
    durationSecondsSum: z.number(),
  })
  .readonly();

const tenantPoint = z
  .object({
    admitted: z.number(),
    throttled: z.number(),
    shadowed: z.number().describe("Would have been throttled by a limit in shadow."),
  })
  .readonly();

export const seriesPoint = z
  .object({
    fromMs: timeMs,
    toMs: timeMs,
    routes: z.record(z.string(), routePoint).readonly(),
    tenants: z.record(z.string(), tenantPoint).readonly().describe("The heaviest; `other` is everybody else."),
  })
  .readonly();
export type SeriesPointView = z.infer<typeof seriesPoint>;

export const seriesReply = z
  .object({
    bounds: z.array(z.number()).readonly().describe("Seconds."),
    points: z.array(seriesPoint).readonly(),
  })
  .readonly();
export type SeriesReply = z.infer<typeof seriesReply>;

export const demandQuery = z.strictObject({
  hours: z.coerce.number().int().min(1).max(720).default(24).describe("How far back."),
});

const demandQuantiles = {
  p50: z.number(),
  p95: z.number(),
  p99: z.number(),
};

export const demandReply = z
  .object({
    fromMs: timeMs,
    toMs: timeMs,
    tenants: z
      .array(
        z
          .object({
            tenant: z.string(),
            ...demandQuantiles,
            peakTokens: z.number().describe("Most tokens asked for within one second."),
            admitted: z.number(),
            throttled: z.number(),
            meanSeconds: z.number().describe("Mean duration of its requests."),
          })
          .readonly(),
      )
      .readonly()
      .describe("Tokens a second over ten seconds, admitted or not."),
    origins: z
      .array(
        z
          .object({
            origin: z.string(),
            ...demandQuantiles,
            concurrencyP99: z.number().describe("Requests at once: arrivals a second times mean duration."),
            meanSeconds: z.number(),
          })
          .readonly(),
      )
      .readonly()
      .describe("Requests a second."),
  })
  .readonly();
export type DemandReply = z.infer<typeof demandReply>;
