/**
 * What a client may be answered with from a whole response: all of it, one range, or that its own copy is still good.
 * Source: RFC 9110 sections 13 and 14, RFC 9111 section 4.3.2.
 */
import { isDigits } from "../kernel/digits.ts";
import type { HeaderReader } from "./freshness.ts";
import { parseHttpDate } from "./http-date.ts";

/** True when the client's copy is still good. `stored`: the response's own fields; times by our clock. */
export function isNotModified(request: HeaderReader, stored: HeaderReader, nowMs: number): boolean {
  const noneMatch = request("if-none-match");
  if (noneMatch !== null) {
    if (noneMatch.trim() === "*") return true;
    const etag = stored("etag");
    return etag !== null && noneMatch.split(",").some((candidate) => opaque(candidate) === opaque(etag));
  }
  const since = request("if-modified-since");
  if (since === null) return false;
  const sinceMs = parseHttpDate(since, nowMs);
  // Where the origin names no modification, its answer's own date stands for it.
  const modifiedMs = parseHttpDate(stored("last-modified") ?? stored("date"), nowMs);
  return sinceMs !== undefined && modifiedMs !== undefined && modifiedMs <= sinceMs;
}

/** Weak comparison: the tag without `W/`. */
function opaque(tag: string): string {
  const trimmed = tag.trim();
  return trimmed.startsWith("W/") ? trimmed.slice(2) : trimmed;
}

/** `to` is inclusive; both lie within the body. */
export type RangeVerdict =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly from: number; readonly to: number }
  | { readonly kind: "unsatisfiable" };

const WHOLE: RangeVerdict = { kind: "whole" };
const UNIT = "bytes=";

/**
 * One range of bytes. Several ranges, other units and what cannot be read are ignored, as section 14.2 allows, and so is a
 * range whose `If-Range` names another version. `bytes`: of the whole body.
 */
export function judgeRange(request: HeaderReader, stored: HeaderReader, bytes: number): RangeVerdict {
  const range = request("range");
  if (range === null || range.slice(0, UNIT.length).toLowerCase() !== UNIT) return WHOLE;
  const spec = range.slice(UNIT.length).trim();
  const dash = spec.indexOf("-");
  if (dash === -1 || spec.includes(",") || !isSameVersion(request("if-range"), stored)) return WHOLE;
  const first = digits(spec.slice(0, dash));
  const last = digits(spec.slice(dash + 1));
  if (first === undefined || last === undefined) return WHOLE;
  if (first === "") {
    if (last === "") return WHOLE;
    return Number(last) === 0 || bytes === 0
      ? { kind: "unsatisfiable" }
      : { kind: "part", from: Math.max(0, bytes - Number(last)), to: bytes - 1 };
  }
  const from = Number(first);
  const to = last === "" ? bytes - 1 : Math.min(bytes - 1, Number(last));
  if (last !== "" && Number(last) < from) return WHOLE;
  return from >= bytes ? { kind: "unsatisfiable" } : { kind: "part", from, to };
}

/** Section 13.1.5: a strong tag, or the very date. */
function isSameVersion(ifRange: string | null, stored: HeaderReader): boolean {
  if (ifRange === null) return true;
  const version = ifRange.trim();
  return version.startsWith('"') ? version === stored("etag") : version === stored("last-modified");
}

/** Digits, perhaps none; undefined: something else. */
function digits(text: string): string | undefined {
  const trimmed = text.trim();
  return trimmed === "" || isDigits(trimmed) ? trimmed : undefined;
}
