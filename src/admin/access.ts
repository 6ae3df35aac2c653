/** Who may do what: the one table of the admin API's operations. A route that is not in it does not compile. */
import type { Role } from "../protocol/admin-records.ts";

/**
 * A `write` is in the audit, is refused where it comes from another site, and happens only when its entry is stored.
 * `scope: "own"`: its path names no tenant; the operation itself keeps to the tenants of whoever asks.
 * `reader`: sees everything but tokens. `operator`: acts in an outage. `admin`: configures, and hands out access.
 */
export const ACCESS = {
  openSession: { role: "reader", kind: "read", scope: "own" },
  readSession: { role: "reader", kind: "read", scope: "own" },
  endSession: { role: "reader", kind: "read", scope: "own" },
  readMetrics: { role: "reader", kind: "read" },
  readStatus: { role: "reader", kind: "read" },
  listTenants: { role: "reader", kind: "read" },
  readTenant: { role: "reader", kind: "read" },
  putTenant: { role: "admin", kind: "write" },
  importTenants: { role: "admin", kind: "write" },
  removeTenant: { role: "admin", kind: "write" },
  suspendTenant: { role: "operator", kind: "write" },
  resumeTenant: { role: "operator", kind: "write" },
  listKeys: { role: "reader", kind: "read" },
  createKey: { role: "admin", kind: "write" },
  rotateKey: { role: "admin", kind: "write" },
  revokeKey: { role: "admin", kind: "write" },
  listLimits: { role: "reader", kind: "read" },
  listOverrides: { role: "reader", kind: "read" },
  setOverride: { role: "operator", kind: "write" },
  removeOverride: { role: "operator", kind: "write" },
  listPages: { role: "reader", kind: "read" },
  showPage: { role: "reader", kind: "read" },
  previewPage: { role: "reader", kind: "read" },
  explainRequest: { role: "reader", kind: "read", scope: "own" },
  tailDecisions: { role: "reader", kind: "read", scope: "own" },
  readBreaker: { role: "reader", kind: "read" },
  tripBreaker: { role: "operator", kind: "write" },
  resetBreaker: { role: "operator", kind: "write" },
  listMaintenance: { role: "reader", kind: "read" },
  setMaintenance: { role: "operator", kind: "write" },
  endMaintenance: { role: "operator", kind: "write" },
  makePurge: { role: "operator", kind: "write" },
  listPurges: { role: "reader", kind: "read" },
  listConfigs: { role: "reader", kind: "read" },
  readConfig: { role: "reader", kind: "read" },
  applyConfig: { role: "admin", kind: "write" },
  rollbackConfig: { role: "admin", kind: "write" },
  endTrial: { role: "admin", kind: "write" },
  listTokens: { role: "admin", kind: "read" },
  createToken: { role: "admin", kind: "write" },
  revokeToken: { role: "admin", kind: "write" },
  beginBackup: { role: "admin", kind: "write" },
  readBackup: { role: "admin", kind: "read" },
  beginRestore: { role: "admin", kind: "write" },
  restoreLines: { role: "admin", kind: "write" },
  endRestore: { role: "admin", kind: "write" },
  readSeries: { role: "reader", kind: "read" },
  watchLive: { role: "reader", kind: "read" },
  readDemand: { role: "reader", kind: "read" },
  readObjectives: { role: "reader", kind: "read" },
  listAlerts: { role: "reader", kind: "read" },
  makeSilence: { role: "operator", kind: "write" },
  endSilence: { role: "operator", kind: "write" },
  redeliver: { role: "operator", kind: "write" },
  readAudit: { role: "reader", kind: "read" },
} as const satisfies Readonly<Record<string, Access>>;

interface Access {
  readonly role: Role;
  readonly kind: "read" | "write";
  readonly scope?: "own";
}

export type OperationId = keyof typeof ACCESS;

/** Who calls: the bearer of a token that was made, or of the deployment's ("root"). */
export interface Actor {
  /** Of the token. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** The browser's session it calls by; undefined: it showed a token. */
  readonly session?: { readonly expiresAtMs: number };
  /** The tenants whose routes it reaches, and nothing else; undefined: everything. */
  readonly tenants: readonly string[] | undefined;
}

export type AccessVerdict = "allowed" | "role-missing" | "outside-scope";

const RANK: Readonly<Record<Role, number>> = { reader: 0, operator: 1, admin: 2 };

/** For people: who else may. */
export function roleText(role: Role): string {
  return { reader: ", which every token has", operator: " or `admin`", admin: "" }[role];
}

/** `tenant`: named by the path; undefined: the path names none. What there is plays no part, so it cannot be found out. */
export function accessOf(actor: Actor, operation: OperationId, tenant: string | undefined): AccessVerdict {
  if (RANK[actor.role] < RANK[ACCESS[operation].role]) return "role-missing";
  if (actor.tenants === undefined || keepsToOwn(operation)) return "allowed";
  return tenant !== undefined && actor.tenants.includes(tenant) ? "allowed" : "outside-scope";
}

/** A token that is for some tenants may call it too, and is told of those alone. */
export function keepsToOwn(operation: OperationId): boolean {
  const access: Access = ACCESS[operation];
  return access.scope === "own";
}

/** For histories: the token first, then who its bearer says they are. Labels of tokens contain no brackets. */
export function signature({ id, name }: Actor, by: string | undefined): string {
  const who = id === name ? name : `${name} ${id}`;
  return (by === undefined ? who : `${who} (${by})`).slice(0, 100);
}
