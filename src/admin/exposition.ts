/**
 * Prometheus' text format 0.0.4, of metrics in the table: families sorted by name, each with its help and type once. What
 * is added twice under the same labels is summed. Cost: one string for each series.
 */
import { LATENCY_BOUNDS_SECONDS } from "../policy/kernel/histogram.ts";
import { exposedLabels, type LabelsOf, METRICS, type MetricName, parseSeries, seriesText } from "../protocol/series.ts";

type NamesOf<Type extends string> = {
  [N in MetricName]: (typeof METRICS)[N]["type"] extends Type ? N : never;
}[MetricName];

export class Exposition {
  readonly #families = new Map<MetricName, Map<string, number>>();
  #unknown = 0;

  /** Series from elsewhere that are not in this release's table: left out. */
  get unknown(): number {
    return this.#unknown;
  }

  add<N extends NamesOf<"counter" | "gauge">>(name: N, labels: LabelsOf<N>, value: number): void {
    this.#put(name, seriesText(name, METRICS[name].labels, labels), value);
  }

  /** `buckets`: by LATENCY_BOUNDS_SECONDS, the last +Inf; not cumulative. */
  addHistogram<N extends NamesOf<"histogram">>(
    name: N,
    labels: LabelsOf<N>,
    buckets: readonly number[],
    sum: number,
  ): void {
    const order = METRICS[name].labels;
    const within = [...order, "le"];
    let count = 0;
    for (let index = 0; index <= LATENCY_BOUNDS_SECONDS.length; index++) {
      count += buckets[index] ?? 0;
      const le = String(LATENCY_BOUNDS_SECONDS[index] ?? "+Inf");
      this.#put(name, seriesText(`${name}_bucket`, within, { ...labels, le }), count);
    }
    this.#put(name, seriesText(`${name}_sum`, order, labels), sum);
    this.#put(name, seriesText(`${name}_count`, order, labels), count);
  }

  /** Under the name it was counted by; without the labels it is to be summed over. */
  addEvent(text: string, value: number): void {
    const parsed = parseSeries(text);
    if (parsed === undefined) {
      this.#unknown++;
      return;
    }
    const { name, labels } = parsed;
    const metric = METRICS[name];
    const kept = "summedOver" in metric ? exposedLabels(name) : undefined;
    this.#put(name, kept === undefined ? text : seriesText(name, kept, labels), value);
  }

  text(): string {
    let text = "";
    for (const name of [...this.#families.keys()].toSorted()) {
      const { help, type } = METRICS[name];
      text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
      for (const [series, value] of this.#families.get(name) ?? []) text += `${series} ${value}\n`;
    }
    return text;
  }

  #put(name: MetricName, series: string, value: number): void {
    let family = this.#families.get(name);
    if (family === undefined) this.#families.set(name, (family = new Map<string, number>()));
    family.set(series, (family.get(series) ?? 0) + value);
  }
}
