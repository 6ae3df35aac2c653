/** When a calendar period ends, in a time zone: quotas begin anew at local midnight, the full hour, the first. */
import { daysSinceEpoch } from "../kernel/civil-date.ts";
import type { QuotaPeriod } from "./types.ts";

interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/**
 * The first instant after `nowMs` at which the period of `timeZone` (an IANA name) begins anew. Always later than
 * `nowMs`. Follows changes to and from summer time: a local day may have 23 or 25 hours.
 */
export function periodEndMs(nowMs: number, period: QuotaPeriod, timeZone: string): number {
  const local = localTime(nowMs, timeZone);
  const target = asIfUtc(nextStart(local, period));
  const offsetMs = asIfUtc(local) - Math.floor(nowMs / 1_000) * 1_000;
  const guess = target - offsetMs;
  // The zone's offset may differ at the target.
  const guessed = localTime(guess, timeZone);
  const end = guess - (asIfUtc(guessed) - target);
  // Summer time may skip the local start: then the guess, counted by the time before, is the first instant after it.
  return asIfUtc(localTime(end, timeZone)) === target ? end : guess;
}

function nextStart(local: LocalTime, period: QuotaPeriod): LocalTime {
  const { year, month, day, hour, minute } = local;
  switch (period) {
    case "minute":
      return { year, month, day, hour, minute: minute + 1, second: 0 };
    case "hour":
      return { year, month, day, hour: hour + 1, minute: 0, second: 0 };
    case "day":
      return { year, month, day: day + 1, hour: 0, minute: 0, second: 0 };
    case "month":
      return { year: month === 12 ? year + 1 : year, month: (month % 12) + 1, day: 1, hour: 0, minute: 0, second: 0 };
  }
}

/** Milliseconds since 1970 if the local time were UTC; parts may overflow (minute 60, hour 24, day 32). */
function asIfUtc({ year, month, day, hour, minute, second }: LocalTime): number {
  return (((daysSinceEpoch(year, month, 1) + day - 1) * 24 + hour) * 60 + minute) * 60_000 + second * 1_000;
}

function localTime(atMs: number, timeZone: string): LocalTime {
  const parts: Partial<Record<string, number>> = {};
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  for (const { type, value } of format.formatToParts(atMs)) parts[type] = Number(value);
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return { year, month, day, hour, minute, second };
}
