/** What pages are named by: in the config, in templates, on the wire. */

/** Why Weir answers by itself. */
export const PAGE_KINDS = [
  /** The origin cannot answer. */
  "outage",
  /** Shed: too much at once, or a limit that cannot be checked. */
  "overloaded",
  /** As `outage`, where the route's status is 502 or 504. */
  "bad-gateway",
  /** Taken out of service by hand: maintenance, or a breaker forced open. */
  "maintenance",
  "limited",
  "not-found",
  "unauthenticated",
  "denied",
  /** Any other request that cannot be. */
  "refused",
] as const;
export type PageKind = (typeof PAGE_KINDS)[number];

/** As they are offered: of two that a client likes alike, the first is taken. Programs say less about what they like. */
export const PAGE_MEDIA_TYPES = ["application/problem+json", "application/json", "text/html", "text/plain"] as const;
export type PageMediaType = (typeof PAGE_MEDIA_TYPES)[number];

/** The languages of the built-in texts, the default first. */
export const PAGE_LANGUAGES = ["en", "de", "fr", "es", "ja"] as const;
export type PageLanguage = (typeof PAGE_LANGUAGES)[number];

/** What a preview can show: the breaker, the call, the limits, the caller. */
export const PREVIEW_STATES = [
  "open",
  "forced-open",
  "maintenance",
  "failing",
  "timed-out",
  "overloaded",
  "limited",
  "unreachable",
  "not-found",
  "unauthenticated",
  "denied",
] as const;
export type PreviewState = (typeof PREVIEW_STATES)[number];

/** Variables a page may use. */
export const PAGE_VARIABLES = [
  /** 0 where no time is known. */
  "retryAfterSeconds",
  /** A sentence; "" where no time is known. */
  "retryAfterText",
  "requestId",
  "status",
  "title",
  "message",
  "language",
  "routeId",
  "originId",
] as const;
export type PageVariable = (typeof PAGE_VARIABLES)[number];
