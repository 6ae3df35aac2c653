/**
 * ingress: one canonical URL, an id. Refused here: methods a gateway must not pass, control bytes and
 * broken escapes, requests that have been through Weir before. Nothing behind this stage reads the URL as it was received.
 */
import { canonicalUrl } from "../../http/canonical-url.ts";
import { hasLoop } from "../../http/headers.ts";
import type { Edge } from "../edge.ts";
import type { Exchange, StageAnswer } from "../exchange.ts";
import { refuse } from "../refuse.ts";

const REFUSED_METHODS: readonly string[] = ["TRACE", "CONNECT", "TRACK"];

export function ingress(edge: Edge, x: Exchange): StageAnswer {
  const refused = receive(edge, x);
  if (refused !== undefined) return refused;
  return hasLoop(x.inbound) ? refuse(x, "loop") : undefined;
}

/** Without looking for loops: for a Worker that only asks about a request, or makes one of its own. */
export function receive(edge: Edge, x: Exchange): Response | undefined {
  x.requestId = edge.nextRequestId();
  if (REFUSED_METHODS.includes(x.method)) return refuse(x, "method-not-allowed");
  const canonical = canonicalUrl(x.rawUrl);
  if (!canonical.ok) return refuse(x, "bad-request", `the URL was refused: ${canonical.reason}`);
  x.url = canonical.url;
  return undefined;
}
