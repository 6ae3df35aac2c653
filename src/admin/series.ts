/** What is recorded: points by the minute and the hour, and the demand that `weir size` reads. */
import { LATENCY_BOUNDS_SECONDS } from "../policy/kernel/histogram.ts";
import { MAX_POINTS } from "../protocol/monitor.ts";
import { askMonitor } from "./ask-monitor.ts";
import { demandQuery, demandReply, seriesQuery, seriesReply } from "./contract/monitoring.ts";
import { operation } from "./operation.ts";
import { problem } from "./reply.ts";

const TAG = "Monitoring";
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

const readSeries = operation(
  {
    id: "readSeries",
    method: "GET",
    path: "/series",
    tag: TAG,
    summary: "Read what was counted, by the minute or the hour",
    description:
      "Minutes are kept for 26 hours, hours for 35 days. The newest point is of the time that still runs. Where nothing was counted there is no point.",
    query: seriesQuery,
    result: seriesReply,
  },
  async ({ env, query }) => {
    const { fromMs, toMs, stepMs } = query;
    if (stepMs % (stepMs < HOUR_MS ? MINUTE_MS : HOUR_MS) !== 0)
      return problem(400, "stepMs: must be whole minutes, from an hour on whole hours");
    if (toMs <= fromMs) return problem(400, "toMs: must be after fromMs");
    if ((toMs - fromMs) / stepMs > MAX_POINTS)
      return problem(400, `stepMs: too small for this time: more than ${MAX_POINTS} points`);
    const { points } = await askMonitor(env, "series", { v: 1, fromMs, toMs, stepMs });
    return { bounds: LATENCY_BOUNDS_SECONDS, points };
  },
);

const readDemand = operation(
  {
    id: "readDemand",
    method: "GET",
    path: "/demand",
    tag: TAG,
    summary: "Read what tenants asked for, and origins got",
    description: "By the hour, for as long as hours are kept; what `weir size` proposes limits from.",
    query: demandQuery,
    result: demandReply,
  },
  async ({ env, query, nowMs }) =>
    askMonitor(env, "demand", { v: 1, fromMs: nowMs - query.hours * HOUR_MS, toMs: nowMs }),
);

export const seriesOperations = [readSeries, readDemand];
