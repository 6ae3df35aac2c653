/** Refusals on the wire: RFC 9457 problem+json with stable types, or a short page for browsers. One map, exhaustive. */

export type Refusal =
  | "bad-request"
  | "method-not-allowed"
  | "loop"
  | "no-route"
  | "unauthenticated"
  | "invalid-key"
  | "key-revoked"
  | "key-secret-missing"
  | "denied"
  | "limited"
  | "concurrency"
  | "coordinator-unreachable"
  | "not-cached"
  | "unavailable";

interface Kind {
  readonly status: number;
  readonly title: string;
  readonly type: string;
}

const IANA = "https://iana.org/assignments/http-problem-types#";
const own = (name: string): string => `urn:weir:problem:${name}`;

/** `invalid-key` and `key-revoked` look the same from outside. */
export const REFUSALS: Readonly<Record<Refusal, Kind>> = {
  "bad-request": { status: 400, title: "The request's URL is not acceptable", type: own("bad-request") },
  "method-not-allowed": { status: 405, title: "This method is not allowed here", type: own("method-not-allowed") },
  loop: { status: 508, title: "The request came round in a loop", type: own("loop") },
  "no-route": { status: 404, title: "Nothing is routed here", type: own("no-route") },
  unauthenticated: { status: 401, title: "A credential is needed", type: own("unauthenticated") },
  "invalid-key": { status: 401, title: "The API key is not valid", type: own("invalid-key") },
  "key-revoked": { status: 401, title: "The API key is not valid", type: own("invalid-key") },
  "key-secret-missing": {
    status: 503,
    title: "API keys cannot be checked: a secret is missing",
    type: own("key-secret-missing"),
  },
  denied: { status: 403, title: "This caller is not allowed here", type: own("denied") },
  limited: { status: 429, title: "The limit is used up", type: `${IANA}quota-exceeded` },
  concurrency: { status: 429, title: "Too many requests at once", type: `${IANA}quota-exceeded` },
  "coordinator-unreachable": {
    status: 503,
    title: "The limit cannot be checked",
    type: `${IANA}temporary-reduced-capacity`,
  },
  "not-cached": {
    status: 504,
    title: "Only a stored answer was asked for, and there is none",
    type: own("not-cached"),
  },
  unavailable: { status: 503, title: "The service is not available", type: `${IANA}temporary-reduced-capacity` },
};

export interface ProblemDetails {
  readonly requestId: string;
  readonly detail?: string;
  /** Names of limits. */
  readonly violatedPolicies?: readonly string[];
}

export function problemResponse(refusal: Refusal, accept: string | null, details: ProblemDetails): Response {
  const { status, title, type } = REFUSALS[refusal];
  if (prefersHtml(accept)) {
    return new Response(page(status, title, details.requestId), {
      status,
      headers: {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": PAGE_CSP,
      },
    });
  }
  const body = {
    type,
    title,
    status,
    ...(details.detail === undefined ? {} : { detail: details.detail }),
    ...(details.violatedPolicies === undefined ? {} : { "violated-policies": details.violatedPolicies }),
    requestId: details.requestId,
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}

export const PAGE_CSP =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** `requestId` is ours: letters and digits. */
function page(status: number, title: string, requestId: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${status} ${title}</title><style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}</style><main><h1>${title}</h1><p><small>Status ${status}, reference ${requestId}</small></p></main></html>`;
}

/** A browser: asks for HTML more than for JSON. No Accept, or everything alike, is a program. */
export function prefersHtml(accept: string | null): boolean {
  if (accept === null || accept === "*/*") return false;
  return negotiate(accept, ["application/problem+json", "application/json", "text/html"]) === "text/html";
}

/**
 * RFC 9110 section 12.5.1: the offer with the highest quality, the earlier one of equals; undefined when none is
 * acceptable. Only an exact match beats a range, so a browser's `text/html` with anything at q=0.8 gets HTML.
 */
export function negotiate(accept: string | null, offers: readonly string[]): string | undefined {
  if (accept === null || accept.trim() === "") return offers[0];
  const ranges = accept.split(",", 64).map(parseRange);
  let best: string | undefined;
  let bestQuality = 0;
  for (const offer of offers) {
    const quality = qualityOf(offer, ranges);
    if (quality > bestQuality) {
      best = offer;
      bestQuality = quality;
    }
  }
  return best;
}

interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): MediaRange {
  const [type = "", ...parameters] = text.split(";");
  let quality = 1;
  for (const parameter of parameters) {
    const [name, value] = parameter.split("=");
    if (name?.trim().toLowerCase() !== "q") continue;
    const parsed = Number(value?.trim());
    quality = Number.isFinite(parsed) ? Math.min(1, Math.max(0, parsed)) : 0;
  }
  return { type: type.trim().toLowerCase(), quality };
}

/** The most specific range that matches decides. */
function qualityOf(offer: string, ranges: readonly MediaRange[]): number {
  const family = `${offer.slice(0, offer.indexOf("/"))}/*`;
  for (const wanted of [offer, family, "*/*"]) {
    const range = ranges.find(({ type }) => type === wanted);
    if (range !== undefined) return range.quality;
  }
  return 0;
}
