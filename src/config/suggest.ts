/** What a wrong name could have meant. */

/** `; did you mean "x"? valid: a, b` */
export function suggest(value: string, known: readonly string[]): string {
  const near = nearest(value, known);
  const hint = near === undefined ? ";" : `; did you mean "${near}"?`;
  const shown = known.slice(0, 20).join(", ");
  return `${hint} valid: ${shown === "" ? "none is defined" : shown}${known.length > 20 ? ", …" : ""}`;
}

/** At most two letters away; undefined: nothing is. */
export function nearest(value: string, known: readonly string[]): string | undefined {
  const near = known.toSorted((a, b) => distance(value, a) - distance(value, b))[0];
  return near !== undefined && distance(value, near) <= 2 ? near : undefined;
}

/** Levenshtein. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
