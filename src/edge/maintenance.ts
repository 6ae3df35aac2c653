/** Maintenance as one caller meets it: what the origin's view says, and whether an allow-list names the caller. */
import { parseAccessEntry, parseAddress } from "../config/access-entry.ts";
import { type AccessList, compileAccessList, isOnList } from "../config/access.ts";
import type { Sight } from "../policy/breaker/sight.ts";
import {
  judgeMaintenance,
  type MaintenanceVerdict,
  type ViewedMaintenance,
} from "../policy/degradation/maintenance.ts";
import { isRecord } from "../policy/kernel/json.ts";

/** Who asks, and for what. */
export interface MaintenanceCaller {
  readonly routeId: string;
  /** As the platform says it. */
  readonly clientIp: string;
  readonly keyId: string | undefined;
}

/** Lists of views in use: each view brings its own. */
const COMPILED = new WeakMap<readonly string[], AccessList>();

/** Undefined: none is in force here. Costs nothing where there is none. */
export function maintenanceOf(
  { view, viewAtMs }: Pick<Sight, "view" | "viewAtMs">,
  { routeId, clientIp, keyId }: MaintenanceCaller,
  nowMs: number,
): MaintenanceVerdict | undefined {
  if (view?.maintenance === undefined) return undefined;
  return judgeMaintenance(view.maintenance, nowMs - viewAtMs, routeId, (allow) => {
    return allow.length > 0 && isOnList(compiled(allow), parseAddress(clientIp), keyId);
  });
}

function compiled(allow: readonly string[]): AccessList {
  let list = COMPILED.get(allow);
  if (list === undefined) {
    // A kind of entry that only a newer release knows names nobody.
    list = compileAccessList(allow.filter((text) => parseAccessEntry(text).kind !== "bad"));
    COMPILED.set(allow, list);
  }
  return list;
}

/** Of what comes back from a cache. */
export function areMaintenances(value: unknown): value is readonly ViewedMaintenance[] {
  return Array.isArray(value) && value.every(isMaintenance);
}

function isMaintenance(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { routeId, startsInMs, endsInMs, pageOnly, allow } = value;
  return (
    (routeId === undefined || typeof routeId === "string") &&
    typeof startsInMs === "number" &&
    typeof endsInMs === "number" &&
    typeof pageOnly === "boolean" &&
    Array.isArray(allow) &&
    allow.every((text) => typeof text === "string")
  );
}
