/** What edges and the admin API say to an Origin object. Times are durations, except where a name ends in `AtMs`. */
import type { AdaptiveBounds } from "../policy/forwarding/adaptive-limit.ts";
import type { Forced, Transition } from "../policy/breaker/state-machine.ts";
import type { BreakerSettings, Outcomes, ReportedFailure } from "../policy/breaker/types.ts";
import type { BreakerView } from "../policy/breaker/view.ts";
import type { Purge, PurgeMode, PurgeNews, PurgeTarget } from "../policy/cache/purge.ts";
import type { SnapshotVerdict } from "../policy/cache/snapshot.ts";
import type { ConfigInForce } from "../policy/rollout/rollout.ts";
import type { Maintenance, Placed } from "../policy/degradation/maintenance.ts";

export const ORIGIN_REPORT_VERSION = 2;

/** Name of the object that an origin's coordinator is. */
export function originObjectName(originId: string): string {
  return `origin:${originId}`;
}

/** What an edge knows of the origin's config; the newest version heard is kept. */
export interface OriginSettings {
  /** Its id, which the object needs to speak of it; undefined: an isolate of the release before. */
  readonly originId?: string;
  readonly configVersion: number;
  readonly breaker: BreakerSettings;
  readonly probeUrl: string;
  readonly probeTimeoutMs: number;
  /** It is on trial: when no config is any more, its object rests. */
  readonly onTrial?: true;
  /** Its concurrency follows its latency between these; undefined: it does not. */
  readonly adaptive?: AdaptiveBounds;
}

export interface OriginReport {
  readonly v: typeof ORIGIN_REPORT_VERSION;
  readonly edgeId: string;
  /** Grows by one with each new report of this edge; a repeated number is counted once. */
  readonly seq: number;
  readonly pop: string;
  /** Epoch of the view under which the calls were made. */
  readonly epoch: number;
  /** Of calls, by their age; a late call counts as a failure, and as a success when it is answered after all. */
  readonly outcomes: readonly Outcomes[];
  /** The same failures by kind. */
  readonly failures: Readonly<Partial<Record<ReportedFailure, number>>>;
  /** Answered calls, by bucket of the latency histogram. */
  readonly latencies: readonly number[];
  /** Together they took so long. */
  readonly latencyTotalMs: number;
  /** Calls under way now, of an origin whose calls are counted. */
  readonly underWay: number;
  readonly settings: OriginSettings;
}

/** What the release before reported. */
export interface OriginReportBefore extends Omit<
  OriginReport,
  "v" | "outcomes" | "latencies" | "latencyTotalMs" | "underWay"
> {
  readonly v: 1;
  readonly successes: number;
}

export interface OriginStatus {
  readonly view: BreakerView | undefined;
  readonly forced: Forced | undefined;
  readonly score: number;
  readonly outstandingProbes: number;
  readonly pops: number;
  /** What was reported since the object began: successes, and failures by kind. */
  readonly counts: Readonly<Partial<Record<ReportedFailure | "success", number>>>;
  readonly history: readonly Transition[];
  /** How often it changed since the object began; at most MAX_TRANSITION_KINDS. */
  readonly transitions: readonly TransitionCount[];
  /** What the Monitor is to hear of it. */
  readonly news: BreakerNewsCounts;
}

/** States as in Transition. `reason` is one of few words, never what a hand gave: "forced" or "reset" then. */
export interface TransitionCount {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly count: number;
}

export const MAX_TRANSITION_KINDS = 100;

export interface BreakerNewsCounts {
  readonly waiting: number;
  /** The Monitor was away for so long that the oldest made room. */
  readonly dropped: number;
  /** Tries that failed, since the object was loaded. */
  readonly failures: number;
}

export interface OriginLook {
  readonly view: BreakerView;
  readonly score: number;
  /** A probe that is asked for now is given. */
  readonly givesProbe: boolean;
}

export interface MaintenanceAsked extends Pick<Maintenance, "routeId" | "allow" | "pageOnly" | "reason" | "by"> {
  readonly startInMs: number;
  /** From its start. */
  readonly forMs: number;
}

export interface PurgeRecord extends Purge {
  readonly reason: string;
  readonly by: string;
}

export interface OriginProtocol {
  report(report: OriginReport | OriginReportBefore): Promise<{ readonly seq: number; readonly view: BreakerView }>;
  probe(request: {
    readonly v: 1;
    readonly pop: string;
    readonly timeoutMs: number;
  }): Promise<{ readonly leaseId: string | undefined; readonly view: BreakerView }>;
  probeResult(request: {
    readonly v: 1;
    readonly pop: string;
    readonly leaseId: string;
    readonly epoch: number;
    readonly succeeded: boolean;
  }): Promise<{ readonly view: BreakerView }>;
  /** Names are hashes of cache keys: of the URL, and of its variant. */
  snapshot(request: {
    readonly v: 1;
    readonly url: string;
    readonly variant: string;
    readonly fingerprint: string;
    readonly intervalMs: number;
  }): Promise<SnapshotVerdict>;
  /** All variants of a URL. */
  retireSnapshot(request: { readonly v: 1; readonly url: string }): Promise<{ readonly variants: readonly string[] }>;
  hasSnapshot(request: {
    readonly v: 1;
    readonly url: string;
    /** The newest purge that the edge knows of. */
    readonly purgesSince?: number;
  }): Promise<{
    readonly stands: boolean;
    /** What it has missed; undefined: it did not ask, or the coordinator is of the release before. */
    readonly purges?: PurgeNews;
  }>;
  purge(request: {
    readonly v: 1;
    readonly target: PurgeTarget;
    readonly mode: PurgeMode;
    readonly reason: string;
    readonly by: string;
  }): Promise<{ readonly epoch: number }>;
  /** `since`: the newest that the edge knows of; 0: none. */
  purges(request: { readonly v: 1; readonly since: number }): Promise<PurgeNews>;
  /** Those that are remembered, the newest last. */
  /** After a restore: everything that was stored before counts as purged, and epochs go on from there. */
  widenPurges(request: { readonly v: 1; readonly epoch: number }): Promise<void>;
  listPurges(request: { readonly v: 1 }): Promise<{ readonly epoch: number; readonly purges: readonly PurgeRecord[] }>;
  status(request: { readonly v: 1 }): Promise<OriginStatus>;
  /** What a report, or a call for a probe, would bring; nothing is noted, and no probe is given away. */
  look(request: { readonly v: 1; readonly pop: string; readonly settings: OriginSettings }): Promise<OriginLook>;
  /** Told by the Control object; rides on every view from now on. An older one is ignored. */
  configInForce(request: { readonly v: 1; readonly inForce: ConfigInForce }): Promise<void>;
  /** Takes the place of what was set for the same route, or the whole origin. */
  placeMaintenance(request: { readonly v: 1; readonly asked: MaintenanceAsked }): Promise<Placed>;
  /** False: there was none. */
  endMaintenance(request: {
    readonly v: 1;
    readonly routeId: string | undefined;
  }): Promise<{ readonly ended: boolean }>;
  /** In force, and to come. */
  listMaintenance(request: { readonly v: 1 }): Promise<{ readonly all: readonly Maintenance[] }>;
  force(request: {
    readonly v: 1;
    readonly settings: OriginSettings;
    readonly state: "open" | "closed";
    readonly reason: string;
    readonly by: string;
    readonly forMs: number;
  }): Promise<OriginStatus>;
  reset(request: {
    readonly v: 1;
    readonly settings: OriginSettings;
    readonly reason: string;
    readonly by: string;
  }): Promise<OriginStatus>;
}
