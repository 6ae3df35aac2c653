/** What all of the admin API's routes share on the wire. */
import * as z from "zod";
import { ROLES } from "../../protocol/admin-records.ts";

export const DAY_MS = 86_400_000;

export const role = z
  .enum(ROLES)
  .describe("What a token may do: `reader` sees, `operator` also acts in an outage, `admin` also configures.");

export const timeMs = z.number().int().describe("Milliseconds since 1970, UTC.");
export const reason = z.string().min(1).max(500).describe("Why; kept in the history.");

export const by = z
  .string()
  .min(1)
  .max(64)
  .optional()
  .describe("Who the bearer says they are; the history has the token's name before it.");

export const tenantParams = z.strictObject({
  tenant: z
    .string()
    .min(1)
    .max(64)
    .describe("Tenant id.")
    .meta({ examples: ["acme"] }),
});

const MAX_PAGE = 1_000;
/** Lists come in pages. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(100).describe("Entries of one page."),
  cursor: z.string().max(100).optional().describe("Where the page begins: `next` of the page before."),
};
export const nextCursor = z.string().nullable().describe("Cursor of the next page; null: this is the last.");

/** RFC 9457. `type` is stable; `title` and `detail` are for people. */
export const problemDetails = z
  .object({
    type: z.string().describe("Stable name of the kind of problem."),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().optional(),
  })
  .describe("RFC 9457 problem details.");
