/** Refusals on the wire: RFC 9457 problem details with stable types. One map, exhaustive. Browsers get `edge/pages`. */

export type Refusal =
  | "bad-request"
  | "method-not-allowed"
  | "loop"
  | "body-late"
  | "body-too-large"
  | "no-route"
  | "unauthenticated"
  | "invalid-key"
  | "key-revoked"
  | "key-secret-missing"
  | "invalid-token"
  | "token-unverifiable"
  | "proxy-secret-missing"
  | "out-of-scope"
  | "denied"
  | "suspended"
  | "tenant-unreachable"
  | "limited"
  | "concurrency"
  | "coordinator-unreachable"
  | "not-cached"
  | "unavailable"
  | "maintenance";

interface Kind {
  readonly status: number;
  readonly title: string;
  readonly type: string;
}

const IANA = "https://iana.org/assignments/http-problem-types#";
const own = (name: string): string => `urn:weir:problem:${name}`;

/**
 * `invalid-key` and `key-revoked` look the same from outside; so does whatever is wrong with a token, and with what a
 * trusted proxy says (`invalid-key`).
 */
export const REFUSALS: Readonly<Record<Refusal, Kind>> = {
  "bad-request": { status: 400, title: "The request's URL is not acceptable", type: own("bad-request") },
  "method-not-allowed": { status: 405, title: "This method is not allowed here", type: own("method-not-allowed") },
  loop: { status: 508, title: "The request came round in a loop", type: own("loop") },
  "body-late": { status: 408, title: "The request's body came too slowly", type: own("body-late") },
  "body-too-large": { status: 413, title: "The request's body is too large", type: own("body-too-large") },
  "no-route": { status: 404, title: "Nothing is routed here", type: own("no-route") },
  unauthenticated: { status: 401, title: "A credential is needed", type: own("unauthenticated") },
  "invalid-key": { status: 401, title: "The credential is not valid", type: own("invalid-key") },
  "key-revoked": { status: 401, title: "The credential is not valid", type: own("invalid-key") },
  "key-secret-missing": {
    status: 503,
    title: "API keys cannot be checked: a secret is missing",
    type: own("key-secret-missing"),
  },
  "invalid-token": { status: 401, title: "The token is not valid", type: own("invalid-token") },
  "token-unverifiable": {
    status: 503,
    title: "Tokens cannot be checked: their issuer's keys are not available",
    type: own("token-unverifiable"),
  },
  "proxy-secret-missing": {
    status: 503,
    title: "The proxy cannot be checked: a secret is missing",
    type: own("proxy-secret-missing"),
  },
  "out-of-scope": { status: 403, title: "The API key's scopes do not allow this", type: own("out-of-scope") },
  denied: { status: 403, title: "This caller is not allowed here", type: own("denied") },
  suspended: { status: 403, title: "This tenant is suspended", type: own("suspended") },
  "tenant-unreachable": {
    status: 503,
    title: "Nothing is known of this tenant now",
    type: `${IANA}temporary-reduced-capacity`,
  },
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
  maintenance: { status: 503, title: "Down for maintenance", type: own("maintenance") },
};

export interface ProblemDetails {
  readonly requestId: string;
  readonly detail?: string;
  /** Names of limits. */
  readonly violatedPolicies?: readonly string[];
}

/** The members of RFC 9457, and ours. Titles stay English: they go with the type and are for those who program. */
export function problemBody(refusal: Refusal, details: ProblemDetails): Readonly<Record<string, unknown>> {
  const { status, title, type } = REFUSALS[refusal];
  return {
    type,
    title,
    status,
    ...(details.detail === undefined ? {} : { detail: details.detail }),
    ...(details.violatedPolicies === undefined ? {} : { "violated-policies": details.violatedPolicies }),
    requestId: details.requestId,
  };
}
