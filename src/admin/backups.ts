/**
 * Backups: the whole control state in pages of lines, as the format has them (contract/recovery.ts). Beginning one is in the
 * audit; what that gives is needed to read the pages. Each thing is as it was when it was read: changes meanwhile may be in
 * it or not, but never half.
 */
import type * as z from "zod";
import { base64url, importKeySecret, shortMac } from "../platform/api-key.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { isCount } from "../policy/kernel/json.ts";
import { CONTROL_OBJECT } from "../protocol/control.ts";
import { originObjectName } from "../protocol/origin.ts";
import type { ConfigsKept } from "../protocol/recovery.ts";
import { TENANT_INDEX_OBJECT } from "../protocol/tenant-index.ts";
import { isTenantId, tenantCoordinator } from "../protocol/tenant.ts";
import {
  backupPage,
  backupParams,
  type BackupLine,
  type BackupPage,
  backupQuery,
  beginBackupBody,
  begunBackup,
  CHUNK_BYTES,
  type Part,
  RELEASE,
} from "./contract/recovery.ts";
import type { Actor } from "./access.ts";
import { type CallSite, operation } from "./operation.ts";
import { badCursor, problem } from "./reply.ts";
import { secretOf, secretsMissing } from "./secrets.ts";

const TAG = "Recovery";
const DEADLINE_MS = 10_000;
const LASTS_MS = 86_400_000;
const MAX_RECORDS = 50;
const VERSIONS_A_PAGE = 100;
/** Of contents, in base64: a page ends with the line that makes it longer. */
const ENOUGH_CONTENT = 1_048_576;
const TENANTS_A_PAGE = 200;
/** Tenants' coordinators that are asked at once. */
const AT_ONCE = 20;
/** A page ends with the tenants that make it longer: the last of them may have a thousand keys each. */
const ENOUGH_LINES = 2_000;
const ROWS_A_PAGE = 1_000;

type Query = z.output<typeof backupQuery>;

const beginBackup = operation(
  {
    id: "beginBackup",
    method: "POST",
    path: "/backups",
    tag: TAG,
    summary: "Begin a backup",
    description: "Its parts are then read page by page. `weir backup` does it all.",
    body: beginBackupBody,
    example: { audit: true },
    result: begunBackup,
    status: 201,
    keeps: ["createdAtMs", "release"],
  },
  async ({ env, actor, nowMs }) => {
    const untilMs = nowMs + LASTS_MS;
    const mac = await macOf(env, actor, untilMs);
    if (mac === undefined) return secretsMissing(["WEIR_KEY_SECRET"]);
    return { backup: `${untilMs}_${mac}`, createdAtMs: nowMs, release: RELEASE };
  },
);

const readBackup = operation(
  {
    id: "readBackup",
    method: "GET",
    path: "/backups/{backup}/{part}",
    tag: TAG,
    summary: "Read a page of a backup",
    params: backupParams,
    query: backupQuery,
    result: backupPage,
    refusals: { 404: "This backup was not begun with this token within a day." },
  },
  async (call) => {
    const { env, actor, nowMs, params, query } = call;
    const [untilText = ""] = params.backup.split("_", 1);
    const untilMs = Number(untilText);
    const known = (await macOf(env, actor, untilMs)) === params.backup.slice(untilText.length + 1);
    if (!known || !(nowMs < untilMs)) return problem(404, "This backup was not begun with this token within a day");
    return READ[params.part](call, query);
  },
);

export const backupOperations = [beginBackup, readBackup];

async function macOf(env: Env, actor: Actor, untilMs: number): Promise<string | undefined> {
  const secret = secretOf(env, "WEIR_KEY_SECRET");
  if (secret === undefined) return undefined;
  return base64url(await shortMac(await importKeySecret(secret), `weir-backup-v1|${actor.id}|${untilMs}`));
}

const READ: Readonly<Record<Part, (call: CallSite, query: Query) => Promise<BackupPage | Response>>> = {
  configs: readConfigs,
  tenants: readTenants,
  removed: readRemoved,
  records: readRecords,
  origins: readOrigins,
  tokens: readTokens,
  audit: readAudit,
};

/** Cursor: the number of the version before the next one, and how many lines of that one have been given. */
async function readConfigs({ env }: CallSite, { cursor = "0.0" }: Query): Promise<BackupPage | Response> {
  const [after = -1, given = -1] = cursor.split(".").map(Number);
  if (!isCount(after) || !isCount(given)) return badCursor();
  const control = { v: 1 as const, after, limit: VERSIONS_A_PAGE };
  const kept = await withDeadline(callCoordinator(env, "CONTROL", CONTROL_OBJECT, "keptConfigs", control), DEADLINE_MS);
  if (kept.versions.length === 0) return { lines: inForceLine(kept), next: null };
  const lines: BackupLine[] = [];
  let length = 0;
  let [last, from] = [after, given];
  for (const version of kept.versions) {
    const own = await linesOf(env, version);
    for (; from < own.length; from++) {
      const line = own[from];
      if (line === undefined || length > ENOUGH_CONTENT) return { lines, next: `${last}.${from}` };
      lines.push(line);
      length += line.kind === "config-content" ? line.bytes.length : 0;
    }
    [last, from] = [version.number, 0];
  }
  return { lines, next: `${last}.0` };
}

function inForceLine({ inForce, lastDeploy }: ConfigsKept): BackupLine[] {
  if (inForce === undefined) return [];
  const { number, sequence, canary } = inForce;
  return [{ kind: "in-force", number, sequence, trial: canary?.number ?? null, lastDeploy: lastDeploy ?? null }];
}

async function linesOf(env: Env, version: ConfigsKept["versions"][number]): Promise<BackupLine[]> {
  const { hasContent, contentOf, originIds, ...info } = version;
  const line = { kind: "config" as const, ...info, contentOf: contentOf ?? null, originIds: [...originIds] };
  return [line, ...(hasContent ? await chunksOf(env, version.number) : [])];
}

async function chunksOf(env: Env, number: number): Promise<BackupLine[]> {
  const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "read", { v: 1, number });
  const content = await withDeadline(asked, DEADLINE_MS);
  if (content === undefined) return [];
  const text = content.text === undefined ? [] : partsOf(number, "text", new TextEncoder().encode(content.text));
  return [...partsOf(number, "packed", new Uint8Array(content.packed)), ...text];
}

function partsOf(number: number, of: "packed" | "text", bytes: Uint8Array): BackupLine[] {
  const parts = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES));
  return Array.from({ length: parts }, (_, part) => {
    const chunk = bytes.subarray(part * CHUNK_BYTES, (part + 1) * CHUNK_BYTES);
    return { kind: "config-content", number, of, part, bytes: toBase64(chunk) };
  });
}

async function readTenants({ env }: CallSite, { cursor = "" }: Query): Promise<BackupPage> {
  const request = { v: 1 as const, after: cursor, limit: TENANTS_A_PAGE };
  const asked = callCoordinator(env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "backup", request);
  const { tenants } = await withDeadline(asked, DEADLINE_MS);
  const lines: BackupLine[] = [];
  for (let begin = 0; begin < tenants.length; begin += AT_ONCE) {
    const some = tenants.slice(begin, begin + AT_ONCE);
    for (const { id, profile, settings, label, suspended, createdAtMs, updatedAtMs } of some) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own settings, checked before they were stored
      const own = settings === undefined ? null : (JSON.parse(settings) as TenantSettings);
      const line = { settings: profile === undefined ? null : own, label, suspended: suspended ?? null };
      lines.push({ kind: "tenant", id, ...line, createdAtMs, updatedAtMs });
    }
    lines.push(
      ...(await recordsOf(
        env,
        some.filter(({ live }) => live).map(({ id }) => id),
      )),
    );
    if (lines.length >= ENOUGH_LINES) return { lines, next: some.at(-1)?.id ?? null };
  }
  return { lines, next: tenants.length < TENANTS_A_PAGE ? null : (tenants.at(-1)?.id ?? null) };
}

type TenantSettings = Extract<BackupLine, { kind: "tenant" }>["settings"];

/** Their coordinators are asked too: a tenant of the same name must not inherit their keys, also after a restore. */
async function readRemoved({ env }: CallSite, { cursor = "" }: Query): Promise<BackupPage> {
  const request = { v: 1 as const, after: cursor, limit: AT_ONCE };
  const asked = callCoordinator(env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "removed", request);
  const { tenants } = await withDeadline(asked, DEADLINE_MS);
  const records = await recordsOf(
    env,
    tenants.map(({ id }) => id),
  );
  const lines = [...tenants.map(({ id, atMs }): BackupLine => ({ kind: "removed-tenant", id, atMs })), ...records];
  return { lines, next: tenants.length < AT_ONCE ? null : (tenants.at(-1)?.id ?? null) };
}

/** Of tenants that a config names, or named: whoever reads the backup knows them from its contents. */
async function readRecords({ env }: CallSite, { tenants = "" }: Query): Promise<BackupPage | Response> {
  const ids = tenants.split(",");
  if (ids.length > MAX_RECORDS || !ids.every(isTenantId)) {
    return problem(400, `tenants: up to ${MAX_RECORDS} tenants' ids, by commas`);
  }
  return { lines: await recordsOf(env, ids), next: null };
}

async function recordsOf(env: Env, ids: readonly string[]): Promise<BackupLine[]> {
  const records = await Promise.all(
    ids.map(async (tenant) => {
      const asked = callCoordinator(env, "TENANT", tenantCoordinator(tenant), "backup", { v: 1 });
      const { keys, overrides } = await withDeadline(asked, DEADLINE_MS);
      return [
        ...keys.map((key): BackupLine => ({
          kind: "key",
          tenant,
          ...key,
          scopes: [...key.scopes],
          expiresAtMs: key.expiresAtMs ?? null,
          revokedAtMs: key.revokedAtMs ?? null,
          endsAtMs: key.endsAtMs ?? null,
          replacedBy: key.replacedBy ?? null,
          lastUsedAtMs: key.lastUsedAtMs ?? null,
        })),
        ...overrides.map((override): BackupLine => ({ kind: "override", tenant, ...override })),
      ];
    }),
  );
  return records.flat();
}

/** One origin a page. */
async function readOrigins({ env, tables }: CallSite, { cursor = "0" }: Query): Promise<BackupPage | Response> {
  const index = Number(cursor);
  if (!isCount(index)) return badCursor();
  const origin = tables.config.origins[index]?.id;
  if (origin === undefined) return { lines: [], next: null };
  const name = originObjectName(origin);
  const [{ forced }, { all }, { epoch }] = await Promise.all([
    withDeadline(callCoordinator(env, "ORIGIN", name, "status", { v: 1 }), DEADLINE_MS),
    withDeadline(callCoordinator(env, "ORIGIN", name, "listMaintenance", { v: 1 }), DEADLINE_MS),
    withDeadline(callCoordinator(env, "ORIGIN", name, "listPurges", { v: 1 }), DEADLINE_MS),
  ]);
  const lines: BackupLine[] = all.map(({ routeId, setAtMs: _told, allow, ...one }) => ({
    kind: "maintenance",
    origin,
    route: routeId ?? null,
    ...one,
    allow: [...allow],
  }));
  if (forced !== undefined) lines.push({ kind: "breaker", origin, ...forced });
  if (epoch > 0) lines.push({ kind: "purges", origin, epoch });
  return { lines, next: index + 1 < tables.config.origins.length ? String(index + 1) : null };
}

async function readTokens({ env }: CallSite, { cursor }: Query): Promise<BackupPage> {
  const request = { v: 1 as const, after: cursor, limit: ROWS_A_PAGE };
  const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "listAdminTokens", request);
  const { tokens, next } = await withDeadline(asked, DEADLINE_MS);
  const lines = tokens.map(({ tenants, ...token }): BackupLine => ({
    kind: "token",
    ...token,
    tenants: tenants === null ? null : [...tenants],
  }));
  return { lines, next: next ?? null };
}

/** Cursor: where to go on, and the id of the newest entry, which is -1 in the backup. */
async function readAudit({ env }: CallSite, { cursor }: Query): Promise<BackupPage | Response> {
  const [before, first] = cursor?.split("_").map(Number) ?? [];
  if (before !== undefined && !(Number.isSafeInteger(before) && Number.isSafeInteger(first))) return badCursor();
  const request = { v: 1 as const, before, limit: ROWS_A_PAGE, filter: {} };
  const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "audit", request);
  const { entries, next } = await withDeadline(asked, DEADLINE_MS);
  const newest = first ?? entries[0]?.entryId ?? 0;
  const lines = entries.map(({ entryId, params, actor, ...entry }): BackupLine => ({
    kind: "audit",
    entryId: entryId - newest - 1,
    ...entry,
    actor: { ...actor },
    params: { ...params },
  }));
  return { lines, next: next === undefined ? null : `${next}_${newest}` };
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8_192) binary += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  return btoa(binary);
}
