/**
 * The part of the Control object that backs its state up and takes a backup back. A restore is staged beside what holds:
 * one that is cut off has changed no config, and goes on when the same backup is given again.
 */
import type { Env } from "../../platform/bindings.ts";
import type { ConfigContent } from "../../protocol/control.ts";
import type { ConfigsKept, RecoveryProtocol, RestoreBegun } from "../../protocol/recovery.ts";
import { AdminRecords } from "./admin-records.ts";
import { ConfigLog } from "./config-log.ts";
import { type RestoreState, RestoreTable } from "./restore-table.ts";

type Request<Method extends keyof RecoveryProtocol> = Parameters<RecoveryProtocol[Method]>[0];

const MAX_PAGE = 100;
const MAX_STAGED_AT_ONCE = 200;

export class Recovery extends AdminRecords {
  protected readonly log: ConfigLog;
  readonly #restore: RestoreTable;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.log = new ConfigLog(state.storage);
    this.#restore = new RestoreTable(state.storage);
  }

  async keptConfigs({ after, limit }: Request<"keptConfigs">): Promise<ConfigsKept> {
    const versions = this.log.versionsAfter(after, Math.min(MAX_PAGE, Math.max(1, limit)));
    return {
      inForce: this.log.inForce(),
      lastDeploy: this.log.lastDeploy(),
      versions: versions.map((version) => ({ ...version, hasContent: this.log.hasContent(version.number) })),
    };
  }

  async beginRestore({ sha256, found, force, dryRun }: Request<"beginRestore">): Promise<RestoreBegun> {
    const known = this.#restore.read();
    const here = [...this.#found(), ...found];
    if (known?.sha256 === sha256 && !force) {
      return { kind: known.state === "under-way" ? "goes-on" : "restored", found: here };
    }
    if (here.length > 0 && !force) return { kind: "has-state", found: here };
    if (dryRun) return { kind: "would-begin", found: here };
    this.ctx.storage.transactionSync(() => {
      this.log.clearStaged();
      this.#restore.write({ sha256, state: "under-way", atMs: Date.now(), inForce: undefined });
    });
    return { kind: "begun", found: here };
  }

  /** What is no matter of a deploy alone. */
  #found(): string[] {
    const under = this.#restore.read()?.state === "under-way" ? ["a restore of another backup that did not end"] : [];
    const configs = this.log.hasChanges() ? ["configs that were applied"] : [];
    return [...under, ...configs, ...(this.tokenCount() > 0 ? ["tokens of the admin API"] : [])];
  }

  async isRestoring({ sha256 }: Request<"isRestoring">): Promise<boolean> {
    const state = this.#restore.read();
    return state?.sha256 === sha256 && state.state === "under-way";
  }

  async stageConfigs({ versions, chunks, inForce }: Request<"stageConfigs">): Promise<void> {
    if (versions.length + chunks.length > MAX_STAGED_AT_ONCE) throw new RangeError("control request refused: too much");
    this.ctx.storage.transactionSync(() => {
      this.log.stage(versions, chunks);
      if (!this.log.fitsStaged()) throw new RangeError("control request refused: more than a log holds");
      const state = this.#restore.read();
      if (inForce !== undefined && state !== undefined) this.#restore.write({ ...state, inForce });
    });
  }

  async stagedConfig(): Promise<(ConfigContent & { readonly number: number }) | undefined> {
    const number = this.#restore.read()?.inForce?.number;
    const content = number === undefined ? undefined : this.log.stagedContent(number);
    return content === undefined || number === undefined ? undefined : { ...content, number };
  }

  protected restoreState(): RestoreState | undefined {
    return this.#restore.read();
  }

  /** Part of a turn. */
  protected finishRestore(state: RestoreState, nowMs: number): void {
    this.log.clearStaged();
    this.#restore.write({ ...state, state: "done", atMs: nowMs });
  }
}
