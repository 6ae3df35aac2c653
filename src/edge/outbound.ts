/** What of a request's headers goes to the origin. Touching headers is the dearest part of a request, so it is done late. */
import { cleanRequestHeaders, isDefined, isDefinedOnly, isPassedOn, keepDefined } from "../http/headers.ts";
import { acceptTraceparent, traceparentOf } from "../http/traceparent.ts";
import type { HeaderReader } from "../policy/cache/freshness.ts";
import type { Edge } from "./edge.ts";
import type { Exchange } from "./exchange.ts";

export function outboundHeaders(edge: Pick<Edge, "traceIdOf">, x: Omit<Exchange, "headers">): Headers {
  const { request, inbound, requestId, consumedHeaders } = x;
  // The site is in the key of what is stored: the origin is told no other host or scheme than that, and no port.
  const [protocol = "", host = ""] = x.url?.site.split("://") ?? [];
  const headers = cleanRequestHeaders(inbound, { clientIp: x.clientIp, protocol, host });
  for (const name of consumedHeaders) headers.delete(name);
  if (request.method === "GET" || request.method === "HEAD") {
    // No body goes with them, so nothing about one.
    for (const name of BODY_FIELDS) headers.delete(name);
    const policy = x.route?.config.cache;
    if (policy !== undefined) keepDefined(headers, policy.forwardHeaders);
  }
  const trace = acceptTraceparent(inbound.get("traceparent"));
  headers.set("traceparent", trace ?? traceparentOf(edge.traceIdOf(requestId), requestId));
  // Of a trace that begins here there is no state.
  if (trace === undefined) headers.delete("tracestate");
  return headers;
}

const BODY_FIELDS: readonly string[] = ["content-length", "content-type", "content-encoding", "expect"];

/** Whether the origin saw nothing, beside a body, that it would not have seen of a GET on this route. */
export const wentAsGet = ({ headers, route }: Exchange): boolean =>
  isDefinedOnly(headers, [...BODY_FIELDS, ...ON_EVERY_CALL, ...(route?.config.cache?.forwardHeaders ?? [])]);

/** Set by us, or by what carries the call. */
const ON_EVERY_CALL: readonly string[] = ["host", "weir-attempt"];

/** One field as the origin sees it, without making the others where that can be told. */
export const fieldsOf =
  (x: Exchange): HeaderReader =>
  (name) =>
    isDefined(name) &&
    isPassedOn(name) &&
    !x.consumedHeaders.includes(name) &&
    namesNothing(x.inbound.get("connection"))
      ? x.inbound.get(name)
      : x.headers.get(name);

/** `Connection` can take any field away. */
const namesNothing = (connection: string | null): boolean =>
  connection === null || connection === "keep-alive" || connection === "close";

/** The request came with `Weir-Attempt`: another layer retries, so this one does not. */
export const isAttempt = ({ inbound }: Exchange): boolean => inbound.has("weir-attempt");
