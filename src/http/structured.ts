/** Values of the structured fields we send: RFC 9211, RFC 9209, and the RateLimit fields of the IETF draft. */
import { parseDictionary, serializeList, type Item, type Parameters } from "structured-headers";

/** RFC 9209 section 2.3: what went wrong between us and the origin. */
export type ProxyError =
  | "destination_unavailable"
  | "connection_terminated"
  | "http_response_timeout"
  | "http_response_incomplete"
  | "connection_limit_reached"
  | "proxy_internal_error";

/** `originId` names the origin, never its host. `details`: words of ours, without quotes or backslashes. */
export function proxyStatus(error: ProxyError, originId: string, receivedStatus?: number, details?: string): string {
  const received = receivedStatus === undefined ? "" : `;received-status=${receivedStatus}`;
  const explained = details === undefined ? "" : `;details="${details}"`;
  return `weir;error=${error};next-hop="${originId}"${received}${explained}`;
}

/** The part of a limit that the fields are made of. */
export interface NamedQuota {
  readonly name: string;
  readonly quotaTokens: number;
  readonly windowSeconds: number;
  /** Slots have no window: their unit is said instead. */
  readonly spec?: { readonly kind: "bucket" | "quota" | "slots" };
}

/**
 * `"burst";q=100;w=60, "daily";q=10000;w=86400, "concurrency";q=10;qu="concurrent-requests"`: draft-ietf-httpapi-
 * ratelimit-headers-10 section 3. Constant for a list of limits, so made once.
 */
export function rateLimitPolicy(limits: readonly NamedQuota[]): string {
  return serializeList(
    limits.map(({ name, quotaTokens, windowSeconds, spec }): Item => {
      const parameters: Parameters = new Map<string, number | string>([
        ["q", quotaTokens],
        ...(spec?.kind === "slots" ? ([["qu", "concurrent-requests"]] as const) : ([["w", windowSeconds]] as const)),
      ]);
      return [name, parameters];
    }),
  );
}

/**
 * One member of `RateLimit`; names are letters, digits and `._-`, so quoting is all they need. `partitionKey` is base64
 * already.
 */
export function rateLimitMember(
  name: string,
  remainingTokens: number,
  resetSeconds: number | undefined,
  partitionKey: string | undefined,
): string {
  const reset = resetSeconds === undefined ? "" : `;t=${resetSeconds}`;
  return `"${name}";r=${remainingTokens}${reset}${partitionKey === undefined ? "" : `;pk=:${partitionKey}:`}`;
}

const DELTAS: readonly string[] = ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"];

/**
 * `CDN-Cache-Control` in the form of Cache-Control, with the members that mean something there; null where it is absent or
 * no dictionary of structured fields, and so to be ignored (RFC 9213 section 2.1).
 */
export function targetedCacheControl(value: string | null): string | null {
  if (value === null) return null;
  try {
    const members: string[] = [];
    for (const [name, [member]] of parseDictionary(value)) {
      // The others are flags, whatever they come with: it can only restrict.
      if (!DELTAS.includes(name)) members.push(...(member === false ? [] : [name]));
      else if (typeof member === "number" && Number.isInteger(member) && member >= 0) members.push(`${name}=${member}`);
    }
    return members.length === 0 ? null : members.join(", ");
  } catch {
    return null;
  }
}
