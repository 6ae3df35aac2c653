/** What the schema of `weir.jsonc` is put together from: bounds, names, durations. */
import * as z from "zod";
import { DURATION_PATTERN } from "./units.ts";

export const BOUNDS = {
  fileBytes: 1_000_000,
  /** One page with what is inlined into it; all pages together, because they are in the bundle; one file of a page. */
  pageBytes: 262_144,
  pagesBytes: 1_048_576,
  assetBytes: 131_072,
  languages: 20,
  tenants: 10_000,
  routes: 1_000,
  origins: 100,
  plans: 1_000,
  limitsPerScope: 20,
  forwardHeaders: 32,
  /** Addresses, networks and keys of one list. */
  accessEntries: 1_000,
  /** Tokens. */
  burst: 10_000_000,
  cost: 1_000_000,
  /** One origin call, and waiting for a coordinator. */
  deadlineMs: 300_000,
  backoffMs: 600_000,
  concurrency: 100_000,
  clockToleranceMs: 300_000,
  objectives: 200,
  receivers: 20,
  groupWaitMs: 300_000,
  /** Any duration: a year. */
  longestMs: 31_536_000_000,
} as const;

export const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit");
export const tenantId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit");
export const headerName = z.string().regex(/^[A-Za-z0-9-]{1,64}$/, "must be a header name of letters, digits and -");
export const duration = z.string().regex(DURATION_PATTERN, 'must be a duration like "500ms", "3s", "10m", "1h", "1d"');
export const failureRatio = z.number().min(0.01).max(0.99);
export const count = (max: number): z.ZodNumber => z.number().int().min(1).max(max);

/** A strict object that says which keys it knows. */
export function strict<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? `unknown key; valid keys: ${Object.keys(shape).join(", ")}` : undefined,
  });
}
