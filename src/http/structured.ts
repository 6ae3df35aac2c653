/** Values of the structured fields we send: RFC 9211, RFC 9209, and the RateLimit fields of the IETF draft. */
import { serializeList, type Item, type Parameters } from "structured-headers";

/** RFC 9209 section 2.3: what went wrong between us and the origin. */
export type ProxyError =
  | "destination_unavailable"
  | "connection_terminated"
  | "http_response_timeout"
  | "http_response_incomplete"
  | "connection_limit_reached"
  | "proxy_internal_error";

/** `originId` names the origin, never its host. */
export function proxyStatus(error: ProxyError, originId: string, receivedStatus?: number): string {
  const received = receivedStatus === undefined ? "" : `;received-status=${receivedStatus}`;
  return `weir;error=${error};next-hop="${originId}"${received}`;
}

/** The part of a limit that the fields are made of. */
export interface NamedQuota {
  readonly name: string;
  readonly quotaTokens: number;
  readonly windowSeconds: number;
}

/** `"burst";q=100;w=60, "daily";q=10000;w=86400`; constant for a list of limits, so made once. */
export function rateLimitPolicy(limits: readonly NamedQuota[]): string {
  return serializeList(
    limits.map((limit): Item => {
      const parameters: Parameters = new Map([
        ["q", limit.quotaTokens],
        ["w", limit.windowSeconds],
      ]);
      return [limit.name, parameters];
    }),
  );
}

/** One member of `RateLimit`; names are letters, digits and `._-`, so quoting is all they need. */
export function rateLimitMember(name: string, remainingTokens: number, resetSeconds: number): string {
  return `"${name}";r=${remainingTokens};t=${resetSeconds}`;
}
