/** One JSON line on the runtime's log. Callers pass no header values, keys or bodies. */
export function logError(fields: Readonly<Record<string, string>>): void {
  // oxlint-disable-next-line no-console -- the runtime's log is the console; this is its only use
  console.error(JSON.stringify({ level: "error", ...fields }));
}
