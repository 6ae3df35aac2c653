/** Numbers and times as people read them. Pure, but for the reader's own zone and language of numbers. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export const count = (value: number): string => (value >= 1_000_000 ? compact.format(value) : whole.format(value));

/** Of something a second: small ones with a decimal, so that they are not nothing. */
export function rate(value: number): string {
  if (value >= 100_000) return compact.format(value);
  if (value >= 10 || value === 0) return whole.format(value);
  return value >= 0.05 ? value.toFixed(1) : "<0.1";
}

/** Never 100 % while anything is missing, never 0 % while anything is there. */
export function percent(ratio: number, decimals = 1): string {
  if (!Number.isFinite(ratio)) return "–";
  const step = 10 ** -decimals;
  const value = ratio * 100;
  if (value > 100 - step && value < 100) return `>${(100 - step).toFixed(decimals)} %`;
  if (value > 0 && value < step) return `<${step} %`;
  return `${Number(value.toFixed(decimals))} %`;
}

const UNITS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
] as const;

/** In its two largest units: `2 h 5 min`, `1.2 s`, `12 ms`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 1_000) return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1_000).toFixed(ms < 10_000 ? 1 : 0))} s`;
  const index = UNITS.findIndex(([size]) => ms >= size);
  const [size, unit] = UNITS[index] ?? UNITS[2];
  const next = UNITS[index + 1];
  const large = Math.floor(ms / size);
  const small = next === undefined ? 0 : Math.floor((ms % size) / next[0]);
  return next === undefined || small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${next[1]}`;
}

const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const date = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/** Local; the day where it is not today. */
export function clock(ms: number, nowMs = Date.now()): string {
  const at = new Date(ms);
  const today = new Date(nowMs).toDateString() === at.toDateString();
  return today ? time.format(at) : `${date.format(at)}, ${time.format(at)}`;
}

export const utc = (ms: number): string => `${new Date(ms).toISOString().replace("T", " ").slice(0, 19)} UTC`;
