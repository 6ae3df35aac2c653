/**
 * Cache-Control and its targeted kin, parsed once when a response is stored or a request comes with one. Names are
 * case-insensitive, values may be quoted; of duplicates the more restrictive counts; a delta that cannot be read is 0,
 * an overflowing one is MAX_DELTA_SECONDS. Source: RFC 9111 sections 1.2.2, 4.2.1 and 5.2, RFC 9213.
 */
import { isDigits } from "../kernel/digits.ts";

export interface Directives {
  readonly noStore: boolean;
  readonly noCache: boolean;
  readonly isPrivate: boolean;
  readonly isPublic: boolean;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly mustUnderstand: boolean;
  readonly onlyIfCached: boolean;
  readonly maxAge: number | undefined;
  readonly sMaxage: number | undefined;
  readonly staleWhileRevalidate: number | undefined;
  readonly staleIfError: number | undefined;
  readonly minFresh: number | undefined;
  /** Infinity: any staleness. */
  readonly maxStale: number | undefined;
}

const MAX_DELTA_SECONDS = 2_147_483_648;

const NONE: Directives = {
  noStore: false,
  noCache: false,
  isPrivate: false,
  isPublic: false,
  mustRevalidate: false,
  proxyRevalidate: false,
  mustUnderstand: false,
  onlyIfCached: false,
  maxAge: undefined,
  sMaxage: undefined,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
  minFresh: undefined,
  maxStale: undefined,
};

export function parseCacheControl(value: string | null): Directives {
  if (value === null || value === "") return NONE;
  const found: { -readonly [Name in keyof Directives]: Directives[Name] } = { ...NONE };
  for (const [name, argument] of splitDirectives(value)) {
    switch (name) {
      case "no-store":
        found.noStore = true;
        break;
      case "no-cache":
        // With field names it concerns only these; treating the whole response so is allowed and simpler.
        found.noCache = true;
        break;
      case "private":
        found.isPrivate = true;
        break;
      case "public":
        found.isPublic = true;
        break;
      case "must-revalidate":
        found.mustRevalidate = true;
        break;
      case "proxy-revalidate":
        found.proxyRevalidate = true;
        break;
      case "must-understand":
        found.mustUnderstand = true;
        break;
      case "only-if-cached":
        found.onlyIfCached = true;
        break;
      case "max-age":
        found.maxAge = lesser(found.maxAge, delta(argument));
        break;
      case "s-maxage":
        found.sMaxage = lesser(found.sMaxage, delta(argument));
        break;
      case "stale-while-revalidate":
        found.staleWhileRevalidate = lesser(found.staleWhileRevalidate, delta(argument));
        break;
      case "stale-if-error":
        found.staleIfError = lesser(found.staleIfError, delta(argument));
        break;
      case "min-fresh":
        found.minFresh = delta(argument);
        break;
      case "max-stale":
        found.maxStale = argument === "" ? Number.POSITIVE_INFINITY : delta(argument);
        break;
      default:
      // An unknown directive means nothing to us (section 5.2.3).
    }
  }
  return found;
}

function lesser(known: number | undefined, next: number): number {
  return known === undefined ? next : Math.min(known, next);
}

/** RFC 9111 section 1.2.2, of a directive: anything but digits makes the response stale. */
const delta = (argument: string): number => deltaSeconds(argument) ?? 0;

/** RFC 9111 section 1.2.2: digits; undefined: something else. */
export function deltaSeconds(text: string): number | undefined {
  return isDigits(text) ? Math.min(MAX_DELTA_SECONDS, Number(text)) : undefined;
}

/** Splits at commas outside quotes; names in lower case, arguments without quotes. */
function* splitDirectives(value: string): Generator<readonly [name: string, argument: string]> {
  let from = 0;
  let quoted = false;
  for (let index = 0; index <= value.length; index++) {
    const character = value[index];
    if (character === '"') quoted = !quoted;
    else if (quoted && character === "\\") index++;
    if (index < value.length && (quoted || character !== ",")) continue;
    const part = value.slice(from, index).trim();
    from = index + 1;
    if (part === "") continue;
    const equals = part.indexOf("=");
    if (equals === -1) yield [part.toLowerCase(), ""];
    else yield [part.slice(0, equals).toLowerCase(), unquote(part.slice(equals + 1))];
  }
}

function unquote(argument: string): string {
  return argument.length >= 2 && argument.startsWith('"') && argument.endsWith('"') ? argument.slice(1, -1) : argument;
}
