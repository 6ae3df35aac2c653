/** What edges, coordinators and the admin API say to the Control object. Times are durations, except where a name ends in `AtMs`. */
import type { AdminRecordsProtocol } from "./admin-records.ts";
import type { RecoveryProtocol } from "./recovery.ts";
import type { ArmCounts, Arms, ConfigInForce } from "../policy/rollout/rollout.ts";

/** There is one. */
export const CONTROL_OBJECT = "control";

export type ConfigSource = "deploy" | "apply" | "rollback" | "trial-ended";

/** One entry of the log; nothing in it ever changes. */
export interface ConfigVersionInfo {
  readonly number: number;
  /** Orders configs at coordinators: milliseconds, grows with every version. */
  readonly configVersion: number;
  readonly hash: string;
  readonly source: ConfigSource;
  readonly author: string;
  readonly message: string;
  readonly atMs: number;
  /** The number whose content this is, where it is one that was before. */
  readonly contentOf: number | undefined;
}

/** A trial, as it stands or ended. */
export interface TrialStatus {
  readonly number: number;
  readonly shareRatio: number;
  readonly startedAtMs: number;
  readonly endsAtMs: number;
  readonly arms: Arms;
}

/** A normalised config as it travels and is stored. */
export interface ConfigContent {
  /** Gzipped JSON `{ v: 1, config }`. */
  readonly packed: Uint8Array;
  /** Text of the config file; undefined: the bundle brought none. */
  readonly text: string | undefined;
}

export interface ConfigWrite {
  readonly hash: string;
  readonly packed: Uint8Array;
  readonly text: string;
  readonly author: string;
  readonly message: string;
}

/** Refusals are values: somebody else was faster, a trial is under way, or there is nothing of that number. */
export type ControlRefusal =
  | { readonly kind: "conflict"; readonly inForce: ConfigInForce }
  | { readonly kind: "on-trial"; readonly inForce: ConfigInForce }
  | { readonly kind: "no-trial" }
  | { readonly kind: "unknown-version" };

export type ControlOutcome =
  | { readonly kind: "done"; readonly inForce: ConfigInForce; readonly version: ConfigVersionInfo }
  /** It is what is in force already: nothing was added. */
  | { readonly kind: "same"; readonly inForce: ConfigInForce; readonly version: ConfigVersionInfo }
  | ControlRefusal;

export interface ControlProtocol extends AdminRecordsProtocol, RecoveryProtocol {
  /** What holds. `bundle`: what this isolate was deployed with; `wantsBundle`: it is news, and wanted. */
  inForce(request: {
    readonly v: 1;
    readonly bundle?: { readonly configVersion: number; readonly hash: string };
  }): Promise<{ readonly inForce: ConfigInForce | undefined; readonly wantsBundle: boolean }>;
  /** A deploy's config: in force at once where it is newer than the last deploy and differs from it. */
  adopt(request: {
    readonly v: 1;
    readonly configVersion: number;
    readonly hash: string;
    readonly packed: Uint8Array;
    readonly text: string | undefined;
    readonly originIds: readonly string[];
  }): Promise<{ readonly inForce: ConfigInForce }>;
  /** Undefined: no such version, or its content is no longer kept. */
  read(request: { readonly v: 1; readonly number: number }): Promise<ConfigContent | undefined>;
  /**
   * Adds a version and puts it in force: for everybody, or as a trial. `expected`: the number the writer saw in force;
   * another one is in force: conflict, nothing happens.
   */
  apply(
    request: ConfigWrite & {
      readonly v: 1;
      readonly expected: number;
      readonly originIds: readonly string[];
      readonly trial: { readonly shareRatio: number; readonly forMs: number } | undefined;
      /** Of the audit: that entry is done together with the change. Left out by what is older than the audit. */
      readonly entryId?: number;
    },
  ): Promise<ControlOutcome>;
  /** The content of an earlier version becomes a new version. Ends a trial. */
  rollback(request: {
    readonly v: 1;
    readonly number: number;
    readonly expected: number;
    readonly author: string;
    readonly message: string;
    readonly entryId?: number;
  }): Promise<ControlOutcome>;
  /** By hand, before its time: to everybody, or taken back. */
  endTrial(request: {
    readonly v: 1;
    readonly promote: boolean;
    readonly author: string;
    readonly message: string;
    readonly entryId?: number;
  }): Promise<ControlOutcome>;
  /** What an edge counted since its last report; each number once. The reply says what holds. */
  countTrial(request: {
    readonly v: 1;
    readonly edgeId: string;
    readonly seq: number;
    readonly number: number;
    readonly canary: ArmCounts;
    readonly control: ArmCounts;
  }): Promise<{ readonly seq: number; readonly inForce: ConfigInForce | undefined }>;
  /** The newest first, from `before` (exclusive) on. */
  history(request: { readonly v: 1; readonly before: number | undefined; readonly limit: number }): Promise<{
    readonly inForce: ConfigInForce | undefined;
    readonly trial: TrialStatus | undefined;
    readonly versions: readonly ConfigVersionInfo[];
  }>;
}
