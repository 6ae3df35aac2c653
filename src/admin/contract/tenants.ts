/** Tenants: those of the config file, and those that are made here. */
import * as z from "zod";
import { tenant as tenantFile } from "../../config/schema.ts";
import { nextCursor, pageQuery, reason, tenantParams, timeMs } from "./common.ts";

export { tenantParams };

const label = z.string().max(200).default("").describe("For people, and for search.");

/** As in the config file, with a label. */
export const putTenantBody = tenantFile.extend({ label });
export type PutTenantBody = z.input<typeof putTenantBody>;

const id = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit");

export const MAX_IMPORT = 1_000;
export const importBody = z.strictObject({
  tenants: z
    .array(tenantFile.extend({ id, label }))
    .min(1)
    .max(MAX_IMPORT)
    .describe(`At most ${MAX_IMPORT}. All are written, or none; what is there already is replaced.`),
});

export const listTenantsQuery = z.strictObject({
  ...pageQuery,
  search: z.string().max(100).default("").describe("Beginnings of words of the id or the label."),
  plan: z.string().max(64).optional(),
  suspended: z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .optional(),
  source: z.enum(["file", "api"]).optional().describe("Default: both."),
});

export const suspendBody = z.strictObject({ reason });

export const tenantView = z
  .object({
    tenant: z.string(),
    source: z.enum(["file", "api"]).describe("file: it is in the config; api: it was made here."),
    label: z.string(),
    plan: z.string(),
    settings: z
      .record(z.string(), z.unknown())
      .describe("What it has beside its plan, as in the config file; for `file` only its plan."),
    suspended: z.string().nullable().describe("Why; null: it is not."),
    createdAtMs: timeMs.nullable(),
    updatedAtMs: timeMs.nullable(),
  })
  .describe("A tenant.");
export type TenantView = z.infer<typeof tenantView>;

export const tenantList = z.object({ tenants: z.array(tenantView).readonly(), next: nextCursor });
export type TenantList = z.infer<typeof tenantList>;

const count = z.number().int().min(0);
export const importReply = z.object({ created: count, changed: count, same: count });
export type ImportReply = z.infer<typeof importReply>;

export const removedTenant = z.object({ tenant: z.string() });
