/** Which firing alerts are not told for now: those that a silence names, and those for which a graver one speaks. */
import type { Alert, Condition, Quiet, Silence } from "./types.ts";

export const MAX_SILENCES = 100;

/** `firing`: all that fire. Silences come first: a person's word explains more. Cost: O(silences + firing). */
export function quietOf(
  { condition }: Alert,
  firing: readonly Alert[],
  silences: readonly Silence[],
  nowMs: number,
): Quiet | undefined {
  const silence = silences.find(({ untilMs, match }) => untilMs > nowMs && matches(condition, match));
  if (silence !== undefined) return { by: "silence", id: silence.id };
  const graver = firing.find((other) => inhibits(other.condition, condition));
  return graver === undefined ? undefined : { by: "inhibition", id: graver.condition.fingerprint };
}

/** Nothing silences everything: a silence without a match matches nothing. The watchdog cannot be silenced. */
function matches({ kind, severity, labels }: Condition, match: Silence["match"]): boolean {
  const entries = Object.entries(match);
  if (entries.length === 0 || kind === "watchdog") return false;
  const all: Readonly<Record<string, string>> = { ...labels, kind, severity };
  return entries.every(([label, value]) => Object.hasOwn(all, label) && all[label] === value);
}

/** The world's open breaker speaks for its PoPs; a burn that pages for the ticket of the same objective. */
function inhibits(speaker: Condition, other: Condition): boolean {
  if (speaker.kind !== other.kind || speaker.severity !== "page" || other.severity === "page") return false;
  if (speaker.kind === "burn") return speaker.labels["objective"] === other.labels["objective"];
  return (
    speaker.kind === "breaker" &&
    speaker.labels["pop"] === undefined &&
    other.labels["pop"] !== undefined &&
    speaker.labels["origin"] === other.labels["origin"]
  );
}
