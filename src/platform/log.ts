/**
 * The runtime's log: one JSON object a line, of 2 KiB at most, whose texts have no character that is not to be seen. So
 * nothing that a client sends can end a line, begin another, or pass for one. Callers pass no header values, keys, queries
 * or bodies.
 */
import { legible } from "../policy/kernel/legible.ts";

export type LogLevel = "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | null | readonly string[]>>;

export const MAX_LINE_BYTES = 2_048;
const MAX_TEXT = 256;
const MAX_LIST = 16;

export function writeLog(level: LogLevel, atMs: number, fields: LogFields): void {
  const line = logLine(level, atMs, fields);
  // oxlint-disable-next-line no-console -- the runtime's log is the console; this is its only use
  if (level === "error") console.error(line);
  // oxlint-disable-next-line no-console -- as above
  else console.log(line);
}

export function logError(fields: Readonly<Record<string, string>>): void {
  writeLog("error", Date.now(), fields);
}

export function logLine(level: LogLevel, atMs: number, fields: LogFields): string {
  for (let most = MAX_TEXT; ; most = Math.floor(most / 2)) {
    const line = JSON.stringify({ time: new Date(atMs).toISOString(), level, ...cleaned(fields, most) });
    if (most <= 1 || fits(line)) return line;
  }
}

/** In UTF-8, which has at most three bytes for each unit: so short lines need not be encoded. */
const fits = (line: string): boolean =>
  line.length * 3 <= MAX_LINE_BYTES || new TextEncoder().encode(line).length <= MAX_LINE_BYTES;

function cleaned(fields: LogFields, most: number): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") clean[name] = legible(value, most);
    else if (typeof value === "object" && value !== null) {
      clean[name] = value.slice(0, Math.min(MAX_LIST, most)).map((text) => legible(text, most));
    } else clean[name] = value;
  }
  return clean;
}
