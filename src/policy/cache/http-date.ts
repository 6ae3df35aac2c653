/** HTTP dates (RFC 9110 section 5.6.7): the three forms, and nothing else. */
import { daysSinceEpoch } from "../kernel/civil-date.ts";

const MONTHS: readonly string[] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** Milliseconds since 1970, or undefined for what is no HTTP date. `nowMs` places two-digit years. */
export function parseHttpDate(value: string | null, nowMs: number): number | undefined {
  if (value === null || value.length > 40) return undefined;
  const parts = value
    .trim()
    .split(" ")
    .filter((part) => part !== "");
  const [first = ""] = parts;
  if (parts.length === 6 && first.length === 4)
    return fromParts(parts[1], parts[2], parts[3], parts[4], parts[5], nowMs);
  if (parts.length === 4) {
    const [day, month, year] = (parts[1] ?? "").split("-");
    return fromParts(day, month, year, parts[2], parts[3], nowMs);
  }
  if (parts.length === 5) return fromParts(parts[2], parts[1], parts[4], parts[3], "GMT", nowMs);
  return undefined;
}

function fromParts(
  day: string | undefined,
  month: string | undefined,
  year: string | undefined,
  time: string | undefined,
  zone: string | undefined,
  nowMs: number,
): number | undefined {
  const monthIndex = MONTHS.indexOf((month ?? "").toLowerCase());
  const dayNumber = digits(day, 2);
  const yearNumber = digits(year, 4);
  const [hour, minute, second] = (time ?? "").split(":").map((part) => digits(part, 2));
  if (zone !== "GMT" || monthIndex === -1 || dayNumber === undefined || yearNumber === undefined) return undefined;
  if (hour === undefined || minute === undefined || second === undefined) return undefined;
  if (hour > 23 || minute > 59 || second > 60 || dayNumber < 1 || dayNumber > 31) return undefined;
  const fullYear = year?.length === 2 ? fullYearOf(yearNumber, nowMs) : yearNumber;
  const days = daysSinceEpoch(fullYear, monthIndex + 1, dayNumber);
  return ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1_000;
}

/** A two-digit year more than 50 years ahead means the past (RFC 9110). */
function fullYearOf(twoDigits: number, nowMs: number): number {
  const thisYear = 1970 + Math.floor(nowMs / 31_556_952_000);
  const inThisCentury = thisYear - (thisYear % 100) + twoDigits;
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury;
}

function digits(text: string | undefined, most: number): number | undefined {
  if (text === undefined || text === "" || text.length > most) return undefined;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return undefined;
  }
  return Number(text);
}
