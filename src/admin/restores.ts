/**
 * Restores: lines of a backup, in batches, each checked as the API checks everything. Nothing of the configs holds before
 * the end; tenants, tokens and the rest are put back as they come. Every batch can be repeated, so one that is cut off is
 * simply begun again.
 */
import { parseAccessEntry } from "../config/access-entry.ts";
import { checkTenant } from "../config/checks.ts";
import { compileTables } from "../config/compile.ts";
import { normaliseTenant } from "../config/normalise.ts";
import { unpackConfig } from "../config/packed.ts";
import type { Tables } from "../config/tables.ts";
import { privateTargets } from "../config/url-check.ts";
import { originSettings } from "../edge/origin-views.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { CONTROL_OBJECT } from "../protocol/control.ts";
import { originObjectName } from "../protocol/origin.ts";
import { RESTORE_GAP } from "../protocol/recovery.ts";
import { TENANT_INDEX_OBJECT, type TenantIndexProtocol } from "../protocol/tenant-index.ts";
import { tenantCoordinator, type TenantKept } from "../protocol/tenant.ts";
import { signature } from "./access.ts";
import {
  type BackupLine,
  beginRestoreBody,
  begunRestore,
  endedRestore,
  endRestoreBody,
  type LineOf,
  restoredLines,
  restoreLinesBody,
  restoreParams,
} from "./contract/recovery.ts";
import { type CallSite, operation } from "./operation.ts";
import { objectsOf } from "./origin-objects.ts";
import { allowsPrivate, privateRefused, problem, problemType } from "./reply.ts";

const TAG = "Recovery";
const DEADLINE_MS = 20_000;
const MAX_BATCH_BYTES = 4_194_304;
const NOT_BEGUN = "No restore of this backup is under way";
const EXAMPLE_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

const beginRestore = operation(
  {
    id: "beginRestore",
    method: "POST",
    path: "/restores",
    tag: TAG,
    summary: "Begin a restore, or go on with it",
    description: "`weir restore` does it all. With `dryRun` it only says what there is.",
    body: beginRestoreBody,
    example: { sha256: EXAMPLE_SHA, createdAt: "2026-11-26T06:00:00.000Z", dryRun: true },
    result: begunRestore,
    status: 201,
    refusals: { 409: "There is something here already: `found` says what. `force` writes over it." },
    keeps: ["kind", "found"],
  },
  async ({ env, body: { sha256, force, dryRun } }) => {
    const list = { v: 1 as const, after: "", limit: 1 };
    const index = callCoordinator(env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "backup", list);
    const [row] = (await withDeadline(index, DEADLINE_MS)).tenants;
    const found = row === undefined ? [] : ["tenants made or suspended through the API"];
    const request = { v: 1 as const, sha256, found, force, dryRun };
    const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "beginRestore", request);
    const begun = await withDeadline(asked, DEADLINE_MS);
    if (begun.kind !== "has-state") return { kind: begun.kind, found: begun.found };
    const title = `There is something here already: ${begun.found.join(", ")}`;
    return problem(409, title, "A restore writes over it: say so (`force`, --force).", {
      type: problemType("not-empty"),
      found: begun.found,
    });
  },
);

const restoreLines = operation(
  {
    id: "restoreLines",
    method: "POST",
    path: "/restores/{restore}/lines",
    tag: TAG,
    summary: "Give lines of the backup, in its order",
    params: restoreParams,
    body: restoreLinesBody,
    example: { lines: [{ kind: "removed-tenant", id: "acme", atMs: 1_764_137_000_000 }] },
    maxBodyBytes: MAX_BATCH_BYTES,
    result: restoredLines,
    refusals: { 409: `${NOT_BEGUN}.`, 422: "A line cannot be put back." },
    keeps: ["lines"],
  },
  async (call) => {
    const { env, params, body } = call;
    const under = { v: 1 as const, sha256: params.restore };
    const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "isRestoring", under);
    if (!(await withDeadline(asked, DEADLINE_MS))) return problem(409, NOT_BEGUN);
    const lines = grouped(body.lines);
    for (const put of [putConfigs, putTenants, putRecords, putOrigins, putTokens, putAudit]) {
      const refused = await put(call, lines);
      if (refused !== undefined) return refused;
    }
    return { lines: body.lines.length };
  },
);

const endRestore = operation(
  {
    id: "endRestore",
    method: "POST",
    path: "/restores/{restore}/end",
    tag: TAG,
    summary: "Put the restored config in force",
    params: restoreParams,
    body: endRestoreBody,
    example: { by: "ann" },
    result: endedRestore,
    refusals: { 409: `${NOT_BEGUN}.`, 422: "The config of the backup cannot be used." },
    keeps: ["number"],
  },
  async (call) => {
    const { env, edge, actor, params, body, entryId } = call;
    const staged = await stagedTables(env);
    if (staged instanceof Response) return staged;
    const request = {
      v: 1 as const,
      sha256: params.restore,
      author: signature(actor, body.by),
      message: `restored from the backup ${params.restore.slice(0, 12)}`,
      bundle: edge.config.bundle,
      entryId,
    };
    const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "endRestore", request);
    const ended = await withDeadline(asked, DEADLINE_MS);
    return ended.kind === "done" ? { number: ended.inForce?.number ?? null } : problem(409, NOT_BEGUN);
  },
);

export const restoreOperations = [beginRestore, restoreLines, endRestore];

type Lines = { readonly [Kind in BackupLine["kind"]]: readonly LineOf<Kind>[] };
type Put = (call: CallSite, lines: Lines) => Promise<Response | undefined>;

function grouped(lines: readonly BackupLine[]): Lines {
  const of = <Kind extends BackupLine["kind"]>(kind: Kind): readonly LineOf<Kind>[] =>
    lines.filter((line): line is LineOf<Kind> => line.kind === kind);
  return {
    config: of("config"),
    "config-content": of("config-content"),
    "in-force": of("in-force"),
    tenant: of("tenant"),
    "removed-tenant": of("removed-tenant"),
    key: of("key"),
    override: of("override"),
    breaker: of("breaker"),
    maintenance: of("maintenance"),
    purges: of("purges"),
    token: of("token"),
    audit: of("audit"),
  };
}

const putConfigs: Put = async ({ env }, { config, "config-content": contents, "in-force": inForce }) => {
  if (config.length + contents.length + inForce.length === 0) return undefined;
  const [holds] = inForce;
  const request = {
    v: 1 as const,
    versions: config.map(({ kind: _line, contentOf, ...version }) => ({
      ...version,
      contentOf: contentOf ?? undefined,
    })),
    chunks: contents.map(({ number, of, part, bytes }) => ({ number, kind: of, part, bytes: fromBase64(bytes) })),
    inForce:
      holds === undefined
        ? undefined
        : { number: holds.number, sequence: holds.sequence, lastDeploy: holds.lastDeploy ?? undefined },
  };
  await withDeadline(callCoordinator(env, "CONTROL", CONTROL_OBJECT, "stageConfigs", request), DEADLINE_MS);
  return undefined;
};

/** As if they were made now, by this release: a profile of an older one is not taken over. */
const putTenants: Put = async ({ env }, { tenant: lines, "removed-tenant": removed }) => {
  if (lines.length + removed.length === 0) return undefined;
  const tenants: Parameters<TenantIndexProtocol["restore"]>[0]["tenants"][number][] = [];
  for (const { id, settings, label, suspended, createdAtMs, updatedAtMs } of lines) {
    // Its plan is in the backup's config, which does not hold yet.
    const findings = settings === null ? [] : checkTenant(settings, [settings.plan], ["tenants", id]);
    const [finding] = findings;
    if (finding !== undefined) return problem(422, `${finding.path.join(".")}: ${finding.message}`);
    const row = { id, suspended: suspended ?? undefined, createdAtMs, updatedAtMs };
    if (settings === null) tenants.push({ ...row, write: undefined });
    else {
      const { id: _named, ...profile } = normaliseTenant(id, settings);
      tenants.push({ ...row, write: { id, label, profile, settings: JSON.stringify(settings) } });
    }
  }
  const told = removed.map(({ id, atMs }) => ({ id, atMs }));
  const request = { v: 1 as const, tenants, removed: told };
  await withDeadline(callCoordinator(env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "restore", request), DEADLINE_MS);
  return undefined;
};

const putRecords: Put = async ({ env }, { key: keys, override: overrides }) => {
  const byTenant = new Map<
    string,
    { keys: TenantKept["keys"][number][]; overrides: TenantKept["overrides"][number][] }
  >();
  const of = (tenant: string) => {
    const known = byTenant.get(tenant) ?? { keys: [], overrides: [] };
    byTenant.set(tenant, known);
    return known;
  };
  for (const { kind: _line, tenant, ...key } of keys) {
    of(tenant).keys.push({
      ...key,
      expiresAtMs: key.expiresAtMs ?? undefined,
      revokedAtMs: key.revokedAtMs ?? undefined,
      endsAtMs: key.endsAtMs ?? undefined,
      replacedBy: key.replacedBy ?? undefined,
      lastUsedAtMs: key.lastUsedAtMs ?? undefined,
    });
  }
  for (const { kind: _line, tenant, ...override } of overrides) of(tenant).overrides.push(override);
  await Promise.all(
    [...byTenant].map(([tenant, kept]) =>
      withDeadline(
        callCoordinator(env, "TENANT", tenantCoordinator(tenant), "restore", { v: 1, ...kept }),
        DEADLINE_MS,
      ),
    ),
  );
  return undefined;
};

/** An origin's breaker begins with the settings of the config that is being restored. */
const putOrigins: Put = async (call, { breaker: forced, maintenance, purges }) => {
  const { env, nowMs } = call;
  if (forced.length + maintenance.length + purges.length === 0) return undefined;
  const tables = await stagedTables(env);
  if (tables instanceof Response) return tables;
  for (const { allow } of maintenance) {
    if (allow.some((entry) => parseAccessEntry(entry).kind === "bad")) return problem(422, "allow: not an access list");
  }
  const isThere = ({ origin }: { readonly origin: string }): boolean => tables?.origin(origin) !== undefined;
  for (const line of forced) if (line.untilMs > nowMs) await forceAgain(env, tables, line, nowMs);
  for (const line of maintenance.filter(isThere)) if (line.endsAtMs > nowMs) await placeAgain(env, line, nowMs);
  for (const { origin, epoch } of purges.filter(isThere)) {
    const request = { v: 1 as const, epoch: epoch + RESTORE_GAP };
    const asked = callCoordinator(env, "ORIGIN", originObjectName(origin), "widenPurges", request);
    await withDeadline(asked, DEADLINE_MS);
  }
  return undefined;
};

/** For the rest of its time. One that is forced so already is left alone: its history tells of it once. */
async function forceAgain(env: Env, tables: Tables | undefined, line: LineOf<"breaker">, nowMs: number): Promise<void> {
  const { state, reason, by, untilMs } = line;
  const origin = tables?.origin(line.origin);
  if (tables === undefined || origin === undefined) return;
  const name = originObjectName(origin.id);
  const status = callCoordinator(env, "ORIGIN", name, "status", { v: 1 });
  const { forced } = await withDeadline(status, DEADLINE_MS);
  if (forced?.state === state && forced.reason === reason && forced.by === by) return;
  const settings = originSettings(origin, tables.configVersion);
  const request = { v: 1 as const, settings, state, reason, by, forMs: untilMs - nowMs };
  await withDeadline(callCoordinator(env, "ORIGIN", name, "force", request), DEADLINE_MS);
}

async function placeAgain(env: Env, line: LineOf<"maintenance">, nowMs: number): Promise<void> {
  const { origin, route, startsAtMs, endsAtMs, allow, pageOnly, reason, by } = line;
  const startInMs = Math.max(0, startsAtMs - nowMs);
  const forMs = endsAtMs - nowMs - startInMs;
  const asked = { routeId: route ?? undefined, startInMs, forMs, allow, pageOnly, reason, by };
  for (const name of objectsOf(origin)) {
    const call = callCoordinator(env, "ORIGIN", name, "placeMaintenance", { v: 1, asked });
    await withDeadline(call, DEADLINE_MS);
  }
}

const putTokens: Put = async ({ env }, { token: lines }) => {
  if (lines.length === 0) return undefined;
  const tokens = lines.map(({ kind: _line, ...token }) => token);
  const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "restoreTokens", { v: 1, tokens });
  return (await withDeadline(asked, DEADLINE_MS)) ? undefined : problem(422, "There are as many tokens as may be");
};

const putAudit: Put = async ({ env }, { audit: lines }) => {
  if (lines.length === 0) return undefined;
  const entries = lines.map(({ kind: _line, ...entry }) => entry);
  await withDeadline(callCoordinator(env, "CONTROL", CONTROL_OBJECT, "restoreAudit", { v: 1, entries }), DEADLINE_MS);
  return undefined;
};

/** Of the config that the backup had in force, if it is one that could be applied. Undefined: it had none. */
async function stagedTables(env: Env): Promise<Tables | undefined | Response> {
  const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "stagedConfig", { v: 1 });
  const staged = await withDeadline(asked, DEADLINE_MS);
  if (staged === undefined) return undefined;
  try {
    const config = await unpackConfig(new Uint8Array(staged.packed));
    const tables = compileTables(config);
    return allowsPrivate(env) ? tables : (privateRefused(privateTargets(config)) ?? tables);
  } catch (error) {
    return problem(422, `The config that the backup had in force cannot be used: ${String(error).slice(0, 200)}`);
  }
}

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
