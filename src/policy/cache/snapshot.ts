/**
 * Snapshots: the last good answer of a URL, kept for the world, so that also a PoP that never saw the page can serve it
 * while the origin is down. Only what may be stored and served stale; written behind the answer when it changed, at most
 * once in the route's interval for the whole world, and once an hour otherwise.
 * Times in milliseconds of the coordinator's clock. Source: DESIGN section 7.
 */
import { ageMs, type Freshness } from "./freshness.ts";

/** What the coordinator knows of one URL's snapshot. */
export interface SnapshotMark {
  /** Of the content: its ETag or a digest. */
  readonly fingerprint: string;
  readonly writtenAtMs: number;
}

export interface SnapshotVerdict {
  readonly write: boolean;
  /** The same isolate need not ask again before. */
  readonly askAgainMs: number;
}

/** Larger bodies are not kept. */
export const MAX_SNAPSHOT_BYTES = 1_048_576;
/** Unchanged content is written again, so that it does not expire. */
const REWRITE_MS = 3_600_000;
/** Older than this it is no answer any more. */
export const SNAPSHOT_LIFE_MS = 30 * 86_400_000;

export function judgeSnapshot(
  known: SnapshotMark | undefined,
  fingerprint: string,
  intervalMs: number,
  nowMs: number,
): SnapshotVerdict {
  const age = known === undefined ? Number.POSITIVE_INFINITY : nowMs - known.writtenAtMs;
  // A clock that was set back makes no snapshot last for ever.
  if (known === undefined || age < 0) return { write: true, askAgainMs: intervalMs };
  const dueMs = fingerprint === known.fingerprint ? Math.max(intervalMs, REWRITE_MS) : intervalMs;
  return age >= dueMs
    ? { write: true, askAgainMs: intervalMs }
    : { write: false, askAgainMs: Math.min(intervalMs, dueMs - age) };
}

/** Whether it may be kept at all: a response that must be revalidated never stands in for the origin. */
export const mayTakeSnapshot = ({ noCache, neverStale }: Freshness, bytes: number): boolean =>
  !noCache && !neverStale && bytes <= MAX_SNAPSHOT_BYTES;

/** Whether it may answer now. The route asked for it, so no window of the origin's is needed. */
export const mayServeSnapshot = (freshness: Freshness, nowMs: number): boolean =>
  mayTakeSnapshot(freshness, 0) && ageMs(freshness, nowMs) <= SNAPSHOT_LIFE_MS;
