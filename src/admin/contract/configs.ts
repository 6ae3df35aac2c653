/** Configs: the log of versions, and trials. */
import * as z from "zod";
import { preparedTemplates } from "../../config/pages/prepared.ts";
import { BOUNDS } from "../../config/schema-parts.ts";
import { by, DAY_MS, timeMs } from "./common.ts";

const message = z.string().max(500).default("").describe("Why, for those who look later.");

export const applyBody = z.strictObject({
  text: z.string().max(BOUNDS.fileBytes).describe("Of the config file: JSON with comments."),
  pages: preparedTemplates
    .optional()
    .describe("Its pages, made whole, by name. Default: those of the config in force."),
  message,
  by,
  dryRun: z.boolean().default(false).describe("Only check it."),
  canary: z
    .strictObject({
      shareRatio: z.number().gt(0).max(1).describe("Share of the callers that gets it first, above 0, at most 1."),
      forMs: z
        .number()
        .int()
        .min(1_000)
        .max(7 * DAY_MS)
        .describe("How long, in milliseconds: 1 s to 7 days. Then everybody gets it."),
    })
    .optional()
    .describe("Put it on trial first; it is taken back by itself when it fails, or throttles, clearly more."),
});
/** As it is sent: what has a default may be left out. */
export type ApplyBody = z.input<typeof applyBody>;

export const rollbackBody = z.strictObject({
  number: z.number().int().min(1).describe("Whose content is to hold again."),
  message,
  by,
});

export const endTrialBody = z.strictObject({
  promote: z.boolean().describe("true: everybody gets it; false: it is taken back."),
  message,
  by,
});

export const historyQuery = z.strictObject({
  before: z.coerce.number().int().min(1).optional().describe("Only versions with a smaller number."),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});

export const configParams = z.strictObject({
  number: z
    .string()
    .max(32)
    .describe("Number of a version, or `in-force`.")
    .meta({ examples: ["in-force"] }),
});

const configVersionView = z
  .object({
    number: z.number().int(),
    configVersion: z.number().int(),
    hash: z.string(),
    source: z.enum(["deploy", "apply", "rollback", "trial-ended"]),
    author: z.string(),
    message: z.string(),
    atMs: timeMs,
    contentOf: z.number().int().nullable().describe("Whose content it has; null: its own."),
  })
  .readonly();
export type ConfigVersionView = z.infer<typeof configVersionView>;

const inForceView = z
  .object({
    sequence: z.number().int(),
    number: z.number().int(),
    canary: z.object({ number: z.number().int(), shareRatio: z.number() }).readonly().optional(),
  })
  .readonly();

const armCounts = z.object({ requests: z.number(), failed: z.number(), throttled: z.number() }).readonly();
const trialView = z
  .object({
    number: z.number().int(),
    shareRatio: z.number(),
    startedAtMs: timeMs,
    endsAtMs: timeMs,
    arms: z.object({ canary: armCounts, control: armCounts }).readonly(),
  })
  .readonly();

export const configHistoryReply = z
  .object({
    inForce: inForceView.nullable(),
    trial: trialView.nullable(),
    versions: z.array(configVersionView).readonly().describe("The newest first."),
  })
  .readonly();
export type ConfigHistoryReply = z.infer<typeof configHistoryReply>;

export const configContentReply = z
  .object({
    number: z.number().int(),
    hash: z.string(),
    text: z.string().nullable().describe("Null: a deploy that brought none."),
    pages: z.record(z.string(), z.string()).readonly().describe("SHA-256 of each page, by name."),
  })
  .readonly();
export type ConfigContentReply = z.infer<typeof configContentReply>;

export const configOutcomeReply = z
  .object({
    kind: z.enum(["done", "same"]).describe("`same`: it was in force already, and nothing was added."),
    inForce: inForceView,
    version: configVersionView,
  })
  .readonly();
export type ConfigOutcomeReply = z.infer<typeof configOutcomeReply>;

export const checkedReply = z.object({ kind: z.literal("checked"), hash: z.string() }).readonly();
