/** What edges and the admin API say to the Metrics object: counters since the last flush, and decisions for who watches. */
import { hash32 } from "../policy/kernel/hash.ts";
import type { Decision, TailFilter } from "../policy/tail/sample.ts";
import type { MetricsBatch, RouteCounts, TenantTotals } from "../policy/telemetry/counts.ts";

export { OUTCOMES, type Outcome } from "../policy/telemetry/counts.ts";
export type { MetricsBatch, RouteCounts, TenantCounts, TenantTotals } from "../policy/telemetry/counts.ts";

export const METRICS_PROTOCOL_VERSION = 2;

/** Who watches at once, in the world; each costs every isolate a comparison for each request. */
export const MAX_LISTENERS = 8;
/** Decisions that an isolate sends for one listener with one flush. */
export const MAX_DECISIONS = 50;

/** Metrics objects; an isolate flushes to the same one all its life, so that one object knows its batches' numbers. */
export const METRICS_SHARDS = 4;
export const metricsObjectName = (shard: number): string => `metrics:${shard}`;
export const metricsShardOf = (edgeId: string): number => hash32(edgeId) % METRICS_SHARDS;

export interface MetricsFlush {
  readonly v: typeof METRICS_PROTOCOL_VERSION;
  readonly edgeId: string;
  /** Of the isolate's config, so that the Monitor hears of a newer one. */
  readonly configVersion: number;
  /** The object has said that all numbers up to here are stored: it need not wait for them. */
  readonly durable: number;
  /** Those that are not known to be received there, the oldest first; the same one may come again. */
  readonly batches: readonly MetricsBatch[];
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
  /**
   * All numbers up to here are counted; up to `durable` they are stored as well, and need not be kept. Where `received` is
   * less than it was, the object was evicted before it stored: what is above comes again.
   */
  readonly received: number;
  readonly durable: number;
  /** The next flush should wait so long: longer where there are many isolates. */
  readonly flushAfterMs: number;
  /** The Monitor has no settings as new as this isolate's config: send them (`Monitor.configure`). */
  readonly wantsSettings: boolean;
  /** Undefined: nobody watches. */
  readonly tail?: TailOrder;
}

/** Totals since counting began. */
export interface MetricsTotals {
  /** Without tenants: `name{label="value",...}` -> total. */
  readonly series: Readonly<Record<string, number>>;
  readonly routes: readonly RouteCounts[];
  /** The heaviest, each with what it had since it is told apart; `other`: everybody else. */
  readonly tenants: readonly TenantTotals[];
  /** Isolates heard within the last seconds. */
  readonly edges: number;
}

/** Of one Metrics object. */
export interface ShardTotals extends MetricsTotals {
  /** When it began to count, and names that: totals that are lower went back if it is the same, and began anew if not. */
  readonly beganAtMs: number;
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
  flush(flush: MetricsFlush): Promise<MetricsReply>;
  totals(request: { readonly v: 2 }): Promise<ShardTotals>;
  /** Makes its caller a listener for LISTEN_MS, or renews it, and gives what came for it. Nothing of it is stored. */
  watch(request: TailRequest): Promise<TailReply>;
}
