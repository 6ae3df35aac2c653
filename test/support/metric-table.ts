/** The table of metrics, as docs/monitoring.md shows it. */
import { exposedLabels, METRICS, type MetricName, namesOf } from "../../src/protocol/series.ts";
import { heading, row } from "./markdown.ts";

export function metricTable(): string {
  const rows = namesOf(METRICS).map((name) => {
    const { type, help } = METRICS[name];
    const labels = exposedLabels(name).map((label) => `\`${label}\``);
    return row([`\`${name}\``, type, unitOf(name), labels.join(" "), help.replaceAll("|", "\\|")]);
  });
  return [...heading(["metric", "type", "unit", "labels", "what it means"]), ...rows].join("\n");
}

/** By the name, as Prometheus' convention has it. */
function unitOf(name: MetricName): string {
  const [, unit] = /_(seconds|tokens|ratio)(?:_total)?$/.exec(name) ?? [];
  return unit ?? (name === "weir_objective_burn_rate" ? "ratio" : "");
}
