/** Durations on the command line. */
import { DURATION_PATTERN, durationMs } from "../src/config/units.ts";
import { CliError } from "./output.ts";

export function durationArgument(name: string, text: string): number {
  if (!DURATION_PATTERN.test(text)) {
    throw new CliError(`--${name} must be a duration like "30m", "2h", "7d", not "${text}"`);
  }
  return durationMs(text);
}
