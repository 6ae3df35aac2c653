/**
 * HTTP dates: the three forms of RFC 9110 section 5.6.7, character by character, and nothing else, because what is no
 * date is in the past (RFC 9111 section 5.3). Upper and lower case are the same, and no zone but GMT is one (RFC 9111
 * section 4.2).
 */
import { daysSinceEpoch } from "../kernel/civil-date.ts";
import { isDigits } from "../kernel/digits.ts";

const MONTHS: readonly string[] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: readonly string[] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const LONG_DAYS: readonly string[] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const LONGEST = "Wednesday, 06-Nov-94 08:49:37 GMT".length;

/** Milliseconds since 1970, or undefined for what is no HTTP date. `nowMs` places two-digit years. */
export function parseHttpDate(value: string | null, nowMs: number): number | undefined {
  if (value === null || value.length > LONGEST) return undefined;
  const date = value.toLowerCase();
  const comma = date.indexOf(",");
  // sun nov  6 08:49:37 1994
  if (comma === -1) return date.length === 24 && isWeekday(date, 3, DAYS) ? asctime(date) : undefined;
  const rest = date.slice(comma + 1);
  // sun, 06 nov 1994 08:49:37 gmt
  if (rest.length === 25 && isWeekday(date, comma, DAYS)) return stamped(rest, " ", rest.slice(8, 12));
  // sunday, 06-nov-94 08:49:37 gmt
  if (rest.length !== 23 || !isWeekday(date, comma, LONG_DAYS)) return undefined;
  const year = rest.slice(8, 10);
  return isDigits(year) ? stamped(rest, "-", String(fullYearOf(Number(year), nowMs))) : undefined;
}

const isWeekday = (date: string, length: number, names: readonly string[]): boolean =>
  names.includes(date.slice(0, length));

/** ` 06 nov 1994 08:49:37 gmt`; `between`: day, month and year. The year is given in full. */
function stamped(text: string, between: string, year: string): number | undefined {
  const spaced = text[0] === " " && text[3] === between && text[7] === between && text.at(-13) === " ";
  if (!spaced || !text.endsWith(" gmt")) return undefined;
  return fromParts(text.slice(1, 3), text.slice(4, 7), year, text.slice(-12, -4));
}

/** `sun nov  6 08:49:37 1994`: a day of one digit has a space before it. */
function asctime(text: string): number | undefined {
  if (text[3] !== " " || text[7] !== " " || text[10] !== " " || text[19] !== " ") return undefined;
  const day = text[8] === " " ? `0${text[9]}` : text.slice(8, 10);
  return fromParts(day, text.slice(4, 7), text.slice(20), text.slice(11, 19));
}

function fromParts(day: string, month: string, year: string, time: string): number | undefined {
  const monthIndex = MONTHS.indexOf(month);
  const [hour, minute, second] = [time.slice(0, 2), time.slice(3, 5), time.slice(6)];
  if (monthIndex === -1 || time[2] !== ":" || time[5] !== ":") return undefined;
  if (![day, year, hour, minute, second].every(isDigits)) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60 || Number(day) < 1 || Number(day) > 31) {
    return undefined;
  }
  const days = daysSinceEpoch(Number(year), monthIndex + 1, Number(day));
  return ((days * 24 + Number(hour)) * 60 + Number(minute)) * 60_000 + Number(second) * 1_000;
}

/** A two-digit year more than 50 years ahead means the past (RFC 9110). */
function fullYearOf(twoDigits: number, nowMs: number): number {
  const thisYear = 1970 + Math.floor(nowMs / 31_556_952_000);
  const inThisCentury = thisYear - (thisYear % 100) + twoDigits;
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury;
}
