/**
 * The cases of the public suite that do not pass, each with its reason. A case that is not here and fails is news, and so
 * is one that is here and passes. `docs/caching.md` is made of it.
 */

/** Of the suite: the release on npm, or the later source in its repository. */
export type Edition = "release" | "source";

interface Reason {
  readonly why: string;
  readonly ids: readonly string[];
  /** The other edition has no such case, or asks for something else. */
  readonly only?: Edition;
}

/** All that fails, by choice or not. */
export const failing = (edition: Edition): ReadonlySet<string> =>
  new Set([
    ...NOT_PASSED.filter(({ only }) => only === undefined || only === edition).flatMap(({ ids }) => ids),
    ...ANSWERED_NO.both,
    ...ANSWERED_NO[edition],
  ]);

export const NOT_PASSED: readonly Reason[] = [
  {
    why: "This release of the suite is older than RFC 9111, whose section 5.1 says: the first value of `Age` counts, and one that cannot be read is ignored. These cases ask for the opposite; the suite's later source has turned them round, and two of them into questions.",
    ids: [
      "age-parse-nonnumeric",
      "age-parse-negative",
      "age-parse-float",
      "age-parse-prefix-twoline",
      "age-parse-dup-0",
      "age-parse-dup-0-twoline",
      "age-parse-dup-old",
      "age-parse-parameter",
      "age-parse-numeric-parameter",
    ],
    only: "release",
  },
  {
    why: "Here the origin breaks the connection, and the case wants an answer that bears the origin's own count, which no gateway has. The later source asks only that nothing stored is served, as the RFC does; `rfc9111-serving-stale.test.ts` asks that.",
    ids: [
      "stale-close-must-revalidate",
      "stale-close-proxy-revalidate",
      "stale-close-no-cache",
      "stale-close-s-maxage=2",
    ],
    only: "release",
  },
  {
    why: "By choice: an answer that sets a cookie may be meant for one caller alone, so it is never stored for others.",
    ids: ["headers-store-Set-Cookie", "304-etag-update-response-Set-Cookie", "other-set-cookie"],
  },
  {
    why: "The runtime does not know the method M-SEARCH and answers 501 before any code of ours runs.",
    ids: ["invalidate-M-SEARCH", "invalidate-M-SEARCH-cl", "invalidate-M-SEARCH-failed"],
  },
  {
    why: "The runtime shows a Worker no interim answer (1xx) of an origin, and sends none.",
    ids: ["interim-102", "interim-103", "interim-not-cached", "interim-no-header-reuse"],
    only: "source",
  },
  {
    why: "By choice: only whole bodies are stored. Ranges are served from them.",
    ids: [
      "partial-store-partial-reuse-partial",
      "partial-store-partial-reuse-partial-byterange",
      "partial-store-partial-reuse-partial-absent",
      "partial-store-partial-reuse-partial-suffix",
      "partial-store-partial-complete",
    ],
  },
  {
    why: "What is stored is later than the date the client asks about, so it gets it, not a 304 (RFC 9110 section 13.1.3).",
    ids: ["conditional-lm-fresh-no-lm"],
  },
];

/** Questions of the suite that have no right answer (`kind: "check"`), where ours is no. */
const ANSWERED_NO: Readonly<Record<Edition | "both", readonly string[]>> = {
  both: [
    // What cannot be read as a lifetime makes an answer stale.
    "freshness-max-age-decimal-zero",
    "freshness-max-age-decimal-five",
    "freshness-max-age-a100",
    "freshness-max-age-100a",
    // Of two lifetimes the shorter counts.
    "freshness-max-age-two-stale-fresh-sameline",
    "freshness-max-age-two-fresh-stale-sameline",
    "freshness-max-age-two-stale-fresh-sepline",
    "freshness-max-age-two-fresh-stale-sepline",
    // no-cache with field names is no-cache.
    "headers-omit-headers-listed-in-Cache-Control-no-cache-single",
    "headers-omit-headers-listed-in-Cache-Control-no-cache",
    // Stale on error only where the origin or the route says so.
    "stale-close",
    "stale-503",
    "stale-warning-stored",
    "stale-warning-become",
    // A tenth of these ages is over within the case's pause.
    "heuristic-delta-5",
    "heuristic-delta-10",
    "heuristic-delta-30",
    // The client's no-store keeps its own request from being stored, not from being answered.
    "ccreq-no-store",
    // Pragma is heeded.
    "pragma-response-no-cache-heuristic",
    // Entity tags are compared as they stand, and are ours to send.
    "conditional-etag-strong-respond-obs-text",
    "conditional-etag-quoted-respond-unquoted",
    "conditional-etag-unquoted-respond-quoted",
    "conditional-etag-strong-generate-unquoted",
    "conditional-etag-forward",
    "conditional-etag-forward-unquoted",
    // A HEAD's answer is passed on as it came; 410 retires what is stored.
    "head-200-retain",
    "head-410-update",
  ],
  release: [
    // Dates in none of the three forms.
    "freshness-expires-32bit",
    "freshness-expires-far-future",
    "freshness-expires-invalid-utc",
    "freshness-expires-invalid-aest",
    "freshness-expires-invalid-no-comma",
    "freshness-expires-invalid-time-periods",
    "freshness-expires-invalid-multiple-lines",
    "freshness-expires-invalid-2-digit-year",
    "freshness-expires-invalid-multiple-spaces",
    "freshness-expires-invalid-date-dashes",
    "freshness-expires-invalid-1-digit-hour",
    // Pragma is heeded; the later source's client sends one of its own with every request.
    "pragma-request-no-cache",
    // What another variant is validated by is not asked about; the later source requires that.
    "conditional-etag-vary-headers-mismatch",
  ],
  source: [
    // What cannot be read is ignored.
    "age-parse-parameter",
    "age-parse-numeric-parameter",
    // A 304 says nothing of the body that is kept.
    "304-etag-update-response-Content-Encoding",
    "304-etag-update-response-Content-MD5",
    "304-etag-update-response-Content-Range",
    "304-etag-update-response-ETag",
    // The runtime does not know the method.
    "invalidate-M-SEARCH-location",
    // An answer that is not from the cache has no Age of ours.
    "other-age-delay",
    // Keys of a structured field are in lower case.
    "cdn-max-age-case-insensitive",
  ],
};
