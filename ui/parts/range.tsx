/** Over which time: live, or what is recorded. */
import type { Signal } from "@preact/signals";
import type { VNode } from "preact";
import type { SeriesReply } from "../../src/admin/contract.ts";
import { type Point, withGaps } from "../model/traffic.ts";
import { steady, ticks } from "../state/live.ts";
import { useNow, useQuery } from "../state/query.ts";
import { Reading } from "./small.tsx";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

const RANGES = {
  live: { label: "5 min", lengthMs: 0, stepMs: 0 },
  hour: { label: "1 h", lengthMs: HOUR_MS, stepMs: MINUTE_MS },
  day: { label: "24 h", lengthMs: 24 * HOUR_MS, stepMs: 5 * MINUTE_MS },
  month: { label: "30 d", lengthMs: 720 * HOUR_MS, stepMs: HOUR_MS },
} as const;
export type Range = keyof typeof RANGES;
const NAMES: readonly Range[] = ["live", "hour", "day", "month"];

export const RangeSwitch = ({ range }: { readonly range: Signal<Range> }): VNode => (
  <div class="switch" role="group" aria-label="Over which time">
    {NAMES.map((name) => (
      <button
        key={name}
        type="button"
        aria-pressed={range.value === name}
        onClick={() => {
          range.value = name;
        }}
      >
        {RANGES[name].label}
      </button>
    ))}
  </div>
);

/** What happened in this time: `counted` for sums, `drawn` for charts. */
export interface Traffic {
  readonly counted: readonly Point[];
  readonly drawn: readonly Point[];
  readonly spanMs: number;
}

/** Live, or what is recorded, read anew each minute. */
export function Recorded({
  range,
  children,
}: {
  readonly range: Range;
  readonly children: (traffic: Traffic) => VNode;
}): VNode {
  const { lengthMs, stepMs } = RANGES[range];
  const minute = Math.ceil(useNow(10_000) / MINUTE_MS) * MINUTE_MS;
  const path = range === "live" ? undefined : `/series?fromMs=${minute - lengthMs}&toMs=${minute}&stepMs=${stepMs}`;
  const series = useQuery<SeriesReply>(path, MINUTE_MS);
  if (range === "live") {
    return children({ counted: ticks.value.map(({ point }) => point), drawn: steady.value, spanMs: MINUTE_MS });
  }
  return (
    <Reading of={series}>
      {({ points }) => children({ counted: points, drawn: withGaps(points, stepMs), spanMs: lengthMs })}
    </Reading>
  );
}
