/**
 * Purges: what is stored and matches is stale from then on (soft), or as if it had never been stored (hard).
 *
 * One log for each origin, kept by its coordinator and copied by edges. Each purge has an epoch, larger by one than the
 * one before. What is stored carries the epoch that its isolate knew when its origin request began; a purge concerns it
 * when the purge's epoch is higher and its target matches. So no two clocks are compared: purges travel with their age,
 * and an edge counts that back from the moment it asked.
 *
 * Guarantee: a purge is never forgotten, only widened. The log is bounded (PURGE_BOUNDS, for soft and hard apart, so that
 * neither crowds out the other); what falls out raises the floor of its mode, and everything stored under a lower epoch
 * than the floor counts as purged in that mode. A repeated purge takes the place of the earlier one of the same target;
 * a soft one leaves an earlier hard one standing. A stale response's windows count from the earliest purge of these.
 * Times in milliseconds of the holder's clock. Cost: a look-up by URL, one by each tag, a walk over the prefixes; only
 * where the entry's epoch is not the newest known.
 */
export type PurgeMode = "soft" | "hard";

export interface PurgeTarget {
  readonly kind: "url" | "prefix" | "tag";
  /** url, prefix: canonical path with its query; tag: the tag. */
  readonly value: string;
  /** url, prefix: one host; undefined: every one. */
  readonly host?: string;
  /** Of responses that are kept for each tenant apart; undefined: of all, and those that are shared. */
  readonly tenant?: string;
}

export interface Purge {
  readonly target: PurgeTarget;
  readonly mode: PurgeMode;
  readonly epoch: number;
  readonly atMs: number;
}

/** Everything stored under a lower epoch counts as purged then. */
export interface Floor {
  readonly epoch: number;
  readonly atMs: number;
}

interface PurgesOfMode {
  /** By target, in the order in which they came. */
  readonly byTarget: Map<string, Purge>;
  /** Of all targets. */
  characters: number;
  floor: Floor;
}

export interface PurgeLog {
  /** Of the newest purge; 0: there was none. */
  epoch: number;
  readonly soft: PurgesOfMode;
  readonly hard: PurgesOfMode;
}

export interface PurgeBounds {
  readonly purges: number;
  readonly characters: number;
  readonly lifeMs: number;
}

/** Of each mode: what edges copy stays below 64 KiB or so; nothing that is stored lives longer than a snapshot, 30 days. */
export const PURGE_BOUNDS: PurgeBounds = { purges: 250, characters: 32_768, lifeMs: 30 * 86_400_000 };

const NO_FLOOR: Floor = { epoch: 0, atMs: 0 };
const emptyMode = (): PurgesOfMode => ({ byTarget: new Map(), characters: 0, floor: NO_FLOOR });

export const newPurgeLog = (): PurgeLog => ({ epoch: 0, soft: emptyMode(), hard: emptyMode() });

/** Any order will do, and a purge may come twice. */
export function notePurge(log: PurgeLog, purge: Purge, nowMs: number, bounds = PURGE_BOUNDS): void {
  log.epoch = Math.max(log.epoch, purge.epoch);
  const target = nameOf(purge.target);
  if (!isCovered(log.hard, target, purge) && !(purge.mode === "soft" && isCovered(log.soft, target, purge))) {
    for (const mode of purge.mode === "hard" ? [log.soft, log.hard] : [log.soft]) {
      if ((mode.byTarget.get(target)?.epoch ?? purge.epoch) < purge.epoch) remove(mode, target);
    }
    const mode = log[purge.mode];
    mode.byTarget.set(target, purge);
    mode.characters += target.length;
  }
  trim(log.soft, nowMs, bounds);
  trim(log.hard, nowMs, bounds);
}

/** A floor rises, it never sinks. */
export function raiseFloor(log: PurgeLog, mode: PurgeMode, floor: Floor): void {
  log.epoch = Math.max(log.epoch, floor.epoch);
  if (floor.epoch > log[mode].floor.epoch) log[mode].floor = floor;
}

/** The same target, and a purge that holds for more. */
const isCovered = ({ byTarget }: PurgesOfMode, target: string, { epoch }: Purge): boolean =>
  epoch <= (byTarget.get(target)?.epoch ?? 0);

/** Parts cannot run into each other: none of them contains a line break. */
const nameOf = ({ kind, value, host, tenant }: PurgeTarget): string =>
  `${kind}\n${tenant ?? ""}\n${host ?? ""}\n${value}`;

function remove(mode: PurgesOfMode, target: string): void {
  mode.byTarget.delete(target);
  mode.characters -= target.length;
}

function trim(mode: PurgesOfMode, nowMs: number, { purges, characters, lifeMs }: PurgeBounds): void {
  for (const [target, { epoch, atMs }] of mode.byTarget) {
    const tooMuch = mode.byTarget.size > purges || mode.characters > characters;
    if (!tooMuch && nowMs - atMs <= lifeMs) break;
    remove(mode, target);
    if (epoch > mode.floor.epoch) mode.floor = { epoch, atMs };
  }
}

/** What is stored, as purges name it. */
export interface StoredPlace {
  /** "" where it is shared. */
  readonly tenant: string;
  readonly host: string;
  /** With the query. */
  readonly path: string;
  readonly tags: readonly string[];
}

/** For look-ups; made anew when the log has changed. */
export interface PurgeIndex {
  readonly urls: ReadonlyMap<string, readonly Purge[]>;
  readonly tags: ReadonlyMap<string, readonly Purge[]>;
  readonly prefixes: readonly Purge[];
  readonly soft: Floor;
  readonly hard: Floor;
}

export function indexPurges({ soft, hard }: PurgeLog): PurgeIndex {
  const urls = new Map<string, Purge[]>();
  const tags = new Map<string, Purge[]>();
  const prefixes: Purge[] = [];
  for (const purge of [...hard.byTarget.values(), ...soft.byTarget.values()]) {
    const { kind, value } = purge.target;
    if (kind === "prefix") prefixes.push(purge);
    else {
      const index = kind === "url" ? urls : tags;
      const known = index.get(value);
      if (known === undefined) index.set(value, [purge]);
      else known.push(purge);
    }
  }
  return { urls, tags, prefixes, soft: soft.floor, hard: hard.floor };
}

export type PurgeVerdict =
  /** Its lifetime ended then, at the latest. */
  { readonly mode: "soft"; readonly endedAtMs: number } | { readonly mode: "hard" };

/** `epoch`: under which it is stored. Undefined: no purge concerns it. */
export function judgePurges(index: PurgeIndex, place: StoredPlace, epoch: number): PurgeVerdict | undefined {
  if (epoch < index.hard.epoch) return { mode: "hard" };
  let endedAtMs = epoch < index.soft.epoch ? index.soft.atMs : undefined;
  for (const purge of purgesOf(index, place)) {
    if (purge.epoch <= epoch) continue;
    if (purge.mode === "hard") return { mode: "hard" };
    endedAtMs = Math.min(purge.atMs, endedAtMs ?? purge.atMs);
  }
  return endedAtMs === undefined ? undefined : { mode: "soft", endedAtMs };
}

/** Of the last hard purge of whatever is, or was, stored there; 0: there was none. */
export function lastHardPurge(index: PurgeIndex, place: StoredPlace): number {
  let last = index.hard.epoch;
  for (const { mode, epoch } of purgesOf(index, place)) if (mode === "hard") last = Math.max(last, epoch);
  return last;
}

function* purgesOf({ urls, tags, prefixes }: PurgeIndex, place: StoredPlace): Generator<Purge> {
  for (const purge of urls.get(place.path) ?? []) if (isThere(purge.target, place)) yield purge;
  for (const tag of place.tags) {
    for (const purge of tags.get(tag) ?? []) if (isThere(purge.target, place)) yield purge;
  }
  for (const purge of prefixes) {
    if (place.path.startsWith(purge.target.value) && isThere(purge.target, place)) yield purge;
  }
}

const isThere = ({ host, tenant }: PurgeTarget, place: StoredPlace): boolean =>
  (host === undefined || host === place.host) && (tenant === undefined || tenant === place.tenant);

/** What one who knew the log up to an epoch has missed. */
export interface PurgeNews {
  readonly epoch: number;
  readonly purges: readonly (Omit<Purge, "atMs"> & { readonly ageMs: number })[];
  readonly floors: Readonly<Record<PurgeMode, { readonly epoch: number; readonly ageMs: number }>>;
}

export function newsSince(log: PurgeLog, since: number, nowMs: number): PurgeNews {
  const told = ({ epoch, atMs }: Floor) => ({ epoch, ageMs: Math.max(0, nowMs - atMs) });
  const purges = [...log.hard.byTarget.values(), ...log.soft.byTarget.values()]
    .filter(({ epoch }) => epoch > since)
    .toSorted((a, b) => a.epoch - b.epoch)
    .map(({ target, mode, epoch, atMs }) => ({ target, mode, epoch, ageMs: Math.max(0, nowMs - atMs) }));
  return { epoch: log.epoch, purges, floors: { soft: told(log.soft.floor), hard: told(log.hard.floor) } };
}

/** `askedAtMs`: ages count back from there, so that a purge is dated early rather than late. */
export function hearNews(log: PurgeLog, news: PurgeNews, askedAtMs: number, bounds = PURGE_BOUNDS): void {
  for (const { ageMs, ...purge } of news.purges) {
    notePurge(log, { ...purge, atMs: askedAtMs - ageMs }, askedAtMs, bounds);
  }
  for (const mode of ["soft", "hard"] as const) {
    const { epoch, ageMs } = news.floors[mode];
    raiseFloor(log, mode, { epoch, atMs: askedAtMs - ageMs });
  }
  log.epoch = Math.max(log.epoch, news.epoch);
}

/**
 * Somebody knows a higher epoch than the log itself: it has been lost, or set back. Its count goes on from there, and
 * everything stored until now counts as soft-purged, because nobody knows what was forgotten. True: it was so.
 */
export function catchUp(log: PurgeLog, knownEpoch: number, nowMs: number): boolean {
  if (knownEpoch <= log.epoch) return false;
  raiseFloor(log, "soft", { epoch: knownEpoch + 1, atMs: nowMs });
  return true;
}

/** What came from storage, or from another version of us. Undefined: not one of ours. */
export function parsePurge(value: unknown): Omit<Purge, "atMs"> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!("target" in value && "mode" in value && "epoch" in value)) return undefined;
  const { mode, epoch } = value;
  const target = parseTarget(value.target);
  if (target === undefined || !isEpoch(epoch) || (mode !== "soft" && mode !== "hard")) return undefined;
  return { target, mode, epoch };
}

export const isEpoch = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const KINDS = ["url", "prefix", "tag"] as const;
/** As long as a URL may be. */
const MAX_TARGET = 8_192;

export function parseTarget(value: unknown): PurgeTarget | undefined {
  if (typeof value !== "object" || value === null || !("kind" in value) || !("value" in value)) return undefined;
  const kind = KINDS.find((known) => known === value.kind);
  const host = "host" in value ? value.host : undefined;
  const tenant = "tenant" in value ? value.tenant : undefined;
  if (kind === undefined || !isPart(value.value) || value.value === "") return undefined;
  if ((host !== undefined && !isPart(host)) || (tenant !== undefined && !isPart(tenant))) return undefined;
  return {
    kind,
    value: value.value,
    ...(host === undefined ? {} : { host }),
    ...(tenant === undefined ? {} : { tenant }),
  };
}

const isPart = (value: unknown): value is string =>
  typeof value === "string" && value.length <= MAX_TARGET && !value.includes("\n");
