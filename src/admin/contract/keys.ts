/** API keys of a tenant. */
import * as z from "zod";
import { MAX_SCOPES, MAX_SCOPES_LENGTH, SCOPE_PATTERN } from "../../policy/identity/scopes.ts";
import { DAY_MS, tenantParams, timeMs } from "./common.ts";

const LONGEST_KEY_LIFE_MS = 3_650 * DAY_MS;
const LONGEST_OVERLAP_MS = 90 * DAY_MS;

const label = z
  .string()
  .max(100)
  .describe("For people; not secret.")
  .meta({ examples: ["ci"] });
const scopes = z
  .array(
    z.string().regex(SCOPE_PATTERN, 'must be "read", "write", or "route:", "read:" or "write:" with a route\'s id'),
  )
  .max(MAX_SCOPES)
  .refine((list) => list.join(" ").length <= MAX_SCOPES_LENGTH, `must have ${MAX_SCOPES_LENGTH} characters in all`)
  .describe("What the key may do: at least one must name the request. Empty: everything its tenant may.");
const lifetimeMs = z
  .number()
  .int()
  .min(1_000)
  .max(LONGEST_KEY_LIFE_MS)
  .describe("The key expires after so long, in milliseconds: 1 s to 10 years.");

export const createKeyBody = z.strictObject({
  label: label.default(""),
  scopes: scopes.default([]),
  lifetimeMs: lifetimeMs.optional(),
});
export type CreateKeyBody = z.input<typeof createKeyBody>;

/** What is not given is as with the key that is replaced. */
export const rotateKeyBody = z.strictObject({
  label: label.optional(),
  scopes: scopes.optional(),
  lifetimeMs: lifetimeMs.optional(),
  overlapMs: z
    .number()
    .int()
    .min(0)
    .max(LONGEST_OVERLAP_MS)
    .default(DAY_MS)
    .describe("The old key ends after so long, in milliseconds: up to 90 days. Default 24 hours."),
});
export type RotateKeyBody = z.input<typeof rotateKeyBody>;

export const keyParams = tenantParams.extend({ keyId: z.string().min(1).max(64) });

/** active; ending: replaced, still good until `endsAtMs`; ended: replaced, no longer good. */
const KEY_STATES = ["active", "ending", "ended", "expired", "revoked"] as const;

export const keyView = z.strictObject({
  keyId: z.string().meta({ examples: ["0123456789abcdef"] }),
  label: z.string(),
  state: z.enum(KEY_STATES),
  scopes: z.array(z.string()),
  createdAtMs: timeMs,
  expiresAtMs: timeMs.nullable(),
  lastUsedAtMs: timeMs.nullable().describe("To about a minute; null: not yet."),
  endsAtMs: timeMs.nullable().describe("When it ends because it was replaced."),
  replacedBy: z.string().nullable().describe("Id of the key that replaced it."),
  revokedAtMs: timeMs.nullable(),
});
export type KeyView = z.infer<typeof keyView>;

export const keysReply = z.strictObject({ keys: z.array(keyView) });

export const createdKey = keyView
  .pick({ keyId: true, label: true, scopes: true, createdAtMs: true, expiresAtMs: true })
  .extend({
    tenant: z.string(),
    key: z.string().describe("The key itself: shown this once."),
  });
export type CreatedKey = z.infer<typeof createdKey>;

export const rotatedKey = createdKey.extend({ replaced: keyView });
export type RotatedKey = z.infer<typeof rotatedKey>;
