/** Over which time: live, or what is recorded. */
import type { Signal } from "@preact/signals";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import type { SeriesReply } from "../../src/admin/contract.ts";
import { type Query, useNow, useQuery } from "../state/query.ts";

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

/** Live: nothing is read. Anew each minute. */
export function useSeries(range: Range): Query<SeriesReply> {
  const { lengthMs, stepMs } = RANGES[range];
  const minute = Math.ceil(useNow(10_000) / MINUTE_MS) * MINUTE_MS;
  const path = useMemo(
    () => (range === "live" ? undefined : `/series?fromMs=${minute - lengthMs}&toMs=${minute}&stepMs=${stepMs}`),
    [range, minute],
  );
  return useQuery<SeriesReply>(path, MINUTE_MS);
}
