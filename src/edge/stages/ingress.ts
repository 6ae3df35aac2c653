/**
 * ingress: one canonical URL, clean headers, an id. Refused here: methods a gateway must not pass, control bytes and
 * broken escapes, requests that have been through Weir before. Nothing behind this stage reads `request.url` again.
 */
import { canonicalUrl } from "../../http/canonical-url.ts";
import { cleanRequestHeaders, hasLoop } from "../../http/headers.ts";
import type { Edge } from "../edge.ts";
import type { Exchange, StageAnswer } from "../exchange.ts";
import { refuse } from "../refuse.ts";

const REFUSED_METHODS: readonly string[] = ["TRACE", "CONNECT", "TRACK"];

export function ingress(edge: Edge, x: Exchange): StageAnswer {
  const { request } = x;
  const inbound = request.headers;
  x.requestId = edge.nextRequestId();
  if (REFUSED_METHODS.includes(x.method)) return refuse(x, "method-not-allowed");
  const canonical = canonicalUrl(request.url);
  if (!canonical.ok) return refuse(x, "bad-request", `the URL was refused: ${canonical.reason}`);
  if (hasLoop(inbound)) return refuse(x, "loop");
  x.url = canonical.url;
  x.clientIp = inbound.get("cf-connecting-ip") ?? "";
  x.inboundAttempt = inbound.has("weir-attempt");
  x.headers = cleanRequestHeaders(inbound, {
    clientIp: x.clientIp,
    protocol: request.url.startsWith("https:") ? "https" : "http",
    host: inbound.get("host") ?? canonical.url.host,
  });
  if (!isTraceparent(inbound.get("traceparent"))) x.headers.set("traceparent", newTraceparent(edge, x));
  return undefined;
}

const TRACEPARENT_LENGTH = 55;

/** W3C Trace Context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`, ids not all zero. */
export function isTraceparent(value: string | null): boolean {
  if (value === null || value.length !== TRACEPARENT_LENGTH || !value.startsWith("00-")) return false;
  for (let index = 3; index < TRACEPARENT_LENGTH; index++) {
    const dash = index === 35 || index === 52;
    const code = value.charCodeAt(index);
    const hex = (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
    if (dash ? code !== 0x2d : !hex) return false;
  }
  return !value.startsWith("0".repeat(32), 3) && !value.startsWith("0".repeat(16), 36);
}

/** Made from the request id, so a log line leads to the trace. Not sampled: that is the origin's choice. */
function newTraceparent(edge: Edge, x: Exchange): string {
  return `00-${edge.traceIdOf(x.requestId)}-${x.requestId.slice(-16)}-00`;
}
