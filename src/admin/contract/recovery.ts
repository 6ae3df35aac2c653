/**
 * Backups of the control state, and what takes them back. A backup is lines of JSON: a header, a line for each thing, and
 * a trailer with counts and the SHA-256 of all lines before it (docs/recovery.md). Never a key, a token or a secret.
 */
import * as z from "zod";
import { AUDIT_OUTCOMES } from "../../protocol/admin-records.ts";
import { tenant as tenantFile } from "../../config/schema.ts";
import { MAX_LINES_A_CALL } from "../../protocol/recovery.ts";
import { role, timeMs } from "./common.ts";

/** Of the format: a reader refuses what is newer, and still reads the one before. */
export const BACKUP_VERSION = 1;
/** What made a backup; for people. */
export const RELEASE = "0.1.0";
/** No line is longer: a reader need not hold more at once. */
export const MAX_LINE_LENGTH = 1_048_576;
/** Of a content, in one line, before it is base64. */
export const CHUNK_BYTES = 524_288;

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const text = (most: number) => z.string().max(most);
const tenantId = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "is no tenant's id");
const hexId = z.string().regex(/^[0-9a-f]{16}$/, "must be 16 hex digits");
const originId = z.string().min(1).max(64);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits");
const amount = count;

export const backupHeader = z.strictObject({
  v: z.number().int().min(1),
  kind: z.literal("weir-backup"),
  release: text(50),
  createdAt: z.iso.datetime(),
  source: text(500),
  audit: z.boolean(),
});
export type BackupHeader = z.infer<typeof backupHeader>;

export const backupTrailer = z.strictObject({
  kind: z.literal("end"),
  counts: z.record(z.string().max(40), count),
  sha256,
});
export type BackupTrailer = z.infer<typeof backupTrailer>;

const configLine = z.strictObject({
  kind: z.literal("config"),
  number: count.min(1),
  configVersion: count,
  hash: text(100),
  source: z.enum(["deploy", "apply", "rollback", "trial-ended"]),
  author: text(100),
  message: text(500),
  atMs: timeMs,
  contentOf: count.nullable(),
  originIds: z.array(originId).max(200),
});

const contentLine = z.strictObject({
  kind: z.literal("config-content"),
  number: count.min(1),
  of: z.enum(["packed", "text"]),
  part: z.number().int().min(0).max(63),
  bytes: z.base64().max(Math.ceil(CHUNK_BYTES / 3) * 4),
});

/** The control arm, where a trial was under way. */
const inForceLine = z.strictObject({
  kind: z.literal("in-force"),
  number: count.min(1),
  sequence: count,
  trial: count.nullable().describe("Of the config that was on trial: it is in the history, but not in force."),
  lastDeploy: z.strictObject({ configVersion: count, hash: text(100) }).nullable(),
});

const tenantLine = z.strictObject({
  kind: z.literal("tenant"),
  id: tenantId,
  settings: tenantFile.nullable().describe("As in the config file; null: it is in the config."),
  label: text(200),
  suspended: z.string().min(1).max(500).nullable(),
  createdAtMs: timeMs,
  updatedAtMs: timeMs,
});

const removedTenantLine = z.strictObject({ kind: z.literal("removed-tenant"), id: tenantId, atMs: timeMs });

const keyLine = z.strictObject({
  kind: z.literal("key"),
  tenant: tenantId,
  keyId: hexId,
  label: text(200),
  scopes: z.array(text(100)).max(100),
  createdAtMs: timeMs,
  expiresAtMs: timeMs.nullable(),
  revokedAtMs: timeMs.nullable(),
  endsAtMs: timeMs.nullable(),
  replacedBy: hexId.nullable(),
  lastUsedAtMs: timeMs.nullable(),
});

const spec = z.discriminatedUnion("kind", [
  z
    .strictObject({
      kind: z.literal("bucket"),
      refillNumerator: amount.min(1),
      refillDenominator: amount.min(1),
      burstMicro: amount.min(1),
    })
    .refine(
      ({ refillDenominator, burstMicro }) => refillDenominator * burstMicro <= Number.MAX_SAFE_INTEGER,
      "is too large",
    ),
  z.strictObject({
    kind: z.literal("quota"),
    quotaMicro: amount,
    period: z.enum(["minute", "hour", "day", "month"]),
    timeZone: text(64),
  }),
  z.strictObject({ kind: z.literal("slots"), slotsMicro: amount }),
]);

const overrideLine = z.strictObject({
  kind: z.literal("override"),
  tenant: tenantId,
  limitId: text(200),
  spec,
  reason: text(500),
  setAtMs: timeMs,
  expiresAtMs: timeMs,
});

const breakerLine = z.strictObject({
  kind: z.literal("breaker"),
  origin: originId,
  state: z.enum(["open", "closed"]),
  reason: text(500),
  by: text(100),
  untilMs: timeMs,
});

const maintenanceLine = z.strictObject({
  kind: z.literal("maintenance"),
  origin: originId,
  route: originId.nullable(),
  startsAtMs: timeMs,
  endsAtMs: timeMs,
  allow: z.array(text(100)).max(100),
  pageOnly: z.boolean(),
  reason: text(500),
  by: text(100),
});

/** What was stored before the newest purge must not come back; the purges themselves are widened to everything. */
const purgesLine = z.strictObject({
  kind: z.literal("purges"),
  origin: originId,
  epoch: z.number().int().min(1).max(1_000_000_000_000),
});

const tokenLine = z.strictObject({
  kind: z.literal("token"),
  tokenId: hexId,
  label: text(64),
  role,
  tenants: z.array(tenantId).min(1).max(100).nullable(),
  createdAtMs: timeMs,
  createdBy: text(100),
  expiresAtMs: timeMs,
  revokedAtMs: timeMs.nullable(),
  lastUsedAtMs: timeMs.nullable(),
});

const auditLine = z.strictObject({
  kind: z.literal("audit"),
  entryId: z.number().int().min(-1_000_000_000).max(-1).describe("The newest is -1."),
  atMs: timeMs,
  actor: z.strictObject({ id: text(64), name: text(64), role }),
  operation: text(64),
  params: z.record(text(64), text(200)),
  requestId: text(100),
  client: text(100),
  outcome: z.enum(AUDIT_OUTCOMES),
  status: z.number().int(),
  before: text(4_000).nullable(),
  after: text(4_000).nullable(),
});

export const backupLine = z.discriminatedUnion("kind", [
  configLine,
  contentLine,
  inForceLine,
  tenantLine,
  removedTenantLine,
  keyLine,
  overrideLine,
  breakerLine,
  maintenanceLine,
  purgesLine,
  tokenLine,
  auditLine,
]);
export type BackupLine = z.infer<typeof backupLine>;
export type LineOf<Kind extends BackupLine["kind"]> = Extract<BackupLine, { kind: Kind }>;

/** In the order in which a backup has them, and a restore needs them. */
export const PARTS = ["configs", "tenants", "removed", "records", "origins", "tokens", "audit"] as const;
export type Part = (typeof PARTS)[number];

export const beginBackupBody = z.strictObject({
  audit: z.boolean().default(false).describe("The audit will be read, too."),
});
export const begunBackup = z.object({
  backup: z.string().describe("For reading its parts, for a day, with this token."),
  createdAtMs: timeMs,
  release: z.string(),
});
export type BegunBackup = z.infer<typeof begunBackup>;

export const backupParams = z.strictObject({
  backup: z.string().min(1).max(100),
  part: z.enum(PARTS).meta({ examples: ["configs"] }),
});
export const backupQuery = z.strictObject({
  cursor: z.string().max(100).optional().describe("Where the page begins: `next` of the page before."),
  tenants: z.string().max(4_000).optional().describe("Of `records`: up to 50 tenants' ids, by commas."),
});
export const backupPage = z.object({
  lines: z.array(backupLine).readonly(),
  next: z.string().nullable().describe("Cursor of the next page; null: this is the last."),
});
export type BackupPage = z.infer<typeof backupPage>;

export const beginRestoreBody = z.strictObject({
  sha256,
  createdAt: z.iso.datetime(),
  force: z.boolean().default(false).describe("Also over what there is."),
  dryRun: z.boolean().default(false).describe("Only say what there is."),
});
export type BeginRestoreBody = z.input<typeof beginRestoreBody>;
export const begunRestore = z.object({
  kind: z
    .enum(["begun", "goes-on", "restored", "would-begin"])
    .describe("`goes-on`: it began before, and did not end. `restored`: it did, and nothing is to be done."),
  found: z.array(z.string()).readonly().describe("What there is, and would be written over."),
});
export type BegunRestore = z.infer<typeof begunRestore>;

export const restoreParams = z.strictObject({ restore: z.string().min(1).max(64).describe("SHA-256 of the backup.") });
export const restoreLinesBody = z.strictObject({ lines: z.array(backupLine).min(1).max(MAX_LINES_A_CALL) });
export const restoredLines = z.object({ lines: z.number().int() });
export const endRestoreBody = z.strictObject({
  by: z.string().min(1).max(64).optional().describe("Who the bearer says they are."),
});
export const endedRestore = z.object({
  number: z.number().int().nullable().describe("Of the config that is now in force; null: the backup had none."),
});
export type EndedRestore = z.infer<typeof endedRestore>;
