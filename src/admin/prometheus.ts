/** Totals of the Metrics object in Prometheus' text format, sorted, with what each name means. */

const HELP: Readonly<Record<string, readonly [type: "counter" | "histogram", help: string]>> = {
  weir_requests_total: ["counter", "Requests by route and by what answered them."],
  weir_request_duration_seconds: ["histogram", "Time from the request's arrival to its answer, by route."],
  weir_limit_decisions_total: ["counter", "Requests admitted and throttled by tenant."],
  weir_access_refused_total: ["counter", "Requests refused by an access list, by the list."],
  weir_limit_failed_total: ["counter", "Requests decided by a limit's fail mode, its coordinator being out of reach."],
  weir_late_cost_invalid_total: ["counter", "Answers whose late cost header was no number of tokens."],
  weir_limit_shadow_refused_total: ["counter", "Requests a shadow limit would have refused."],
  weir_origin_failures_total: ["counter", "Requests an origin did not answer, by reason."],
  weir_rungs_total: [
    "counter",
    "Rungs of the ladder that were tried when an origin could not answer, by route and by whether they could.",
  ],
  weir_internal_errors_total: ["counter", "Requests that ended in an error of Weir's own."],
  weir_admin_refused_total: ["counter", "Calls of the admin API that were refused, by reason."],
  weir_metrics_flush_failures_total: ["counter", "Batches of counters that had to be sent again."],
  weir_dropped_series_total: ["counter", "Counts that were dropped because there were too many series."],
};

export function prometheusText(totals: Readonly<Record<string, number>>): string {
  const families = new Map<string, string[]>();
  for (const series of Object.keys(totals).toSorted()) {
    const name = series.split("{", 1)[0] ?? series;
    const family = Object.hasOwn(HELP, name) ? name : name.replace(/_(bucket|sum|count)$/, "");
    const lines = families.get(family) ?? [];
    lines.push(`${series} ${totals[series] ?? 0}`);
    families.set(family, lines);
  }
  let text = "";
  for (const [family, lines] of families) {
    const [type, help] = HELP[family] ?? ["counter", ""];
    text += `# HELP ${family} ${help}\n# TYPE ${family} ${type}\n${lines.join("\n")}\n`;
  }
  return text;
}
