/** What the admin API says to coordinators to back up what they keep, and to put it back. */
import type { AdminTokenRecord, AuditRecord } from "./admin-records.ts";
import type { ConfigContent, ConfigVersionInfo } from "./control.ts";
import type { ConfigInForce } from "../policy/rollout/rollout.ts";

/** Of one call of a restore. */
export const MAX_LINES_A_CALL = 200;

/**
 * Numbers that grow (of configs, of what is in force, of purges) go on so much later after a restore. So what came in
 * force after the backup was made, and is still remembered by an isolate or a PoP, is never taken for what came after it.
 */
export const RESTORE_GAP = 1_000;

export interface StoredVersion extends ConfigVersionInfo {
  readonly originIds: readonly string[];
}

export interface LastDeploy {
  readonly configVersion: number;
  readonly hash: string;
}

/** A part of a content; `bytes` up to a megabyte. */
export interface ContentChunk {
  readonly number: number;
  readonly kind: "packed" | "text";
  readonly part: number;
  readonly bytes: Uint8Array;
}

export interface StagedInForce {
  readonly number: number;
  readonly sequence: number;
  readonly lastDeploy: LastDeploy | undefined;
}

export interface ConfigsKept {
  readonly inForce: ConfigInForce | undefined;
  readonly lastDeploy: LastDeploy | undefined;
  /** In the order of their numbers, from behind `after` on. */
  readonly versions: readonly (StoredVersion & { readonly hasContent: boolean })[];
}

export type RestoreBegun =
  | { readonly kind: "begun" | "goes-on" | "restored" | "would-begin"; readonly found: readonly string[] }
  /** There is something here already. */
  | { readonly kind: "has-state"; readonly found: readonly string[] };

export type RestoreEnded =
  | { readonly kind: "done"; readonly inForce: ConfigInForce | undefined }
  /** It never began, or another one is under way. */
  | { readonly kind: "not-begun" };

/** The Control object knows which restore is under way; nothing of it holds before its end. */
export interface RecoveryProtocol {
  keptConfigs(request: { readonly v: 1; readonly after: number; readonly limit: number }): Promise<ConfigsKept>;
  /** `found`: what the caller found elsewhere. */
  beginRestore(request: {
    readonly v: 1;
    readonly sha256: string;
    readonly found: readonly string[];
    readonly force: boolean;
    readonly dryRun: boolean;
  }): Promise<RestoreBegun>;
  /** False: this restore is not under way. */
  isRestoring(request: { readonly v: 1; readonly sha256: string }): Promise<boolean>;
  /** Kept beside the log until the end. Giving the same again changes nothing. */
  stageConfigs(request: {
    readonly v: 1;
    readonly versions: readonly StoredVersion[];
    readonly chunks: readonly ContentChunk[];
    readonly inForce: StagedInForce | undefined;
  }): Promise<void>;
  stagedConfig(request: { readonly v: 1 }): Promise<(ConfigContent & { readonly number: number }) | undefined>;
  /** One that is known stays; its end comes, where either says so. False: there are too many. */
  restoreTokens(request: { readonly v: 1; readonly tokens: readonly AdminTokenRecord[] }): Promise<boolean>;
  /** Before all entries that were made here. */
  restoreAudit(request: { readonly v: 1; readonly entries: readonly AuditRecord[] }): Promise<void>;
  /** The log is replaced by the staged one, and what it had in force comes in force under a new number. */
  endRestore(request: {
    readonly v: 1;
    readonly sha256: string;
    readonly author: string;
    readonly message: string;
    /** What this isolate was deployed with: known from now on, so not taken for news. */
    readonly bundle: LastDeploy;
    readonly entryId: number;
  }): Promise<RestoreEnded>;
}
