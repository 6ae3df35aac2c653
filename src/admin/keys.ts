/** API keys of one tenant: made, listed, rotated, revoked. A key itself leaves here once, in the reply that made it. */
import type { CompiledTenant, Tables } from "../config/tables.ts";
import { tenantCoordinator } from "../protocol/tenant.ts";
import { mintApiKey, newKeyId } from "../platform/api-key.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { routeOf } from "../policy/identity/scopes.ts";
import type { KeyOrder, KeyRecord } from "../protocol/tenant.ts";
import { type CreatedKey, createKeyBody, type KeyView, type RotatedKey, rotateKeyBody } from "./contract.ts";
import { COORDINATOR_DEADLINE_MS, problem, readBody, unknown } from "./reply.ts";
import { isMissing, secretsMissing } from "./secrets.ts";

/** One request about the keys of a tenant. */
export interface KeySite {
  readonly env: Env;
  readonly tables: Tables;
  readonly nowMs: number;
  readonly req: { text(): Promise<string> };
  readonly tenant: CompiledTenant;
  /** "" where the path names none. */
  readonly keyId: string;
}

export async function listKeys(site: KeySite): Promise<Response> {
  const { keys } = await withDeadline(
    callCoordinator(site.env, "TENANT", tenantCoordinator(site.tenant.id), "listKeys", { v: 1 }),
    COORDINATOR_DEADLINE_MS,
  );
  return Response.json({ keys: keys.map((key) => keyView(key, site.nowMs)) });
}

export async function createKey(site: KeySite): Promise<Response> {
  const body = await readBody(site, createKeyBody);
  if (body instanceof Response) return body;
  const refused = cannotMake(site, body.scopes);
  if (refused !== undefined) return refused;
  const made = await withDeadline(
    callCoordinator(site.env, "TENANT", tenantCoordinator(site.tenant.id), "createKey", {
      v: 1,
      keyId: newKeyId(),
      ...orderOf(body),
    }),
    COORDINATOR_DEADLINE_MS,
  );
  return Response.json(await shownOnce(site, made), { status: 201 });
}

export async function rotateKey(site: KeySite): Promise<Response> {
  const body = await readBody(site, rotateKeyBody);
  if (body instanceof Response) return body;
  const refused = cannotMake(site, body.scopes ?? []);
  if (refused !== undefined) return refused;
  const { overlapMs } = body;
  const request = { v: 1, keyId: site.keyId, newKeyId: newKeyId(), overlapMs, order: orderOf(body) } as const;
  const rotation = await withDeadline(
    callCoordinator(site.env, "TENANT", tenantCoordinator(site.tenant.id), "rotateKey", request),
    COORDINATOR_DEADLINE_MS,
  );
  switch (rotation.kind) {
    case "unknown":
      return unknownKey(site);
    case "over":
      return problem(409, `Key "${rotation.key.keyId}" cannot be rotated: ${whyOver(rotation.key, site.nowMs)}`);
    case "rotated": {
      const rotated: RotatedKey = {
        ...(await shownOnce(site, rotation.made)),
        replaced: keyView(rotation.replaced, site.nowMs),
      };
      return Response.json(rotated, { status: 201 });
    }
  }
}

export async function revokeKey(site: KeySite): Promise<Response> {
  const key = await withDeadline(
    callCoordinator(site.env, "TENANT", tenantCoordinator(site.tenant.id), "revokeKey", { v: 1, keyId: site.keyId }),
    COORDINATOR_DEADLINE_MS,
  );
  return key === undefined ? unknownKey(site) : Response.json(keyView(key, site.nowMs));
}

/** Only what was given. */
function orderOf({
  label,
  scopes,
  lifetimeMs,
}: { readonly [K in keyof KeyOrder]?: KeyOrder[K] | undefined }): KeyOrder {
  return {
    ...(label === undefined ? {} : { label }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
  };
}

function cannotMake({ env, tables }: KeySite, scopes: readonly string[]): Response | undefined {
  if (isMissing(env, "WEIR_KEY_SECRET")) return secretsMissing(["WEIR_KEY_SECRET"]);
  const routeIds = tables.routes.map(({ id }) => id);
  const stranger = scopes.map(routeOf).find((routeId) => routeId !== undefined && !routeIds.includes(routeId));
  return stranger === undefined ? undefined : unknown("route", stranger, routeIds, 400);
}

async function shownOnce({ env, tenant }: KeySite, made: KeyRecord): Promise<CreatedKey> {
  const { keyId, label, scopes, createdAtMs, expiresAtMs } = made;
  const claims = { tenantId: tenant.id, keyId, scopes, expiresAtMs };
  const key = await mintApiKey(env.WEIR_KEY_SECRET ?? "", claims);
  return { tenant: tenant.id, keyId, label, scopes: [...scopes], key, createdAtMs, expiresAtMs: expiresAtMs ?? null };
}

function unknownKey({ tenant, keyId }: KeySite): Response {
  return problem(404, `Tenant "${tenant.id}" has no key "${keyId.slice(0, 64)}"`);
}

function keyView(key: KeyRecord, nowMs: number): KeyView {
  return {
    ...key,
    state: stateOf(key, nowMs),
    scopes: [...key.scopes],
    expiresAtMs: key.expiresAtMs ?? null,
    lastUsedAtMs: key.lastUsedAtMs ?? null,
    endsAtMs: key.endsAtMs ?? null,
    replacedBy: key.replacedBy ?? null,
    revokedAtMs: key.revokedAtMs ?? null,
  };
}

function stateOf({ revokedAtMs, expiresAtMs, endsAtMs }: KeyRecord, nowMs: number): KeyView["state"] {
  if (revokedAtMs !== undefined) return "revoked";
  if (expiresAtMs !== undefined && nowMs >= expiresAtMs) return "expired";
  if (endsAtMs === undefined) return "active";
  return nowMs >= endsAtMs ? "ended" : "ending";
}

function whyOver(key: KeyRecord, nowMs: number): string {
  const state = stateOf(key, nowMs);
  return state === "ending" || state === "ended" ? `it was replaced by "${key.replacedBy ?? ""}"` : `it is ${state}`;
}
