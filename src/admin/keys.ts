/** API keys of one tenant: made, listed, rotated, revoked. A key itself leaves here once, in the reply that made it. */
import type { CompiledTenant } from "../config/tables.ts";
import { mintApiKey, newKeyId } from "../platform/api-key.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { routeOf } from "../policy/identity/scopes.ts";
import { type KeyOrder, type KeyRecord, tenantCoordinator } from "../protocol/tenant.ts";
import { tenantParams } from "./contract/common.ts";
import {
  type CreatedKey,
  createdKey,
  createKeyBody,
  keyParams,
  keysReply,
  type KeyView,
  keyView,
  rotatedKey,
  rotateKeyBody,
} from "./contract/keys.ts";
import { tenantOf } from "./lookup.ts";
import { type CallSite, operation } from "./operation.ts";
import { COORDINATOR_DEADLINE_MS, problem, unknown } from "./reply.ts";
import { isMissing, secretsMissing } from "./secrets.ts";

const TAG = "Keys";
const KEEPS = [
  "keyId",
  "label",
  "state",
  "scopes",
  "createdAtMs",
  "expiresAtMs",
  "endsAtMs",
  "replacedBy",
  "revokedAtMs",
  "replaced",
];

const listKeys = operation(
  {
    id: "listKeys",
    method: "GET",
    path: "/tenants/{tenant}/keys",
    tag: TAG,
    summary: "List a tenant's keys",
    params: tenantParams,
    result: keysReply,
    refusals: { 404: "There is no such tenant." },
  },
  async (call) => {
    const tenant = await tenantOf(call, call.params.tenant);
    if (tenant instanceof Response) return tenant;
    return { keys: (await readKeys(call.env, tenant)).map((key) => viewOf(key, call.nowMs)) };
  },
);

const createKey = operation(
  {
    id: "createKey",
    method: "POST",
    path: "/tenants/{tenant}/keys",
    tag: TAG,
    summary: "Make a key",
    description: "It is shown this once: it cannot be read again.",
    params: tenantParams,
    body: createKeyBody,
    example: { label: "ci", scopes: ["read"], lifetimeMs: 7_776_000_000 },
    result: createdKey,
    status: 201,
    refusals: { 404: "There is no such tenant." },
    once: true,
    keeps: KEEPS,
  },
  async (call) => {
    const { env, params, body } = call;
    const tenant = await tenantOf(call, params.tenant);
    if (tenant instanceof Response) return tenant;
    const refused = cannotMake(call, body.scopes);
    if (refused !== undefined) return refused;
    const request = { v: 1 as const, keyId: newKeyId(), ...orderOf(body) };
    const asked = callCoordinator(env, "TENANT", tenantCoordinator(tenant.id), "createKey", request);
    return shownOnce(env, tenant, await withDeadline(asked, COORDINATOR_DEADLINE_MS));
  },
);

const rotateKey = operation(
  {
    id: "rotateKey",
    method: "POST",
    path: "/tenants/{tenant}/keys/{keyId}/rotate",
    tag: TAG,
    summary: "Make a key in the place of another, which ends later",
    description: "The new key is shown this once.",
    params: keyParams,
    body: rotateKeyBody,
    example: { overlapMs: 86_400_000 },
    result: rotatedKey,
    status: 201,
    refusals: {
      404: "There is no such tenant, or it has no such key.",
      409: "The key has ended, or was replaced before.",
    },
    once: true,
    keeps: KEEPS,
  },
  async (call) => {
    const { env, nowMs, params, body } = call;
    const tenant = await tenantOf(call, params.tenant);
    if (tenant instanceof Response) return tenant;
    const refused = cannotMake(call, body.scopes ?? []);
    if (refused !== undefined) return refused;
    const { overlapMs } = body;
    const request = { v: 1, keyId: params.keyId, newKeyId: newKeyId(), overlapMs, order: orderOf(body) } as const;
    const asked = callCoordinator(env, "TENANT", tenantCoordinator(tenant.id), "rotateKey", request);
    const rotation = await withDeadline(asked, COORDINATOR_DEADLINE_MS);
    switch (rotation.kind) {
      case "unknown":
        return unknownKey(tenant, params.keyId);
      case "over":
        return problem(409, `Key "${rotation.key.keyId}" cannot be rotated: ${whyOver(rotation.key, nowMs)}`);
      case "rotated":
        return {
          ...(await shownOnce(env, tenant, rotation.made)),
          replaced: viewOf(rotation.replaced, nowMs),
        };
    }
  },
);

const revokeKey = operation(
  {
    id: "revokeKey",
    method: "DELETE",
    path: "/tenants/{tenant}/keys/{keyId}",
    tag: TAG,
    summary: "Revoke a key",
    description: "Refused everywhere within five seconds. Revoking again changes nothing.",
    params: keyParams,
    result: keyView,
    refusals: { 404: "There is no such tenant, or it has no such key." },
    keeps: KEEPS,
  },
  async (call) => {
    const { env, nowMs, params } = call;
    const tenant = await tenantOf(call, params.tenant);
    if (tenant instanceof Response) return tenant;
    const before = (await readKeys(env, tenant)).find(({ keyId }) => keyId === params.keyId);
    if (before === undefined) return unknownKey(tenant, params.keyId);
    call.before(viewOf(before, nowMs));
    const request = { v: 1 as const, keyId: params.keyId };
    const asked = callCoordinator(env, "TENANT", tenantCoordinator(tenant.id), "revokeKey", request);
    return viewOf((await withDeadline(asked, COORDINATOR_DEADLINE_MS)) ?? before, nowMs);
  },
);

export const keyOperations = [listKeys, createKey, rotateKey, revokeKey];

async function readKeys(env: Env, tenant: CompiledTenant): Promise<readonly KeyRecord[]> {
  const asked = callCoordinator(env, "TENANT", tenantCoordinator(tenant.id), "listKeys", { v: 1 });
  return (await withDeadline(asked, COORDINATOR_DEADLINE_MS)).keys;
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

function cannotMake({ env, tables }: CallSite, scopes: readonly string[]): Response | undefined {
  if (isMissing(env, "WEIR_KEY_SECRET")) return secretsMissing(["WEIR_KEY_SECRET"]);
  const routeIds = tables.routes.map(({ id }) => id);
  const stranger = scopes.map(routeOf).find((routeId) => routeId !== undefined && !routeIds.includes(routeId));
  return stranger === undefined ? undefined : unknown("route", stranger, routeIds, 400);
}

async function shownOnce(env: Env, tenant: CompiledTenant, made: KeyRecord): Promise<CreatedKey> {
  const { keyId, label, scopes, createdAtMs, expiresAtMs } = made;
  const claims = { tenantId: tenant.id, keyId, scopes, expiresAtMs };
  const key = await mintApiKey(env.WEIR_KEY_SECRET ?? "", claims);
  return { tenant: tenant.id, keyId, label, scopes: [...scopes], key, createdAtMs, expiresAtMs: expiresAtMs ?? null };
}

function unknownKey(tenant: CompiledTenant, keyId: string): Response {
  return problem(404, `Tenant "${tenant.id}" has no key "${keyId}"`);
}

function viewOf(key: KeyRecord, nowMs: number): KeyView {
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
