/**
 * The control plane's one object: the log of configs, and which of them holds. A change is durable before its reply; the
 * Origin objects are then told by alarm, until each has heard it, and their views tell the edges. No request of the data
 * plane waits for this object.
 */
import type { Env } from "../../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../../platform/coordinators.ts";
import { backoff } from "../../policy/kernel/backoff.ts";
import { addCounts, type ConfigInForce, judgeTrial, NO_COUNTS, onTrial } from "../../policy/rollout/rollout.ts";
import type {
  ConfigContent,
  ConfigVersionInfo,
  ControlOutcome,
  ControlProtocol,
  TrialStatus,
} from "../../protocol/control.ts";
import { originObjectName } from "../../protocol/origin.ts";
import {
  type LastDeploy,
  type RestoreEnded,
  RESTORE_GAP,
  type StagedInForce,
  type StoredVersion,
} from "../../protocol/recovery.ts";
import type { ConfigLog, StoredTrial } from "./config-log.ts";
import { Recovery } from "./recovery.ts";
import { checkArm, checkContent, checkTrial } from "./request-checks.ts";

type Request<Method extends keyof ControlProtocol> = Parameters<ControlProtocol[Method]>[0];

const MAX_AUTHOR_LENGTH = 100;
const MAX_MESSAGE_LENGTH = 500;
const PUSH_DEADLINE_MS = 2_000;
const PUSH_RETRY_MS = 500;
const PUSH_RETRY_MAX_MS = 30_000;
/** A trial in overtime is looked at so often without being told. */
const OVERTIME_LOOK_MS = 600_000;

/** What a new version is to become. */
interface Draft {
  readonly source: StoredVersion["source"];
  readonly author: string;
  readonly message: string;
  readonly hash: string;
  readonly originIds: readonly string[];
  readonly contentOf: number | undefined;
  readonly content: ConfigContent | undefined;
  readonly trial: { readonly shareRatio: number; readonly forMs: number } | undefined;
  /** Default: the next. */
  readonly number?: number;
}

interface Change {
  /** The number that the writer saw in force. */
  readonly expected: number;
  readonly refusedOnTrial: boolean;
  /** Of the audit. */
  readonly entryId: number | undefined;
}

export class Control extends Recovery implements ControlProtocol {
  readonly #log: ConfigLog;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#log = this.log;
  }

  async inForce({ bundle }: Request<"inForce">): ReturnType<ControlProtocol["inForce"]> {
    return { inForce: this.#log.inForce(), wantsBundle: bundle !== undefined && this.#isNews(bundle) };
  }

  async adopt(request: Request<"adopt">): Promise<{ readonly inForce: ConfigInForce }> {
    const { configVersion, hash, packed, text, originIds } = request;
    checkContent(packed, text ?? "", originIds);
    const known = this.#log.inForce();
    if (known !== undefined && !this.#isNews({ configVersion, hash })) return { inForce: known };
    const draft: Draft = {
      source: "deploy",
      author: "deploy",
      message: "",
      hash,
      originIds,
      contentOf: undefined,
      content: { packed, text },
      trial: undefined,
    };
    const inForce = this.#turn((nowMs) => {
      const { hash: before } = (known === undefined ? undefined : this.#log.version(known.number)) ?? {};
      this.#log.setLastDeploy({ configVersion, hash });
      // The same content was applied by hand before: nothing changes.
      if (known !== undefined && before === hash) return known;
      return this.#add(draft, nowMs, configVersion).inForce;
    });
    await this.#setAlarm();
    return { inForce };
  }

  async read({ number }: Request<"read">): Promise<ConfigContent | undefined> {
    return this.#log.content(number);
  }

  async apply(request: Request<"apply">): Promise<ControlOutcome> {
    const { expected, hash, packed, text, author, message, originIds, trial, entryId } = request;
    checkContent(packed, text, originIds);
    if (trial !== undefined) checkTrial(trial);
    return this.#change({ expected, refusedOnTrial: true, entryId }, (inForce) => {
      const stands = inForce === undefined ? undefined : this.#log.version(inForce.number);
      if (inForce !== undefined && stands?.hash === hash) return { kind: "same", inForce, version: infoOf(stands) };
      const content = { packed, text };
      // The first of all has nothing to be tried against.
      return {
        source: "apply",
        author,
        message,
        hash,
        originIds,
        contentOf: undefined,
        content,
        trial: inForce && trial,
      };
    });
  }

  async rollback({ number, expected, author, message, entryId }: Request<"rollback">): Promise<ControlOutcome> {
    return this.#change({ expected, refusedOnTrial: false, entryId }, (inForce) => {
      const version = this.#log.version(number);
      if (version === undefined || !this.#log.hasContent(number)) return { kind: "unknown-version" };
      if (
        inForce !== undefined &&
        inForce.canary === undefined &&
        this.#log.version(inForce.number)?.hash === version.hash
      ) {
        return { kind: "same", inForce, version: infoOf(this.#log.version(inForce.number) ?? version) };
      }
      const { hash, originIds } = version;
      return {
        source: "rollback",
        author,
        message,
        hash,
        originIds,
        contentOf: number,
        content: undefined,
        trial: undefined,
      };
    });
  }

  async endTrial({ promote, author, message, entryId }: Request<"endTrial">): Promise<ControlOutcome> {
    const trial = this.#log.trial();
    if (trial === undefined) return { kind: "no-trial" };
    const outcome = this.#turn((nowMs) => {
      this.markDone(entryId);
      return this.#endTrial(trial, promote, author, message, nowMs);
    });
    await this.#setAlarm();
    return outcome;
  }

  async countTrial(request: Request<"countTrial">): ReturnType<ControlProtocol["countTrial"]> {
    const { edgeId, seq, number, canary, control } = request;
    checkArm(canary);
    checkArm(control);
    const trial = this.#log.trial();
    if (trial?.number === number && edgeId.length <= 100) {
      this.#turn((nowMs) => {
        if (!this.#log.hearTrialEdge(edgeId, seq, nowMs)) return;
        const counted = {
          ...trial,
          canary: addCounts(trial.canary, canary),
          control: addCounts(trial.control, control),
        };
        this.#log.setTrial(counted);
        this.#judge(counted, nowMs);
      });
      await this.#setAlarm();
    }
    return { seq, inForce: this.#log.inForce() };
  }

  async history({ before, limit }: Request<"history">): ReturnType<ControlProtocol["history"]> {
    const trial = this.#log.trial();
    return {
      inForce: this.#log.inForce(),
      trial: trial === undefined ? undefined : statusOf(trial),
      versions: this.#log.versions(before, Math.min(100, Math.max(1, limit))).map(infoOf),
    };
  }

  async endRestore({ sha256, author, message, bundle, entryId }: Request<"endRestore">): Promise<RestoreEnded> {
    const restore = this.restoreState();
    if (restore?.sha256 !== sha256) return { kind: "not-begun" };
    if (restore.state === "under-way") {
      this.#turn((nowMs) => {
        this.markDone(entryId);
        if (restore.inForce !== undefined) this.#takeStaged(restore.inForce, bundle, { author, message }, nowMs);
        this.finishRestore(restore, nowMs);
      });
      await this.#setAlarm();
    }
    return { kind: "done", inForce: this.#log.inForce() };
  }

  /** Part of a turn. Of deploys the newest counts, wherever it is known from, so that an old one is not taken for news. */
  #takeStaged(
    staged: StagedInForce,
    bundle: LastDeploy,
    { author, message }: { readonly author: string; readonly message: string },
    nowMs: number,
  ): void {
    const before = this.#log.inForce();
    const newest = this.#log.newest();
    const told = before === undefined ? [] : [before.number, before.canary?.number ?? 0];
    const lost = told.flatMap((number) => this.#originIdsOf(number));
    if (!this.#log.takeStaged(staged))
      throw new RangeError("control request refused: the backup's config is not whole");
    const restored = this.#log.version(staged.number);
    if (restored === undefined) throw new RangeError("control request refused: the backup's config is not in its log");
    const deploys = [this.#log.lastDeploy(), staged.lastDeploy, bundle].flatMap((deploy) => deploy ?? []);
    this.#log.setLastDeploy(deploys.reduce((a, b) => (b.configVersion > a.configVersion ? b : a)));
    const sequence = Math.max(before?.sequence ?? 0, staged.sequence) + RESTORE_GAP;
    this.#log.setInForce({ sequence, number: staged.number });
    const number = Math.max(newest?.number ?? 0, this.#log.newest()?.number ?? 0) + RESTORE_GAP;
    const { hash, originIds } = restored;
    const from = { contentOf: staged.number, content: undefined, trial: undefined };
    this.#add(
      { source: "rollback", author, message, hash, originIds, ...from, number },
      nowMs,
      Math.max(nowMs, (newest?.configVersion ?? 0) + 1),
    );
    this.#log.addPushes(new Set([...lost, ...lost.map(onTrial)]));
  }

  /** Tells the origins, and ends trials that are due. */
  override async alarm(): Promise<void> {
    const trial = this.#log.trial();
    if (trial !== undefined) {
      this.#turn((nowMs) => {
        this.#judge(trial, nowMs);
      });
    }
    const inForce = this.#log.inForce();
    if (inForce !== undefined)
      await Promise.all(this.#log.pushes().map(({ originId }) => this.#push(originId, inForce)));
    await this.#setAlarm();
  }

  async #push(originId: string, inForce: ConfigInForce): Promise<void> {
    try {
      const call = callCoordinator(this.env, "ORIGIN", originObjectName(originId), "configInForce", { v: 1, inForce });
      await withDeadline(call, PUSH_DEADLINE_MS);
      // Something newer came in force meanwhile: told by the next alarm.
      if (this.#log.inForce()?.sequence === inForce.sequence) this.#log.endPush(originId);
    } catch {
      // Tried again by alarm; until then edges learn it when they ask by themselves.
      this.#log.failPush(originId);
    }
  }

  /** The next push or look at the trial. Pushes that failed wait longer each time. */
  async #setAlarm(): Promise<void> {
    const nowMs = Date.now();
    const pushes = this.#log.pushes();
    const trial = this.#log.trial();
    const dueMs = [
      ...pushes.map(({ attempts }) => nowMs + backoff(attempts, PUSH_RETRY_MS, PUSH_RETRY_MAX_MS)),
      ...(trial === undefined ? [] : [trial.endsAtMs > nowMs ? trial.endsAtMs : nowMs + OVERTIME_LOOK_MS]),
    ];
    if (dueMs.length === 0) return;
    const atMs = Math.min(...dueMs);
    const setMs = await this.ctx.storage.getAlarm();
    if (setMs === null || setMs > atMs) await this.ctx.storage.setAlarm(atMs);
  }

  #isNews({ configVersion, hash }: { readonly configVersion: number; readonly hash: string }): boolean {
    const last = this.#log.lastDeploy();
    return last === undefined || (configVersion > last.configVersion && hash !== last.hash);
  }

  /** `draft` decides what becomes of it, or that nothing does. */
  async #change(
    { expected, refusedOnTrial, entryId }: Change,
    draft: (inForce: ConfigInForce | undefined) => Draft | ControlOutcome,
  ): Promise<ControlOutcome> {
    const inForce = this.#log.inForce();
    if (inForce !== undefined && inForce.number !== expected) return { kind: "conflict", inForce };
    if (inForce?.canary !== undefined && refusedOnTrial) return { kind: "on-trial", inForce };
    const drafted = draft(inForce);
    if ("kind" in drafted) return drafted;
    const outcome = this.#turn((nowMs) => {
      this.markDone(entryId);
      return this.#add(drafted, nowMs, nowMs);
    });
    await this.#setAlarm();
    return outcome;
  }

  #add(draft: Draft, nowMs: number, leastVersion: number): Extract<ControlOutcome, { kind: "done" }> {
    const { source, author, message, hash, originIds, contentOf, content, trial } = draft;
    const newest = this.#log.newest();
    const before = this.#log.inForce();
    const version: StoredVersion = {
      number: draft.number ?? (newest?.number ?? 0) + 1,
      configVersion: Math.max(leastVersion, (newest?.configVersion ?? 0) + 1),
      hash,
      source,
      author: author.slice(0, MAX_AUTHOR_LENGTH),
      message: message.slice(0, MAX_MESSAGE_LENGTH),
      atMs: nowMs,
      contentOf,
      originIds,
    };
    const { number } = version;
    const sequence = (before?.sequence ?? 0) + 1;
    const inForce: ConfigInForce =
      trial === undefined || before === undefined
        ? { sequence, number }
        : { sequence, number: before.number, canary: { number, shareRatio: trial.shareRatio } };
    this.#log.add(
      version,
      content,
      before === undefined ? [number] : [number, before.number, before.canary?.number ?? 0],
    );
    this.#log.setTrial(
      inForce.canary === undefined || trial === undefined
        ? undefined
        : {
            number,
            shareRatio: trial.shareRatio,
            startedAtMs: nowMs,
            endsAtMs: nowMs + trial.forMs,
            canary: NO_COUNTS,
            control: NO_COUNTS,
          },
    );
    this.#putInForce(inForce, before, originIds);
    return { kind: "done", inForce, version: infoOf(version) };
  }

  /** Those who lose the config hear of it, too; so do the objects that a trial's origins have beside the others'. */
  #putInForce(inForce: ConfigInForce, before: ConfigInForce | undefined, originIds: readonly string[]): void {
    this.#log.setInForce(inForce);
    const lost = before === undefined ? [] : this.#originIdsOf(before.number);
    const tried = before?.canary === undefined ? [] : this.#originIdsOf(before.canary.number);
    this.#log.addPushes(new Set([...originIds, ...lost, ...tried, ...tried.map(onTrial)]));
  }

  #originIdsOf(number: number): readonly string[] {
    return this.#log.version(number)?.originIds ?? [];
  }

  #judge(trial: StoredTrial, nowMs: number): void {
    const verdict = judgeTrial(trial, trial, nowMs);
    if (verdict.kind === "go-on") return;
    const message = verdict.kind === "take-back" ? `taken back: ${verdict.reason}` : "the trial went well";
    this.#endTrial(trial, verdict.kind === "complete", "weir", message, nowMs);
  }

  /**
   * To everybody, or taken back. What is taken back is followed by the content before under a new number, so that
   * coordinators, who take the newest they hear of, let go of it.
   */
  #endTrial(trial: StoredTrial, promote: boolean, author: string, message: string, nowMs: number): ControlOutcome {
    const before = this.#log.inForce();
    const number = promote ? trial.number : before?.number;
    const version = number === undefined ? undefined : this.#log.version(number);
    if (before === undefined || number === undefined || version === undefined) return { kind: "unknown-version" };
    if (promote) {
      const inForce = { sequence: before.sequence + 1, number };
      this.#log.setTrial(undefined);
      this.#putInForce(inForce, before, version.originIds);
      return { kind: "done", inForce, version: infoOf(version) };
    }
    const { hash, originIds } = version;
    const content = undefined;
    const draft: Draft = {
      source: "trial-ended",
      author,
      message,
      hash,
      originIds,
      contentOf: number,
      content,
      trial: undefined,
    };
    return this.#add(draft, nowMs, nowMs);
  }

  #turn<Reply>(decide: (nowMs: number) => Reply): Reply {
    // Everything is read from the tables, so there is no memory to put back.
    return this.ctx.storage.transactionSync(() => decide(Date.now()));
  }
}

function infoOf({ originIds: _known, ...info }: StoredVersion): ConfigVersionInfo {
  return info;
}

function statusOf({ number, shareRatio, startedAtMs, endsAtMs, canary, control }: StoredTrial): TrialStatus {
  return { number, shareRatio, startedAtMs, endsAtMs, arms: { canary, control } };
}
