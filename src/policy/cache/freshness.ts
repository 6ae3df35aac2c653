/**
 * How long a stored response may be used, decided once when it is stored, so that a hit parses nothing.
 * Source: RFC 9111 sections 4.2 and 5.2, RFC 5861, RFC 9213.
 */
import { deltaSeconds, type Directives, parseCacheControl } from "./cache-control.ts";
import { parseHttpDate } from "./http-date.ts";

/** A route's policy; each part counts only where the origin says nothing about it. */
export interface CachePolicy {
  readonly scope: "shared" | "tenant";
  /** Of successes and redirects. */
  readonly freshForMs?: number;
  /** Of 404, 405, 410, 414 and 501. */
  readonly negativeForMs?: number;
  readonly staleWhileRevalidateMs?: number;
  readonly staleIfErrorMs?: number;
  /** What is in a client's favourite language is for that client, whatever else it would take. */
  readonly byContentLanguage?: boolean;
  /** Answers to POST may be what later GETs are answered with. */
  readonly storePost?: boolean;
}

export type HeaderReader = (name: string) => string | null;

/** Stored with the response. */
export interface Freshness {
  /** When its age was 0, by our clock. */
  readonly bornAtMs: number;
  readonly lifetimeMs: number;
  /** Must be revalidated even while fresh. */
  readonly noCache: boolean;
  /** Never served stale: must-revalidate, proxy-revalidate, or s-maxage (RFC 9111 section 5.2.2.10). */
  readonly neverStale: boolean;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
}

/**
 * A failure is kept no longer than this, whatever its headers say: frameworks put the same Cache-Control on everything,
 * and each moment of trouble would last as long as a page.
 */
const FAILURE_MAX_MS = 10_000;

/** Statuses with a heuristic freshness (RFC 9110 section 15.1); 206 is never stored here. */
export const HEURISTIC_STATUS: readonly number[] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
const NEGATIVE_STATUS: readonly number[] = [404, 405, 410, 414, 501];
const HEURISTIC_RATIO = 0.1;
const HEURISTIC_MAX_MS = 86_400_000;

/** The directives that govern us: CDN-Cache-Control where present, else Cache-Control. */
export function governingDirectives(header: HeaderReader): {
  readonly directives: Directives;
  readonly targeted: boolean;
} {
  const targeted = header("cdn-cache-control");
  return targeted === null || targeted.trim() === ""
    ? { directives: parseCacheControl(header("cache-control")), targeted: false }
    : { directives: parseCacheControl(targeted), targeted: true };
}

/** `requestedAtMs`, `receivedAtMs`: our clock, around the origin call. */
export function freshnessOf(
  status: number,
  header: HeaderReader,
  policy: CachePolicy,
  requestedAtMs: number,
  receivedAtMs: number,
): Freshness {
  const { directives, targeted } = governingDirectives(header);
  const dateMs = parseHttpDate(header("date"), receivedAtMs) ?? receivedAtMs;
  const apparentAgeMs = Math.max(0, receivedAtMs - dateMs);
  const agedMs = ageValue(header("age")) * 1_000 + (receivedAtMs - requestedAtMs);
  return {
    bornAtMs: receivedAtMs - Math.max(apparentAgeMs, agedMs),
    lifetimeMs: lifetime(status, header, directives, targeted, policy, dateMs, receivedAtMs),
    noCache: directives.noCache || (!targeted && header("cache-control") === null && hasPragmaNoCache(header)),
    neverStale: directives.mustRevalidate || directives.proxyRevalidate || directives.sMaxage !== undefined,
    staleWhileRevalidateMs: windowMs(directives.staleWhileRevalidate, policy.staleWhileRevalidateMs),
    staleIfErrorMs: windowMs(directives.staleIfError, policy.staleIfErrorMs),
  };
}

function windowMs(seconds: number | undefined, policyMs: number | undefined): number {
  return seconds === undefined ? (policyMs ?? 0) : seconds * 1_000;
}

function hasPragmaNoCache(header: HeaderReader): boolean {
  return header("pragma")?.toLowerCase().includes("no-cache") ?? false;
}

/** RFC 9111 section 5.1, in seconds: the first value; one that is no delta is ignored. */
const ageValue = (value: string | null): number => deltaSeconds((value ?? "").split(",", 1)[0]?.trim() ?? "") ?? 0;

function lifetime(
  status: number,
  header: HeaderReader,
  directives: Directives,
  targeted: boolean,
  policy: CachePolicy,
  dateMs: number,
  receivedAtMs: number,
): number {
  if (directives.sMaxage !== undefined) return directives.sMaxage * 1_000;
  if (directives.maxAge !== undefined) return directives.maxAge * 1_000;
  const expires = header("expires");
  // Present but unreadable is in the past (section 5.3).
  if (expires !== null && !targeted) return Math.max(0, (parseHttpDate(expires, receivedAtMs) ?? 0) - dateMs);
  const byPolicyMs = NEGATIVE_STATUS.includes(status) ? policy.negativeForMs : policy.freshForMs;
  if (byPolicyMs !== undefined && HEURISTIC_STATUS.includes(status)) return byPolicyMs;
  const modifiedMs = parseHttpDate(header("last-modified"), receivedAtMs);
  const heuristic = directives.isPublic || HEURISTIC_STATUS.includes(status);
  if (modifiedMs === undefined || !heuristic) return 0;
  return Math.min(HEURISTIC_MAX_MS, Math.max(0, dateMs - modifiedMs) * HEURISTIC_RATIO);
}

/** Of a 5xx that was answered with for want of anything better; never served stale. */
export function failureFreshness(freshness: Freshness): Freshness {
  const lifetimeMs = Math.min(FAILURE_MAX_MS, freshness.lifetimeMs);
  return { ...freshness, lifetimeMs, neverStale: true, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 };
}

/** Its life ended then, if not before: what counts from the end of it counts from there. */
export const endedAt = (freshness: Freshness, atMs: number): Freshness => ({
  ...freshness,
  lifetimeMs: Math.min(freshness.lifetimeMs, Math.max(0, atMs - freshness.bornAtMs)),
});

export function ageMs(freshness: Freshness, nowMs: number): number {
  return Math.max(0, nowMs - freshness.bornAtMs);
}

export type Usability = "fresh" | "stale-while-revalidate" | "stale";

/** What a request may do with a stored response. `asked`: the request's own directives; undefined when it has none. */
export function judgeUse(freshness: Freshness, asked: Directives | undefined, nowMs: number): Usability {
  const age = ageMs(freshness, nowMs);
  const left = freshness.lifetimeMs - age;
  if (freshness.noCache || asked?.noCache === true) return "stale";
  if (asked !== undefined) {
    if (asked.maxAge !== undefined && age > asked.maxAge * 1_000) return "stale";
    if (asked.minFresh !== undefined && left < asked.minFresh * 1_000) return "stale";
    if (left <= 0 && asked.maxStale !== undefined && -left <= asked.maxStale * 1_000 && !freshness.neverStale)
      return "fresh";
  }
  if (left > 0) return "fresh";
  if (!freshness.neverStale && -left < freshness.staleWhileRevalidateMs) return "stale-while-revalidate";
  return "stale";
}

/** Whether it may answer now that the origin cannot. */
export function mayServeOnError(freshness: Freshness, nowMs: number): boolean {
  if (freshness.noCache) return false;
  const staleFor = ageMs(freshness, nowMs) - freshness.lifetimeMs;
  if (staleFor < 0) return true;
  return !freshness.neverStale && staleFor <= Math.max(freshness.staleIfErrorMs, freshness.staleWhileRevalidateMs);
}
