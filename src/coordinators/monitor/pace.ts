/**
 * When the Monitor object reads. Totals only grow, so to read later loses nothing; it is sooner or later that something is
 * seen. WATCHED_MS is what keeps a throttled tenant's way to a dashboard below two seconds: an isolate flushes within one.
 * READ_MS is below ten seconds, after which a Durable Object without work leaves memory, and the minute that runs with it.
 * No reading takes more than a tenth of the time.
 */
const READ_MS = 5_000;
const WATCHED_MS = 700;
/** Something fires, and nobody calls: conditions end with time. */
const PENDING_MS = 60_000;
const REST_AFTER_MS = 180_000;
const READING_SHARE = 10;

export interface PaceInputs {
  readonly isWatched: boolean;
  readonly isFiring: boolean;
  /** Since the totals last changed. */
  readonly quietMs: number;
  /** Of the last reading. */
  readonly tookMs: number;
}

/** Until the next reading; undefined: none is needed until somebody calls. */
export function paceOf({ isWatched, isFiring, quietMs, tookMs }: PaceInputs): number | undefined {
  const least = tookMs * READING_SHARE;
  if (isWatched) return Math.max(WATCHED_MS, least);
  if (quietMs < REST_AFTER_MS) return Math.max(READ_MS, least);
  return isFiring ? PENDING_MS : undefined;
}
