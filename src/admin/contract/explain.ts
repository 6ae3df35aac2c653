/** What would become of a request. */
import * as z from "zod";

const MAX_HEADERS = 100;

export const explainBody = z.strictObject({
  method: z
    .string()
    .regex(/^[A-Za-z]{1,20}$/)
    .default("GET"),
  url: z
    .url({ protocol: /^https?$/ })
    .max(8_192)
    .describe("As a client would call it, with the gateway's host."),
  headers: z
    .record(z.string().max(100), z.string().max(8_192))
    .refine((headers) => Object.keys(headers).length <= MAX_HEADERS, `at most ${MAX_HEADERS} headers`)
    .default({})
    .describe("As a client would send them. Values are not told again."),
  tenant: z.string().min(1).max(64).optional().describe("Whose request it would be, without a credential."),
  apiKey: z.string().min(1).max(1_024).optional().describe("Put where the config expects keys; not told again."),
  address: z.union([z.ipv4(), z.ipv6()]).optional().describe("The client's address."),
  config: z
    .enum(["in-force", "canary"])
    .optional()
    .describe("Left out: the one that this caller has, while one is on trial."),
});
export type ExplainBody = z.input<typeof explainBody>;

const step = z
  .object({
    stage: z.string(),
    decision: z.string(),
    reason: z.string(),
    source: z.string().describe("A path in the config file, `default`, or what else it comes from."),
    details: z.record(z.string(), z.unknown()).readonly(),
  })
  .readonly();

const names = z.array(z.string()).readonly();

export const explainReply = z
  .object({
    steps: z.array(step).readonly().describe("The stages in order, up to the one that answered."),
    ladder: z
      .array(z.object({ rung: z.string(), answers: z.boolean(), does: z.string(), source: z.string() }).readonly())
      .readonly()
      .describe("What would answer if the origin could not, in order."),
    predicted: z
      .object({
        status: z.number().int().nullable().describe("Null: as the origin says."),
        served: z.string().nullable().describe("`Weir-Served`."),
        refusal: z.string().nullable(),
        rung: z.string().nullable(),
        headers: z.record(z.string(), z.string()).readonly(),
      })
      .readonly(),
    calls: z
      .array(
        z
          .object({
            origin: z.string(),
            role: z.enum(["origin", "failover", "refresh"]).describe("`refresh`: behind the answer."),
            method: z.string(),
            url: z.string(),
            droppedHeaders: names,
            addedHeaders: names,
          })
          .readonly(),
      )
      .readonly()
      .describe("Origin calls that it would make."),
  })
  .readonly();
export type ExplainReply = z.infer<typeof explainReply>;
