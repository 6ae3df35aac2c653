/**
 * Maintenance: an origin, or one route of it, taken out of service by hand between a start and an end. Whom its
 * allow-list names passes; for everybody else no origin call is made.
 *
 * The origin's coordinator keeps instants of its own clock; edges get durations and count them from the moment they got
 * them, so it begins and ends on time also while the coordinator is out of reach. A route's maintenance and its origin's
 * hold side by side: a caller passes when every one in force names it, and is told to come back when the last one that
 * holds it ends.
 * Cost: O(entries), none where there is none. Times in milliseconds.
 */
export interface Maintenance {
  /** Undefined: the whole origin. */
  readonly routeId: string | undefined;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  /** Entries of an access list, in canonical text. */
  readonly allow: readonly string[];
  /** The page at once, also where something stored could answer. */
  readonly pageOnly: boolean;
  readonly reason: string;
  readonly by: string;
  readonly setAtMs: number;
}

/** As edges hear of it. */
export interface ViewedMaintenance {
  readonly routeId?: string;
  readonly startsInMs: number;
  readonly endsInMs: number;
  readonly allow: readonly string[];
  readonly pageOnly: boolean;
}

export type MaintenanceVerdict =
  | { readonly kind: "held"; readonly retryAfterMs: number; readonly pageOnly: boolean }
  /** In force, and the caller passes. */
  | { readonly kind: "allowed" };

/** Of one origin: one for itself and one for each of its routes. All of them ride on every view, so they are few. */
export const MAX_MAINTENANCES = 50;
/** Of one, ... */
export const MAX_ALLOWED = 100;
/** ... and of all of one origin together. */
export const MAX_ALLOWED_TOGETHER = 500;

export type Placed =
  | { readonly kind: "placed"; readonly all: readonly Maintenance[] }
  | { readonly kind: "refused"; readonly reason: "too-many" | "allow-lists-too-long" };

/** `added` takes the place of what was set for the same route before. */
export function placeMaintenance(all: readonly Maintenance[], added: Maintenance, nowMs: number): Placed {
  const placed = [...withoutMaintenance(all, added.routeId, nowMs), added];
  if (placed.length > MAX_MAINTENANCES) return { kind: "refused", reason: "too-many" };
  const allowed = placed.reduce((sum, { allow }) => sum + allow.length, 0);
  return allowed > MAX_ALLOWED_TOGETHER
    ? { kind: "refused", reason: "allow-lists-too-long" }
    : { kind: "placed", all: placed };
}

/** What is left without that of `routeId`, and what has ended. */
export function withoutMaintenance(
  all: readonly Maintenance[],
  routeId: string | undefined,
  nowMs: number,
): readonly Maintenance[] {
  return all.filter((one) => one.routeId !== routeId && one.endsAtMs > nowMs);
}

/** Undefined: nothing is in force, nor will be. */
export function viewMaintenance(all: readonly Maintenance[], nowMs: number): readonly ViewedMaintenance[] | undefined {
  const viewed: ViewedMaintenance[] = [];
  for (const { routeId, startsAtMs, endsAtMs, allow, pageOnly } of all) {
    if (endsAtMs <= nowMs) continue;
    const times = { startsInMs: Math.max(0, startsAtMs - nowMs), endsInMs: endsAtMs - nowMs };
    viewed.push({ ...(routeId === undefined ? {} : { routeId }), ...times, allow, pageOnly });
  }
  return viewed.length === 0 ? undefined : viewed;
}

/** `ageMs`: since the view was received. Undefined: none is in force for this route. */
export function judgeMaintenance(
  viewed: readonly ViewedMaintenance[],
  ageMs: number,
  routeId: string,
  isAllowed: (allow: readonly string[]) => boolean,
): MaintenanceVerdict | undefined {
  let verdict: MaintenanceVerdict | undefined;
  for (const one of viewed) {
    if (one.startsInMs > ageMs || one.endsInMs <= ageMs) continue;
    if (one.routeId !== undefined && one.routeId !== routeId) continue;
    if (isAllowed(one.allow)) {
      verdict ??= { kind: "allowed" };
      continue;
    }
    const held = verdict?.kind === "held" ? verdict : undefined;
    verdict = {
      kind: "held",
      retryAfterMs: Math.max(held?.retryAfterMs ?? 0, one.endsInMs - ageMs),
      pageOnly: one.pageOnly || held?.pageOnly === true,
    };
  }
  return verdict;
}
