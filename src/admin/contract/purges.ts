/** Purges of what is stored: one of them made, and those that are remembered. */
import * as z from "zod";
import { MAX_TAG_LENGTH } from "../../policy/cache/tags.ts";
import { by, reason, timeMs } from "./common.ts";

const MAX_URL = 8_192;
const mode = z
  .enum(["soft", "hard"])
  .describe("`soft`: stale from then on. `hard`: as if it had never been stored, never served again.");
const originId = z.string().min(1).max(64);

export const purgeBody = z
  .strictObject({
    url: z
      .string()
      .min(1)
      .max(MAX_URL)
      .optional()
      .describe("A whole URL, or a path for every host; with its query. Exactly this one, in all its variants."),
    prefix: z
      .string()
      .min(1)
      .max(MAX_URL)
      .optional()
      .describe("Everything whose URL, or whose path on every host, begins so: `/shop/`."),
    tag: z
      .string()
      .regex(/^[!-+\--~]+$/, "must be one tag: visible ASCII without commas and spaces")
      .max(MAX_TAG_LENGTH)
      .optional()
      .describe("One of those in the origin's `Cache-Tag`."),
    origin: originId.optional().describe("Only what came from there; default: from all origins."),
    tenant: z.string().min(1).max(64).optional().describe("Only what is kept for this tenant; default: for all."),
    mode: mode.default("soft"),
    reason,
    by,
  })
  .describe("One of `url`, `prefix` and `tag`.");
/** As it is sent: what has a default may be left out. */
export type PurgeBody = z.input<typeof purgeBody>;

const purgeTarget = z
  .object({
    kind: z.enum(["url", "prefix", "tag"]),
    value: z.string().describe("Path with query, in canonical form; or the tag."),
    host: z.string().optional().describe("Left out: every host."),
    tenant: z.string().optional().describe("Left out: all."),
  })
  .readonly();
export type PurgeTargetView = z.infer<typeof purgeTarget>;

export const purgeReply = z
  .object({
    purged: purgeTarget,
    mode,
    origins: z
      .array(z.object({ origin: originId, epoch: z.number().int() }).readonly())
      .readonly()
      .describe("Where it is in force within 5 s."),
  })
  .readonly();
export type PurgeReply = z.infer<typeof purgeReply>;

export const purgesQuery = z.strictObject({ origin: originId.optional().describe("Only of this one.") });

export const purgesReply = z
  .object({
    purges: z
      .array(
        z
          .object({
            origin: originId,
            epoch: z.number().int(),
            purged: purgeTarget,
            mode,
            reason: z.string(),
            by: z.string(),
            atMs: timeMs,
          })
          .readonly(),
      )
      .readonly()
      .describe("Those that are remembered, the newest first."),
    unreachable: z.array(originId).readonly().describe("Origins whose coordinator did not answer."),
  })
  .readonly();
export type PurgesReply = z.infer<typeof purgesReply>;
