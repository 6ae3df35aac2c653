/** What edges say to the Metrics object: counters since their last flush. */
export const METRICS_PROTOCOL_VERSION = 1;

export interface MetricsBatch {
  readonly v: typeof METRICS_PROTOCOL_VERSION;
  readonly edgeId: string;
  /** Grows by one for each batch of this edge; a repeated number is counted once. */
  readonly seq: number;
  /** `name{label="value",...}` -> increase since the last batch, >= 0. */
  readonly counters: Readonly<Record<string, number>>;
}

export interface MetricsProtocol {
  flush(batch: MetricsBatch): Promise<{ readonly seq: number }>;
  totals(request: { readonly v: 1 }): Promise<Readonly<Record<string, number>>>;
}
