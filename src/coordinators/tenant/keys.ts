/**
 * What becomes of a tenant's API keys: made, replaced by another with an overlap, and what isolates must know of their
 * ends. A key's own expiry and scopes are in the key; nothing here has to reach an isolate for them to hold.
 */
import type { TenantStanding } from "../../protocol/tenant-index.ts";
import type { KeyOrder, KeyRecord, Rotation, TenantProtocol, TenantRecord } from "../../protocol/tenant.ts";
import type { KeyTable } from "./key-table.ts";

export const MAX_KEYS = 1_000;

/** Throws when the tenant has too many. */
export function madeKey(keys: KeyTable, keyId: string, order: KeyOrder, nowMs: number): KeyRecord {
  requireRoom(keys);
  const { label = "", scopes = [], lifetimeMs } = order;
  return {
    keyId,
    label,
    scopes,
    createdAtMs: nowMs,
    // In whole seconds, as the key says it.
    expiresAtMs: lifetimeMs === undefined ? undefined : Math.ceil((nowMs + lifetimeMs) / 1_000) * 1_000,
    revokedAtMs: undefined,
    endsAtMs: undefined,
    replacedBy: undefined,
    lastUsedAtMs: undefined,
  };
}

export function rotate(
  keys: KeyTable,
  { keyId, newKeyId, overlapMs, order }: Parameters<TenantProtocol["rotateKey"]>[0],
  nowMs: number,
): Rotation {
  if (!(overlapMs >= 0)) throw new TypeError("rotation refused: bad overlap");
  const key = keys.find(keyId);
  if (key === undefined) return { kind: "unknown" };
  const { label, scopes, createdAtMs, expiresAtMs } = key;
  const isExpired = expiresAtMs !== undefined && nowMs >= expiresAtMs;
  if (isExpired || key.revokedAtMs !== undefined || key.replacedBy !== undefined) return { kind: "over", key };
  const lifetime = expiresAtMs === undefined ? {} : { lifetimeMs: expiresAtMs - createdAtMs };
  return {
    kind: "rotated",
    made: madeKey(keys, newKeyId, { label, scopes, ...lifetime, ...order }, nowMs),
    replaced: { ...key, endsAtMs: nowMs + overlapMs, replacedBy: newKeyId },
  };
}

/** Part of a turn. An end, once known, is never taken back or put off. */
export function restoreKey(keys: KeyTable, key: KeyRecord): void {
  const { keyId, revokedAtMs, endsAtMs, replacedBy, lastUsedAtMs } = key;
  const known = keys.find(keyId);
  if (known === undefined) {
    requireRoom(keys);
    keys.insert(key);
  }
  if (revokedAtMs !== undefined) keys.revoke(keyId, revokedAtMs);
  if (endsAtMs !== undefined && endsAtMs < (known?.endsAtMs ?? Number.POSITIVE_INFINITY)) {
    keys.replace(keyId, replacedBy ?? "", endsAtMs);
  }
  if (lastUsedAtMs !== undefined && lastUsedAtMs > (known?.lastUsedAtMs ?? 0)) keys.setLastUsed(keyId, lastUsedAtMs);
}

function requireRoom(keys: KeyTable): void {
  if (keys.count() >= MAX_KEYS)
    throw new RangeError(`a tenant may have at most ${MAX_KEYS} keys, revoked ones included`);
}

export function recordOf(
  {
    recordVersion,
    keyEnds,
    standing,
  }: {
    readonly recordVersion: number;
    readonly keyEnds: ReadonlyMap<string, number>;
    readonly standing: TenantStanding | undefined;
  },
  nowMs: number,
): TenantRecord {
  const ends = [...keyEnds];
  return {
    version: recordVersion,
    ...(standing?.profile === undefined ? {} : { profile: standing.profile }),
    ...(standing?.suspended === true ? { suspended: true } : {}),
    revokedKeyIds: ends.filter(([, endsAtMs]) => endsAtMs <= nowMs).map(([keyId]) => keyId),
    endingKeys: ends
      .filter(([, endsAtMs]) => endsAtMs > nowMs)
      .map(([keyId, endsAtMs]) => ({ keyId, endsInMs: endsAtMs - nowMs })),
  };
}
