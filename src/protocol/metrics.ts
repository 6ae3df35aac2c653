/** What edges and the admin API say to the Metrics object: counters since the last flush, and decisions for who watches. */
import type { Decision, TailFilter } from "../policy/tail/sample.ts";

export const METRICS_PROTOCOL_VERSION = 1;

/** Who watches at once, in the world; each costs every isolate a comparison for each request. */
export const MAX_LISTENERS = 8;
/** Decisions that an isolate sends for one listener with one flush. */
export const MAX_DECISIONS = 50;

/** How requests end, as `weir_requests_total` counts them. */
export const OUTCOMES = [
  "origin",
  "cache",
  "stale",
  "snapshot",
  "failover",
  "deferred",
  "fallback",
  "maintenance",
  "throttled",
  "shed",
  "refused",
  "error",
] as const;

export type Outcome = (typeof OUTCOMES)[number];

export interface MetricsBatch {
  readonly v: typeof METRICS_PROTOCOL_VERSION;
  readonly edgeId: string;
  /** Grows by one for each batch of this edge; a repeated number is counted once. */
  readonly seq: number;
  /** `name{label="value",...}` -> increase since the last batch, >= 0. */
  readonly counters: Readonly<Record<string, number>>;
  /** Only while somebody watches; at most MAX_LISTENERS. */
  readonly tail?: readonly TailPart[];
}

/** For one listener. */
export interface TailPart {
  readonly listener: string;
  /** Decisions that its filter let through since the last part; `decisions` is an even sample of them. */
  readonly matched: number;
  /** At most MAX_DECISIONS. */
  readonly decisions: readonly Decision[];
}

/** Who watches. An isolate goes by it until its next flush is answered, `forMs` at most. */
export interface TailOrder {
  readonly listeners: readonly { readonly listener: string; readonly filter: TailFilter }[];
  /** Decisions for each listener with each flush: fewer where there are many isolates. */
  readonly most: number;
  readonly forMs: number;
}

export interface MetricsReply {
  readonly seq: number;
  /** Undefined: nobody watches, or the object is of the release before. */
  readonly tail?: TailOrder;
}

export interface TailRequest {
  readonly v: 1;
  /** Who watches; a name of its own for each. */
  readonly listener: string;
  readonly filter: TailFilter;
  /** `next` of the reply before: what came up to there is not needed any more. */
  readonly after: number;
}

export type TailReply =
  | {
      readonly kind: "heard";
      /** Sorted by time. */
      readonly decisions: readonly Decision[];
      readonly next: number;
      /** Since it began to watch: let through by its filter, and of these not sent, or not kept until they were asked for. */
      readonly matched: number;
      readonly dropped: number;
      /** Isolates heard within the last seconds. */
      readonly edges: number;
    }
  /** So many watch already. */
  | { readonly kind: "full"; readonly listeners: number };

export interface MetricsProtocol {
  flush(batch: MetricsBatch): Promise<MetricsReply>;
  totals(request: { readonly v: 1 }): Promise<Readonly<Record<string, number>>>;
  /** Makes its caller a listener for LISTEN_MS, or renews it, and gives what came for it. Nothing of it is stored. */
  watch(request: TailRequest): Promise<TailReply>;
}
