/** Marks a figure that misses its target, and names the target. */
export function miss(target: number | undefined, value: number, kind: "least" | "most"): string {
  if (target === undefined) return "";
  const missed = kind === "least" ? value < target : value > target;
  return missed ? `* ${target}` : "";
}
