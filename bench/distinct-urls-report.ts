/** The heap after distinct URLs, in words, against the mark. */
import { fork } from "node:child_process";
import { join } from "node:path";

export interface DistinctUrlFigures {
  readonly shapes: readonly {
    readonly characters: number;
    readonly points: readonly { readonly urls: number; readonly heapMiB: number }[];
  }[];
}

/** Heap after the last number of URLs, as a multiple of the heap after the first. */
const MOST_GROWTH_RATIO = 1.2;
/** Of the 128 MiB that an isolate has. */
const MOST_HEAP_MIB = 96;

export function measureDistinctUrls(): Promise<DistinctUrlFigures> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, "distinct-urls.ts"), {
      execArgv: [...process.execArgv, "--expose-gc"],
      // Without the gateway's log lines.
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    child.once("message", (figures: DistinctUrlFigures) => {
      resolve(figures);
    });
    child.once("exit", (code) => {
      reject(new Error(`the measurement of distinct URLs ended with ${code}`));
    });
  });
}

/** True: a mark is missed. */
export const distinctUrlsFail = ({ shapes }: DistinctUrlFigures): boolean =>
  shapes.some(({ points }) => {
    const last = points.at(-1)?.heapMiB ?? Number.NaN;
    return !(last <= (points[0]?.heapMiB ?? Number.NaN) * MOST_GROWTH_RATIO && last <= MOST_HEAP_MIB);
  });

export function distinctUrlsReport(figures: DistinctUrlFigures): string {
  const held = distinctUrlsFail(figures) ? "MISSED" : "held";
  return [
    `Heap after distinct URLs through one isolate, marks ${MOST_GROWTH_RATIO} × and ${MOST_HEAP_MIB} MiB: ${held}`,
    ...figures.shapes.flatMap(({ characters, points }) =>
      points.map(
        ({ urls, heapMiB }) =>
          `  ${String(urls).padStart(9)} URLs of ${String(characters).padStart(5)} characters ${heapMiB.toFixed(1)} MiB`,
      ),
    ),
  ].join("\n");
}
