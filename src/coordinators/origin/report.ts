/** Checks a report before anything is decided: a malformed one throws, and moves nothing. Reads the version before, too. */
import type { Outcomes } from "../../policy/breaker/types.ts";
import { ORIGIN_REPORT_VERSION, type OriginReport, type OriginReportBefore } from "../../protocol/origin.ts";

/** Steps of time in one report. */
const MAX_OUTCOMES = 100;

export function checkReport(told: OriginReport | OriginReportBefore): OriginReport {
  const report = told.v === 1 ? fromBefore(told) : told;
  const { v, seq, outcomes, failures, latencies, latencyTotalMs, underWay, epoch } = report;
  const counts = [
    seq,
    epoch,
    underWay,
    ...outcomes.flatMap(([, ...of]) => of),
    ...Object.values(failures),
    ...latencies,
  ];
  const sound =
    v === ORIGIN_REPORT_VERSION &&
    outcomes.length <= MAX_OUTCOMES &&
    outcomes.every(([ageMs]) => Number.isFinite(ageMs)) &&
    latencyTotalMs >= 0 &&
    counts.every((count) => Number.isSafeInteger(count) && count >= 0);
  if (!sound || typeof report.edgeId !== "string" || typeof report.pop !== "string") {
    throw new TypeError("origin report refused: not a report of this version");
  }
  return report;
}

/** Of isolates that still run the release before. */
function fromBefore({ successes, ...told }: OriginReportBefore): OriginReport {
  const failures = Object.values(told.failures).reduce((sum, count) => sum + count, 0);
  const outcomes: readonly Outcomes[] = [[0, successes, failures]];
  return { ...told, v: ORIGIN_REPORT_VERSION, outcomes, latencies: [], latencyTotalMs: 0, underWay: 0 };
}
