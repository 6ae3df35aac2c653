/**
 * What this isolate knows of each origin, and its calls to the origin's coordinator. What to decide and when to report is
 * `policy/breaker/sight`; here it meets the runtime. On the closed path nothing waits: reports go out behind requests,
 * and their replies bring the view.
 */
import type { CompiledOrigin } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import {
  beginReport,
  decide,
  decideAfterAsking,
  endReport,
  isStale,
  newSight,
  noteFailure,
  noteSuccess,
  noteUnreachable,
  type PassageRequest,
  refuseProbe,
  REPORT_DEADLINE_MS,
  scheduleReport,
  type Sight,
  type SightVerdict,
  takeView,
  type Turn,
} from "../policy/breaker/sight.ts";
import { type BreakerView, isShut, VIEW_USABLE_MS } from "../policy/breaker/view.ts";
import { LONGEST_PROBE_MS, type ReportedFailure } from "../policy/breaker/types.ts";
import { newRetryBudget, type RetryBudget } from "../policy/forwarding/retry.ts";
import { ORIGIN_REPORT_VERSION, originObjectName, type OriginSettings } from "../protocol/origin.ts";
import type { BreakerPassage, Caller } from "./exchange.ts";
import { SharedViews } from "./shared-views.ts";

const VIEW_DEADLINE_MS = 150;

export interface PassRequest {
  readonly env: Env;
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly nowMs: number;
  readonly origin: CompiledOrigin;
  readonly configVersion: number;
  readonly caller: Caller;
  readonly method: string;
  readonly pop: string;
}

type CallSite = Pick<PassRequest, "env" | "waitUntil" | "origin" | "configVersion" | "pop">;

/** `askedAtMs`: the view says how things stood then, or later; undefined: since when is not known. */
type OnView = (view: BreakerView, site: CallSite, askedAtMs?: number) => void;

/** One origin as this isolate sees it. */
export interface OriginSight extends Sight {
  readonly budget: RetryBudget;
  /** Calls under way here that hold a slot, by tenant. */
  readonly byTenant: Map<string, number>;
  /** The report under way. */
  refreshing: Promise<void> | undefined;
}

export interface OriginStats {
  reports: number;
  failedReports: number;
  probes: number;
  /** Learnt from a neighbour in the PoP. */
  sharedViews: number;
}

/** A probe's call takes no longer, so that its lease outlives it. */
export const probeTimeoutOf = ({ config }: CompiledOrigin): number => Math.min(LONGEST_PROBE_MS, config.tryTimeoutMs);

export function originSettings(origin: CompiledOrigin, configVersion: number): OriginSettings {
  const { config } = origin;
  const { concurrency } = config;
  return {
    configVersion,
    breaker: config.breaker,
    probeUrl: origin.base + origin.pathPrefix + config.probePath,
    probeTimeoutMs: probeTimeoutOf(origin),
    ...(origin.stateId === origin.id ? {} : { onTrial: true as const }),
    ...(concurrency === undefined || concurrency.min === concurrency.max ? {} : { adaptive: concurrency }),
  };
}

export class OriginViews {
  readonly stats: OriginStats = { reports: 0, failedReports: 0, probes: 0, sharedViews: 0 };
  readonly #edgeId: string;
  readonly #shared = new SharedViews();
  readonly now: () => number;
  readonly random: () => number;
  /** One for each configured origin: bounded by the config. */
  readonly #sights = new Map<string, OriginSight>();
  readonly #onView: OnView;

  constructor(options: {
    readonly edgeId: string;
    readonly now: () => number;
    readonly random: () => number;
    /** Each view that comes brings more than the breaker. */
    readonly onView: OnView;
  }) {
    this.#edgeId = options.edgeId;
    this.#onView = options.onView;
    this.now = options.now;
    this.random = options.random;
  }

  sight(originId: string): OriginSight {
    let sight = this.#sights.get(originId);
    if (sight === undefined) {
      const nowMs = this.now();
      sight = {
        ...newSight(nowMs),
        budget: newRetryBudget(),
        byTenant: new Map(),
        refreshing: undefined,
      };
      this.#sights.set(originId, sight);
    }
    return sight;
  }

  /** As far as known here, nobody but a probe goes there: whoever waits for a call of others waits in vain. */
  isShut(originId: string): boolean {
    const { view, viewAtMs } = this.sight(originId);
    const ageMs = this.now() - viewAtMs;
    return view !== undefined && ageMs <= VIEW_USABLE_MS && isShut(view, ageMs);
  }

  /** Synchronous while the view is usable. */
  pass(x: PassRequest): BreakerPassage | Promise<BreakerPassage> {
    const sight = this.sight(x.origin.stateId);
    const verdict = decide(sight, this.#passageOf(x, x.nowMs));
    if (verdict.kind === "ask") return this.#refreshFirst(sight, x);
    // Where a call follows, its outcome is told with the same report.
    if (verdict.kind !== "go" && isStale(sight, x.nowMs)) this.#scheduleReport(sight, x, true);
    return this.#conclude(sight, verdict, x);
  }

  #passageOf(x: PassRequest, nowMs: number): PassageRequest {
    return {
      nowMs,
      // Anonymous callers are each a customer of their own.
      caller: x.caller.tenant.anonymous ? x.caller.principal : x.caller.tenant.id,
      priority: x.caller.tenant.priority,
      mayProbe: x.method === "GET" || x.method === "HEAD",
      probeTimeoutMs: probeTimeoutOf(x.origin),
      random: this.random(),
    };
  }

  #conclude(
    sight: OriginSight,
    verdict: Exclude<SightVerdict, { kind: "ask" }>,
    x: PassRequest,
  ): BreakerPassage | Promise<BreakerPassage> {
    return verdict.kind === "probe" ? this.#askProbe(sight, x) : verdict;
  }

  async #refreshFirst(sight: OriginSight, x: PassRequest): Promise<BreakerPassage> {
    this.#scheduleReport(sight, x, true);
    const shared = await this.#shared.find(x.pop, x.origin.stateId, x.nowMs);
    if (shared === undefined) {
      try {
        await withDeadline(sight.refreshing ?? Promise.resolve(), VIEW_DEADLINE_MS);
      } catch {
        // Out of reach, or slow: the next call to it is not waited for.
        noteUnreachable(sight, this.now());
      }
    } else {
      this.stats.sharedViews++;
      takeView(sight, shared.view, Math.min(shared.atMs, this.now()));
      this.#onView(shared.view, x);
    }
    const verdict = decideAfterAsking(sight, this.#passageOf(x, this.now()));
    return this.#conclude(sight, verdict, x);
  }

  async #askProbe(sight: OriginSight, x: PassRequest): Promise<BreakerPassage> {
    const request = { v: 1 as const, pop: x.pop, timeoutMs: probeTimeoutOf(x.origin) };
    try {
      const asked = callCoordinator(x.env, "ORIGIN", originObjectName(x.origin.stateId), "probe", request);
      const { leaseId, view } = await withDeadline(asked, VIEW_DEADLINE_MS * 2);
      takeView(sight, view, this.now());
      this.#onView(view, x);
      if (leaseId !== undefined) {
        this.stats.probes++;
        return { kind: "probe", leaseId, epoch: view.epoch };
      }
      return refuseProbe(sight, view, this.#passageOf(x, this.now()));
    } catch {
      return refuseProbe(sight, undefined, this.#passageOf(x, this.now()));
    }
  }

  /** The probe's call is over, with whatever outcome. */
  concludeProbe(site: CallSite, lease: { readonly leaseId: string; readonly epoch: number }, succeeded: boolean): void {
    const sight = this.sight(site.origin.stateId);
    const request = { v: 1 as const, pop: site.pop, leaseId: lease.leaseId, epoch: lease.epoch, succeeded };
    const told = callCoordinator(
      site.env,
      "ORIGIN",
      originObjectName(site.origin.stateId),
      "probeResult",
      request,
    ).then(
      ({ view }) => {
        sight.probingUntilMs = 0;
        takeView(sight, view, this.now());
        this.#onView(view, site);
      },
      () => {
        // The lease expires by itself.
        sight.probingUntilMs = 0;
        this.stats.failedReports++;
      },
    );
    site.waitUntil(told);
  }

  /** While `call` lasts it counts as under way, and the world is told. */
  async counted<Result>(site: CallSite, tenantId: string, call: Promise<Result>): Promise<Result> {
    const sight = this.sight(site.origin.stateId);
    const { byTenant } = sight;
    sight.underWay++;
    byTenant.set(tenantId, (byTenant.get(tenantId) ?? 0) + 1);
    this.#scheduleReport(sight, site);
    try {
      return await call;
    } finally {
      sight.underWay--;
      const left = (byTenant.get(tenantId) ?? 1) - 1;
      if (left === 0) byTenant.delete(tenantId);
      else byTenant.set(tenantId, left);
    }
  }

  noteSuccess(sight: OriginSight, epoch: number | undefined, durationMs: number, site: CallSite): void {
    noteSuccess(sight, epoch, durationMs, site.origin.config.breaker, this.now(), this.random());
    this.#scheduleReport(sight, site);
  }

  /** A failure, or a call pending past the early age; each call is noted once. */
  noteFailure(sight: OriginSight, epoch: number | undefined, kind: ReportedFailure, site: CallSite): void {
    noteFailure(sight, epoch, kind, site.origin.config.breaker, this.now(), this.random());
    this.#scheduleReport(sight, site);
  }

  /** One at a time for each origin, behind the request that occasioned it. */
  #scheduleReport(sight: OriginSight, site: CallSite, waitedFor = false): void {
    const scheduled = scheduleReport(sight, this.now(), waitedFor);
    if (scheduled === undefined) return;
    const sent = this.#report(sight, site, scheduled);
    sight.refreshing = sent;
    site.waitUntil(sent.catch(() => undefined));
  }

  async #report(sight: OriginSight, site: CallSite, { turn, delayMs }: Turn): Promise<void> {
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    const batch = beginReport(sight, turn, this.now());
    if (batch === undefined) return;
    const report = {
      v: ORIGIN_REPORT_VERSION,
      edgeId: this.#edgeId,
      pop: site.pop,
      settings: originSettings(site.origin, site.configVersion),
      ...batch,
    } as const;
    this.stats.reports++;
    const askedAtMs = this.now();
    try {
      const call = callCoordinator(site.env, "ORIGIN", originObjectName(site.origin.stateId), "report", report);
      const answer = await withDeadline(call, REPORT_DEADLINE_MS);
      const nowMs = this.now();
      this.#onView(answer.view, site, askedAtMs);
      // What happened meanwhile waits for no further occasion.
      if (endReport(sight, turn, answer, nowMs)) this.#scheduleReport(sight, site);
      site.waitUntil(this.#shared.tell(site.pop, site.origin.stateId, { view: answer.view, atMs: nowMs }));
    } catch (error) {
      endReport(sight, turn, undefined, this.now());
      this.stats.failedReports++;
      throw error;
    }
  }
}
