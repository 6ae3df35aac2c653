/**
 * An origin's concurrency by its latency: while calls take up to twice as long as they usually do, all of `max` may be
 * under way; when they take longer, queues build up behind the origin, and the limit falls, at most to `min`.
 *
 * Each second with enough calls: gradient = clamp(TOLERANCE × usual / now, 0.5, 1); the limit moves a part of the way to
 * limit × gradient + √limit. What is usual is recorded, not probed for: of the last ten minutes the lowest tenth of the
 * means, so traffic is never squeezed to measure, and an origin that stays slower for ten minutes is taken as it is.
 * What is published changes in steps of a tenth, so that the world is not told of every breath.
 * Source: Netflix concurrency-limits, Gradient2; Envoy issues 18152 and 38338 say what a periodic squeeze does.
 */
export interface AdaptiveBounds {
  readonly min: number;
  readonly max: number;
}

export interface AdaptiveLimit {
  limit: number;
  /** What edges are told; `version` grows with it. */
  published: { readonly slots: number; readonly version: number };
  window: { readonly sinceMs: number; readonly calls: number; readonly totalMs: number };
  /** Lowest mean latency of each RECORD_MS, the newest last. */
  readonly records: { readonly sinceMs: number; meanMs: number }[];
}

const WINDOW_MS = 1_000;
const LEAST_CALLS = 10;
const TOLERANCE = 2;
const SMOOTHING = 0.5;
const RECORD_MS = 10_000;
const RECORDS = 60;
const LOWEST_RATIO = 0.1;
const STEP_RATIO = 0.1;

/** `version`: the clock's, so that it also grows over a restart. */
export function newAdaptiveLimit({ max }: AdaptiveBounds, nowMs: number): AdaptiveLimit {
  return {
    limit: max,
    published: { slots: max, version: nowMs },
    window: { sinceMs: nowMs, calls: 0, totalMs: 0 },
    records: [],
  };
}

/** `calls` were answered and took `totalMs` together. */
export function noteLatency(
  adaptive: AdaptiveLimit,
  bounds: AdaptiveBounds,
  calls: number,
  totalMs: number,
  nowMs: number,
): void {
  // A clock that was set back would let nothing be measured until it is there again.
  const sinceMs = Math.min(adaptive.window.sinceMs, nowMs);
  const window = { ...adaptive.window, sinceMs };
  adaptive.window = { ...window, calls: window.calls + calls, totalMs: window.totalMs + totalMs };
  if (nowMs - window.sinceMs >= WINDOW_MS && adaptive.window.calls >= LEAST_CALLS) {
    const meanMs = Math.max(1, adaptive.window.totalMs / adaptive.window.calls);
    adaptive.window = { sinceMs: nowMs, calls: 0, totalMs: 0 };
    record(adaptive, meanMs, nowMs);
    const gradient = Math.min(1, Math.max(0.5, (TOLERANCE * usualMs(adaptive)) / meanMs));
    const wanted = adaptive.limit * gradient + Math.sqrt(adaptive.limit);
    adaptive.limit += SMOOTHING * (wanted - adaptive.limit);
  }
  adaptive.limit = Math.min(bounds.max, Math.max(bounds.min, adaptive.limit));
  publish(adaptive, bounds, nowMs);
}

function record({ records }: AdaptiveLimit, meanMs: number, nowMs: number): void {
  const last = records.at(-1);
  if (last !== undefined && nowMs - last.sinceMs < RECORD_MS && nowMs >= last.sinceMs) {
    last.meanMs = Math.min(last.meanMs, meanMs);
    return;
  }
  records.push({ sinceMs: nowMs, meanMs });
  while (records.length > RECORDS || nowMs - (records[0]?.sinceMs ?? nowMs) > RECORD_MS * RECORDS) records.shift();
}

function usualMs({ records }: AdaptiveLimit): number {
  const sorted = records.map(({ meanMs }) => meanMs).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * LOWEST_RATIO)] ?? 0;
}

function publish(adaptive: AdaptiveLimit, { min, max }: AdaptiveBounds, nowMs: number): void {
  const slots = Math.round(adaptive.limit);
  const { published } = adaptive;
  const far = Math.abs(slots - published.slots) >= Math.max(1, STEP_RATIO * published.slots);
  const atBound = slots !== published.slots && (slots === min || slots === max);
  if (far || atBound) adaptive.published = { slots, version: Math.max(published.version + 1, nowMs) };
}
