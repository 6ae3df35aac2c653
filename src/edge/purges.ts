/**
 * What this isolate knows of each origin's purges, see `policy/cache/purge`, and how it stays in force everywhere.
 *
 * Knowledge is dated by when the coordinator was asked. Up to FRESH_MS old it is used as it is; then it is asked for
 * behind a request, first in the PoP's cache; reports to the coordinator confirm it for nothing. Older than ASK_FIRST_MS
 * (an isolate that is new, or was idle) nothing stored is served before it has been asked for, for ASK_DEADLINE_MS at
 * most. So a purge is in force everywhere within 5 s, wherever the coordinator can be reached. Where it cannot, what is
 * stored is served all the same, and counted: nobody goes without an answer for the coordinator's sake.
 */
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { endedAt } from "../policy/cache/freshness.ts";
import {
  hearNews,
  indexPurges,
  judgePurges,
  lastHardPurge,
  newPurgeLog,
  newsSince,
  type PurgeIndex,
  type PurgeMode,
  type PurgeNews,
} from "../policy/cache/purge.ts";
import { placeOf } from "../policy/cache/storing.ts";
import type { StoredResponse } from "./cache/response-store.ts";
import { originObjectName } from "../protocol/origin.ts";
import { findSharedPurges, tellSharedPurges } from "./shared-purges.ts";
import { type Series, series } from "../protocol/series.ts";

const FRESH_MS = 2_000;
const ASK_FIRST_MS = 4_500;
/** A round trip to the other side of the world is shorter. With ASK_FIRST_MS it stays below 5 s. */
const ASK_DEADLINE_MS = 400;
/** After nobody answered in time, so long nobody waits for the next one, which is sent all the same. */
const NOT_WAITED_FOR_MS = 5_000;
/** Between two calls, and for how long one is under way at most. */
const CALL_SPACING_MS = 1_000;
/** No reply is overtaken by so much. */
const CLOCK_SET_BACK_MS = 10_000;

export interface PurgeSite {
  readonly env: Env;
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly pop: string;
  readonly originId: string;
}

/** Of one origin. */
export class OriginPurges {
  readonly #log = newPurgeLog();
  #index: PurgeIndex | undefined;
  /** Every purge until then is known, by this isolate's clock. */
  asOfMs = Number.NEGATIVE_INFINITY;
  /** The newest there is, as far as this isolate has heard. */
  heardEpoch = 0;
  calledAtMs = Number.NEGATIVE_INFINITY;
  call: Promise<void> | undefined;
  notWaitedForUntilMs = Number.NEGATIVE_INFINITY;

  get epoch(): number {
    return this.#log.epoch;
  }

  hear(news: PurgeNews, askedAtMs: number): void {
    if (news.epoch !== this.#log.epoch) this.#index = undefined;
    hearNews(this.#log, news, askedAtMs);
    this.heardEpoch = Math.max(this.heardEpoch, news.epoch);
    this.confirm(askedAtMs);
  }

  /** What is known was all there was then. */
  confirm(askedAtMs: number): void {
    // Replies may overtake each other; what lies far ahead is from before the clock was set back.
    if (askedAtMs > this.asOfMs || this.asOfMs - askedAtMs > CLOCK_SET_BACK_MS) this.asOfMs = askedAtMs;
  }

  /** Nothing to do for a request. A clock that was set back makes nothing fresh for ever. */
  isFresh(nowMs: number): boolean {
    const ageMs = nowMs - this.asOfMs;
    return ageMs <= FRESH_MS && ageMs >= 0;
  }

  /** A purge may be in force elsewhere that this isolate could not hear of. */
  mayHaveMissed(nowMs: number): boolean {
    return nowMs - this.asOfMs > ASK_FIRST_MS + ASK_DEADLINE_MS;
  }

  /** All of them, to be told to others. */
  all(askedAtMs: number): PurgeNews {
    return newsSince(this.#log, 0, askedAtMs);
  }

  /** Applies what purges the entry has not met yet. Hard: it is none any more. Undefined: none concerns it. */
  apply(key: string, entry: StoredResponse): PurgeMode | undefined {
    if (entry.purgeEpoch >= this.epoch) return undefined;
    const verdict = judgePurges(this.#indexed(), placeOf(key, entry.tags), entry.purgeEpoch);
    if (verdict?.mode === "hard") return "hard";
    entry.purgeEpoch = this.epoch;
    if (verdict !== undefined) entry.freshness = endedAt(entry.freshness, verdict.endedAtMs);
    return verdict?.mode;
  }

  /** Of the last hard purge there was of what is stored there; 0: none. */
  lastHard(key: string, { tags }: StoredResponse): number {
    return lastHardPurge(this.#indexed(), placeOf(key, tags));
  }

  #indexed(): PurgeIndex {
    return (this.#index ??= indexPurges(this.#log));
  }
}

export interface PurgeStats {
  calls: number;
  failedCalls: number;
  /** Learnt from a neighbour in the PoP. */
  shared: number;
}

export class Purges {
  readonly stats: PurgeStats = { calls: 0, failedCalls: 0, shared: 0 };
  readonly #now: () => number;
  readonly #countEvent: (series: Series) => void;
  /** One for each configured origin: bounded by the config. */
  readonly #origins = new Map<string, OriginPurges>();

  readonly #beside: Purges | undefined;

  constructor(options: {
    readonly now: () => number;
    readonly countEvent: (series: Series) => void;
    /** Others, of which these know what they know; then neighbours are told nothing. */
    readonly beside?: Purges | undefined;
  }) {
    this.#now = options.now;
    this.#beside = options.beside;
    this.#countEvent = options.countEvent;
  }

  of(originId: string): OriginPurges {
    let known = this.#origins.get(originId);
    if (known === undefined) {
      known = new OriginPurges();
      const other = this.#beside === undefined ? undefined : this.#beside.#origins.get(originId);
      if (other !== undefined && Number.isFinite(other.asOfMs)) known.hear(other.all(other.asOfMs), other.asOfMs);
      this.#origins.set(originId, known);
    }
    return known;
  }

  /** A coordinator has named its newest purge; `askedAtMs`: when it was asked, where that is known. */
  hear(site: PurgeSite, epoch: number | undefined, askedAtMs?: number): void {
    if (epoch === undefined) return;
    const known = this.of(site.originId);
    known.heardEpoch = Math.max(known.heardEpoch, epoch);
    if (epoch === known.epoch && askedAtMs !== undefined) known.confirm(askedAtMs);
    else if (epoch > known.epoch) void this.#ask(known, site, this.#now());
  }

  /** Where what is known is not fresh: has it refreshed behind the request. True: `wait` before anything stored is served. */
  refresh(site: PurgeSite, nowMs: number): boolean {
    const known = this.of(site.originId);
    const call = this.#ask(known, site, nowMs);
    if (Math.abs(nowMs - known.asOfMs) <= ASK_FIRST_MS) return false;
    return call !== undefined && nowMs >= known.notWaitedForUntilMs;
  }

  /** For the call under way, ASK_DEADLINE_MS at most. */
  async wait(originId: string): Promise<void> {
    const known = this.of(originId);
    try {
      await withDeadline(known.call ?? Promise.resolve(), ASK_DEADLINE_MS);
    } catch {
      known.notWaitedForUntilMs = this.#now() + NOT_WAITED_FOR_MS;
    }
  }

  /** One at a time, behind the request that occasioned it. Undefined: the last one has just failed. */
  #ask(known: OriginPurges, site: PurgeSite, nowMs: number): Promise<void> | undefined {
    if (Math.abs(nowMs - known.calledAtMs) < CALL_SPACING_MS) return known.call;
    known.calledAtMs = nowMs;
    const call = this.#learn(known, site).finally(() => {
      if (known.call === call) known.call = undefined;
    });
    known.call = call;
    site.waitUntil(call.catch(() => undefined));
    return call;
  }

  async #learn(known: OriginPurges, { env, waitUntil, pop, originId }: PurgeSite): Promise<void> {
    const shared = await findSharedPurges(pop, originId, this.#now());
    if (shared !== undefined && shared.news.epoch >= known.heardEpoch && shared.askedAtMs > known.asOfMs) {
      this.stats.shared++;
      known.hear(shared.news, Math.min(shared.askedAtMs, this.#now()));
      return;
    }
    const askedAtMs = this.#now();
    this.stats.calls++;
    try {
      const asked = callCoordinator(env, "ORIGIN", originObjectName(originId), "purges", { v: 1, since: known.epoch });
      known.hear(await withDeadline(asked, CALL_SPACING_MS), askedAtMs);
      if (this.#beside === undefined)
        waitUntil(tellSharedPurges(pop, originId, { news: known.all(askedAtMs), askedAtMs }));
    } catch (error) {
      this.stats.failedCalls++;
      this.#countEvent(series("weir_purge_calls_failed_total", { origin: originId }));
      throw error;
    }
  }
}
