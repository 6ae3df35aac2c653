/**
 * The ladder's end, without any state: the route's page, else a plain refusal. `degrade` comes here when all better
 * rungs are gone; `preview` shows it without an outage.
 */
import type { PageKind } from "../config/pages/vocabulary.ts";
import type { ProxyError } from "../http/structured.ts";
import type { Exchange, OriginFailure } from "./exchange.ts";
import { pageResponse } from "./pages.ts";
import { refuse } from "./refuse.ts";

export const PROXY_ERROR: Readonly<Record<OriginFailure["reason"], ProxyError>> = {
  "breaker-open": "destination_unavailable",
  maintenance: "destination_unavailable",
  network: "connection_terminated",
  timeout: "http_response_timeout",
  body: "http_response_incomplete",
  status: "destination_unavailable",
  internal: "proxy_internal_error",
  bulkhead: "connection_limit_reached",
};
const DEFAULT_RETRY_AFTER_MS = 5_000;
/** Whatever a route says of outages: work that has an end is nothing to be cached, indexed or taken for success. */
const MAINTENANCE_STATUS = 503;

/** What a page has to know of the failure. */
export interface Outage {
  readonly reason: OriginFailure["reason"];
  readonly retryAfterMs: number | undefined;
  /** The breaker was opened by hand. */
  readonly byHand: boolean;
}

/** Undefined: the route has no page. */
export function fallbackPage(x: Exchange, outage: Outage): Response | undefined {
  const { route } = x;
  const degraded = route?.config.degraded;
  if (route === undefined || degraded === undefined) return undefined;
  x.served = "fallback";
  const isMaintenance = outage.reason === "maintenance";
  const status = isMaintenance ? MAINTENANCE_STATUS : degraded.status;
  x.retryAfterMs = isMaintenance ? outage.retryAfterMs : Math.max(outage.retryAfterMs ?? 0, degraded.retryAfterMs);
  return pageResponse(x.tables.pages, {
    kind: kindOf(outage, status),
    status,
    request: x.request,
    requestId: x.requestId,
    retryAfterMs: x.retryAfterMs,
    routeId: route.id,
    originId: route.origin.id,
    own: route.pages,
    problem: undefined,
  });
}

export function plainRefusal(x: Exchange, outage: Outage): Response {
  x.served = "fallback";
  if (outage.reason === "maintenance") {
    x.retryAfterMs = outage.retryAfterMs;
    return refuse(x, "maintenance");
  }
  x.retryAfterMs = Math.max(outage.retryAfterMs ?? 0, DEFAULT_RETRY_AFTER_MS);
  return refuse(x, "unavailable", undefined, kindOf(outage, undefined));
}

/** The page where the route has one, else the plain refusal. */
export function endOfLadder(x: Exchange, outage: Outage): Response {
  const page = fallbackPage(x, outage);
  x.rung = page === undefined ? "plain" : "page";
  return page ?? plainRefusal(x, outage);
}

const GATEWAY_STATUSES: readonly (number | undefined)[] = [502, 504];

function kindOf({ reason, byHand }: Outage, status: number | undefined): PageKind {
  if (reason === "bulkhead") return "overloaded";
  if (reason === "maintenance" || (reason === "breaker-open" && byHand)) return "maintenance";
  return GATEWAY_STATUSES.includes(status) ? "bad-gateway" : "outage";
}
