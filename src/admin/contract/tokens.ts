/** Tokens of the admin API. */
import * as z from "zod";
import { DAY_MS, nextCursor, pageQuery, role, timeMs } from "./common.ts";

const LONGEST_TOKEN_MS = 366 * DAY_MS;

export const createTokenBody = z.strictObject({
  label: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$/, "must be 1 to 64 of A-Z a-z 0-9 . _ @ - and spaces")
    .refine((label) => label.toLowerCase() !== "root", '"root" is the name of the token of the deployment')
    .describe("Whose token it is: the name in the audit.")
    .meta({ examples: ["ci"] }),
  role,
  tenants: z
    .array(z.string().min(1).max(64))
    .min(1)
    .max(100)
    .readonly()
    .optional()
    .describe("The tenants it is limited to: it reaches their routes only. Default: not limited."),
  forMs: z
    .number()
    .int()
    .min(1_000)
    .max(LONGEST_TOKEN_MS)
    .default(90 * DAY_MS)
    .describe("How long it holds, in milliseconds: 1 s to 366 days. Default 90 days."),
});

const tokenFields = {
  tokenId: z.string().meta({ examples: ["0123456789abcdef"] }),
  label: z.string(),
  role,
  tenants: z.array(z.string()).readonly().nullable().describe("Null: not limited."),
  createdAtMs: timeMs,
  createdBy: z.string(),
  expiresAtMs: timeMs,
};

export const tokenView = z
  .object({
    ...tokenFields,
    revokedAtMs: timeMs.nullable(),
    lastUsedAtMs: timeMs.nullable().describe("To within five minutes; null: never."),
  })
  .describe("A token, without what it is.");
export type TokenView = z.infer<typeof tokenView>;

export const createdToken = z.object({ ...tokenFields, token: z.string().describe("The token: shown this once.") });
export type CreatedToken = z.infer<typeof createdToken>;

export const listTokensQuery = z.strictObject(pageQuery);
export const tokenList = z.object({ tokens: z.array(tokenView).readonly(), next: nextCursor });
export type TokenList = z.infer<typeof tokenList>;

export const tokenParams = z.strictObject({ tokenId: z.string().min(1).max(64) });
