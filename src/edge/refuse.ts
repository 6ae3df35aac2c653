/** A refusal becomes an answer: noted on the exchange for the headers and the counters, and put on the wire. */
import type { PageKind } from "../config/pages/vocabulary.ts";
import { problemBody, type Refusal, REFUSALS } from "../http/problem.ts";
import type { Exchange } from "./exchange.ts";
import { pageResponse } from "./pages.ts";

const KIND: Readonly<Record<Refusal, PageKind>> = {
  "bad-request": "refused",
  "method-not-allowed": "refused",
  loop: "refused",
  "body-late": "refused",
  "body-too-large": "refused",
  "no-route": "not-found",
  unauthenticated: "unauthenticated",
  "invalid-key": "unauthenticated",
  "key-revoked": "unauthenticated",
  "key-secret-missing": "outage",
  "invalid-token": "unauthenticated",
  "token-unverifiable": "outage",
  "proxy-secret-missing": "outage",
  "out-of-scope": "denied",
  denied: "denied",
  suspended: "denied",
  "tenant-unreachable": "overloaded",
  limited: "limited",
  concurrency: "limited",
  "coordinator-unreachable": "overloaded",
  "not-cached": "bad-gateway",
  unavailable: "outage",
  maintenance: "maintenance",
};

/** `kind`: where the page can say more than the refusal does. */
export function refuse(x: Exchange, refusal: Refusal, detail?: string, kind = KIND[refusal]): Response {
  x.refusal = refusal;
  return pageResponse(x.tables.pages, {
    kind,
    status: REFUSALS[refusal].status,
    request: x.request,
    requestId: x.requestId,
    retryAfterMs: x.retryAfterMs,
    routeId: x.route?.id ?? "",
    originId: x.route?.origin.id ?? "",
    own: undefined,
    problem: problemBody(refusal, {
      requestId: x.requestId,
      ...(detail === undefined ? {} : { detail }),
      ...(x.violated.length === 0 ? {} : { violatedPolicies: x.violated.map((limit) => limit.name) }),
    }),
  });
}
