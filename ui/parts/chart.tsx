/**
 * A chart over time, and its twin: the same numbers as a table. Drawn anew only when its shape or the colours change; new
 * numbers are drawn at most once a frame.
 */
import type { VNode } from "preact";
import { type Signal, signal, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { themeTurn } from "../state/theme.ts";
import { Empty, Scroll, Time } from "./small.tsx";

export interface ChartLine {
  readonly label: string;
  /** Name of a colour in the style sheet. */
  readonly colour: string;
  /** One for each time; null: nothing is known. */
  readonly values: readonly (number | null)[];
}

export interface ChartProps {
  readonly name: string;
  /** Milliseconds, ascending. */
  readonly times: readonly number[];
  readonly lines: readonly ChartLine[];
  /** At least so much time is drawn, up to the last. */
  readonly spanMs: number;
  readonly stacked?: boolean;
  readonly height?: number;
  readonly format: (value: number) => string;
  /** What it means that there is nothing. */
  readonly empty: string;
}

/** Who reads one chart as a table reads them all so. */
const asTable = signal(false);

const MAX_LEGEND = 12;
const MAX_ROWS = 60;

export function Chart(props: ChartProps): VNode {
  const pointed = useSignal<number | null>(null);
  const { name, times, lines, empty } = props;
  if (times.length === 0) return <Empty>{empty}</Empty>;
  const more = lines.length - MAX_LEGEND;
  return (
    <figure class="chart" aria-label={name}>
      {asTable.value ? <Twin {...props} /> : <Plot {...props} pointed={pointed} />}
      <div class="chart-foot">
        {asTable.value ? <span /> : <Legend {...props} pointed={pointed} />}
        <button
          type="button"
          class="plain small"
          aria-pressed={asTable.value}
          onClick={() => {
            asTable.value = !asTable.value;
          }}
        >
          {asTable.value ? "Chart" : more > 0 ? `Table, with ${more} more` : "Table"}
          <span class="hidden-text"> of {name}</span>
        </button>
      </div>
    </figure>
  );
}

interface Pointed {
  /** Which time the cursor is on; null: on none. */
  readonly pointed: Signal<number | null>;
}

function Legend({ times, lines, format, pointed }: ChartProps & Pointed): VNode {
  const at = Math.min(pointed.value ?? times.length - 1, times.length - 1);
  return (
    <ul class="legend">
      {lines.slice(0, MAX_LEGEND).map(({ label, colour, values }) => {
        const value = values[at] ?? null;
        return (
          <li key={label}>
            <span class="swatch" style={{ background: `var(${colour})` }} aria-hidden="true" />
            {label} <strong>{value === null ? "–" : format(value)}</strong>
          </li>
        );
      })}
    </ul>
  );
}

function Twin({ name, times, lines, format }: ChartProps): VNode {
  const rows = times
    .map((ms, index) => ({ ms, index }))
    .slice(-MAX_ROWS)
    .toReversed();
  return (
    <Scroll label={`${name}, as a table`}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {lines.map(({ label }) => (
              <th key={label} scope="col" class="number">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ ms, index }) => (
            <tr key={ms}>
              <th scope="row">
                <Time ms={ms} />
              </th>
              {lines.map(({ label, values }) => {
                const value = values[index] ?? null;
                return (
                  <td key={label} class="number">
                    {value === null ? "–" : format(value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Plot(props: ChartProps & Pointed): VNode {
  const { name, times, lines, spanMs, stacked = false, height = 190, pointed } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const newest = useRef(props);
  newest.current = props;
  const shape = [
    stacked,
    height,
    spanMs,
    themeTurn.value,
    ...lines.map(({ label, colour }) => `${label} ${colour}`),
  ].join("\n");
  useLayoutEffect(() => {
    const { current } = box;
    if (current === null) return undefined;
    const made = new uPlot(optionsOf(newest.current, current, pointed), dataOf(newest.current), current);
    plot.current = made;
    const seen = new ResizeObserver(() => {
      made.setSize({ width: current.clientWidth, height });
    });
    seen.observe(current);
    return () => {
      seen.disconnect();
      plot.current = undefined;
      made.destroy();
    };
  }, [shape]);
  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      plot.current?.setData(dataOf(newest.current));
    });
    return () => {
      cancelAnimationFrame(frame);
    };
  }, [times, lines]);
  return (
    <div
      ref={box}
      class="plot"
      role="img"
      aria-label={`${name}; the same numbers are in its table`}
      style={{ height }}
    />
  );
}

/** uPlot's: seconds, then what is drawn first. Stacked, each line is drawn on top of those before it: the largest first. */
function dataOf({ times, lines, stacked = false }: ChartProps): uPlot.AlignedData {
  const xs = times.map((ms) => ms / 1_000);
  if (!stacked) return [xs, ...lines.map(({ values }) => [...values])];
  const sums = times.map(() => 0);
  const stack = lines.map(({ values }) =>
    values.map((value, index) => {
      const sum = (sums[index] ?? 0) + (value ?? 0);
      sums[index] = sum;
      return sum;
    }),
  );
  return [xs, ...stack.toReversed()];
}

function optionsOf(
  { lines, spanMs, stacked = false, height = 190, format }: ChartProps,
  box: HTMLElement,
  pointed: Signal<number | null>,
): uPlot.Options {
  const colour = colours(box);
  const [quiet, line, ground] = [colour("--quiet"), colour("--line"), colour("--panel")];
  const drawn = stacked ? lines.toReversed() : lines;
  const font = "11px system-ui, sans-serif";
  const axis = { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 }, font };
  return {
    width: box.clientWidth,
    height,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { show: !stacked, size: 6 } },
    scales: {
      x: { time: true, range: (_self, from, to) => [Math.min(from, to - spanMs / 1_000), to] },
      y: { range: (_self, _least, most) => [0, most > 0 ? most * 1.08 : 1] },
    },
    axes: [
      {
        ...axis,
        space: 80,
        size: 30,
        values: (_self, splits, _axis, _space, step) => splits.map((at) => tick(at, step)),
      },
      { ...axis, size: 52, values: (_self, splits) => splits.map((value) => format(value)) },
    ],
    series: [
      {},
      ...drawn.map(({ label, colour: name }): uPlot.Series => {
        const own = colour(name);
        const dash = stacked ? {} : dashOf(lines.findIndex((other) => other.label === label));
        return stacked
          ? { label, stroke: ground, width: 0.5, fill: own, points: { show: false } }
          : { label, stroke: own, width: 1.6, points: { show: false }, ...dash };
      }),
    ],
    hooks: {
      setCursor: [
        ({ cursor }) => {
          pointed.value = cursor.idx ?? null;
        },
      ],
    },
  };
}

const seconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hour12: false });
const minutes = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const days = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/** As fine as the step between two, in seconds. */
const tick = (at: number, step: number): string =>
  (step >= 43_200 ? days : step >= 60 ? minutes : seconds).format(new Date(at * 1_000));

/** Beyond the colours there are, lines differ by their dashes. */
const dashOf = (index: number): { dash?: number[] } =>
  index < PALETTE.length ? {} : { dash: index < 2 * PALETTE.length ? [6, 4] : [2, 3] };

export const PALETTE = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"] as const;
export const paletteOf = (index: number): string => PALETTE[index % PALETTE.length] ?? "--c1";

/** A canvas takes no variables: the browser says what each one is here and now. */
function colours(box: HTMLElement): (name: string) => string {
  const probe = document.createElement("span");
  box.append(probe);
  const read = new Map<string, string>();
  queueMicrotask(() => {
    probe.remove();
  });
  return (name) => {
    let found = read.get(name);
    if (found === undefined) {
      probe.style.color = `var(${name})`;
      found = getComputedStyle(probe).color;
      read.set(name, found);
    }
    return found;
  };
}
