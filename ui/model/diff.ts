/**
 * What changed between two texts, line by line (Myers 1986, greedy, O((N + M) D)). Pure. Beyond MAX_EDITS differences the
 * texts have little in common, and are shown as one taken out and one put in.
 */
const MAX_EDITS = 500;

export interface DiffLine {
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
  /** Its number before and after; undefined: it is not there. */
  readonly before: number | undefined;
  readonly after: number | undefined;
}

export function diffLines(before: string, after: string): readonly DiffLine[] {
  const [a, b] = [before.split("\n"), after.split("\n")];
  const traces = search(a, b);
  if (traces === undefined) {
    return [
      ...a.map((text, index): DiffLine => ({ kind: "removed", text, before: index + 1, after: undefined })),
      ...b.map((text, index): DiffLine => ({ kind: "added", text, before: undefined, after: index + 1 })),
    ];
  }
  return walkBack(a, b, traces);
}

/** How far each diagonal came after each number of edits. */
function search(a: readonly string[], b: readonly string[]): readonly ReadonlyMap<number, number>[] | undefined {
  const furthest = new Map<number, number>([[1, 0]]);
  const traces: ReadonlyMap<number, number>[] = [];
  for (let edits = 0; edits <= Math.min(MAX_EDITS, a.length + b.length); edits++) {
    traces.push(new Map(furthest));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = nextX(furthest, diagonal, edits);
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x++;
      furthest.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return traces;
    }
  }
  return undefined;
}

const isDown = (furthest: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean =>
  diagonal === -edits ||
  (diagonal !== edits && (furthest.get(diagonal - 1) ?? -1) < (furthest.get(diagonal + 1) ?? -1));

const nextX = (furthest: ReadonlyMap<number, number>, diagonal: number, edits: number): number =>
  isDown(furthest, diagonal, edits) ? (furthest.get(diagonal + 1) ?? 0) : (furthest.get(diagonal - 1) ?? 0) + 1;

function walkBack(
  a: readonly string[],
  b: readonly string[],
  traces: readonly ReadonlyMap<number, number>[],
): readonly DiffLine[] {
  const lines: DiffLine[] = [];
  let [x, y] = [a.length, b.length];
  const backTo = (least: number): void => {
    for (let left = x - least; left > 0; left--) {
      x--;
      y--;
      lines.push({ kind: "same", text: a[x] ?? "", before: x + 1, after: y + 1 });
    }
  };
  for (let edits = traces.length - 1; edits > 0; edits--) {
    const furthest = traces[edits] ?? new Map<number, number>();
    const diagonal = x - y;
    const down = isDown(furthest, diagonal, edits);
    const from = furthest.get(down ? diagonal + 1 : diagonal - 1) ?? 0;
    backTo(down ? from : from + 1);
    if (down) {
      y--;
      lines.push({ kind: "added", text: b[y] ?? "", before: undefined, after: y + 1 });
    } else {
      x--;
      lines.push({ kind: "removed", text: a[x] ?? "", before: x + 1, after: undefined });
    }
  }
  backTo(0);
  return lines.toReversed();
}

/** Runs of more than `2 * context` lines that are the same give way to a number. */
export function folded(lines: readonly DiffLine[], context = 3): readonly (DiffLine | number)[] {
  const near = lines.map(() => false);
  for (const [index, { kind }] of lines.entries()) {
    if (kind === "same") continue;
    for (let at = Math.max(0, index - context); at <= Math.min(lines.length - 1, index + context); at++)
      near[at] = true;
  }
  const shown: (DiffLine | number)[] = [];
  let hidden = 0;
  for (const [index, line] of lines.entries()) {
    if (near[index] !== true) {
      hidden++;
      continue;
    }
    if (hidden > 0) shown.push(hidden);
    hidden = 0;
    shown.push(line);
  }
  if (hidden > 0) shown.push(hidden);
  return shown;
}
