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
  decideAfterAsking,
  endReport,
  isStale,
  mustAsk,
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
import type { MaintenanceVerdict } from "../policy/degradation/maintenance.ts";
import { newRetryBudget, type RetryBudget } from "../policy/forwarding/retry.ts";
import { ORIGIN_REPORT_VERSION, originObjectName, type OriginSettings } from "../protocol/origin.ts";
import { type Series, series } from "../protocol/series.ts";
import type { BreakerPassage, Caller, Exchange } from "./exchange.ts";
import { type MaintenanceCaller, maintenanceOf } from "./maintenance.ts";
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
  /** For whom maintenance is asked about. */
  readonly routeId: string;
  readonly clientIp: string;
}

export type CallSite = Pick<PassRequest, "env" | "waitUntil" | "origin" | "configVersion" | "pop">;

/** `askedAtMs`: the view says how things stood then, or later; undefined: since when is not known. */
type OnView = (view: BreakerView, site: CallSite, askedAtMs?: number) => void;

/** One origin as this isolate sees it. */
export interface OriginSight extends Sight {
  readonly budget: RetryBudget;
  /** Calls under way here that hold a slot, by tenant. */
  readonly byTenant: Map<string, number>;
  /** Requests that wait for the report under way to end. */
  readonly waiting: Set<(told: boolean) => void>;
}

export interface OriginStats {
  reports: number;
  failedReports: number;
  probes: number;
  /** Learnt from a neighbour in the PoP. */
  sharedViews: number;
}

export const siteOf = ({ env, waitUntil, tables, pop }: Exchange, origin: CompiledOrigin): CallSite => ({
  env,
  waitUntil,
  origin,
  configVersion: tables.configVersion,
  pop,
});

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
    originId: origin.id,
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
  readonly #countEvent: (series: Series) => void;
  readonly #beside: OriginViews | undefined;

  constructor(options: {
    readonly edgeId: string;
    readonly now: () => number;
    readonly random: () => number;
    /** Each view that comes brings more than the breaker. */
    readonly onView: OnView;
    readonly countEvent: (series: Series) => void;
    /** Others, of which these know what they know, as copies; then neighbours are told nothing. */
    readonly beside?: OriginViews | undefined;
  }) {
    this.#edgeId = options.edgeId;
    this.#beside = options.beside;
    this.#onView = options.onView;
    this.#countEvent = options.countEvent;
    this.now = options.now;
    this.random = options.random;
  }

  sight(originId: string): OriginSight {
    let sight = this.#sights.get(originId);
    if (sight === undefined) {
      const other = this.#beside === undefined ? undefined : this.#beside.#sights.get(originId);
      sight =
        other === undefined
          ? { ...newSight(this.now()), budget: newRetryBudget(), byTenant: new Map(), waiting: new Set() }
          : copyOf(other);
      this.#sights.set(originId, sight);
    }
    return sight;
  }

  /** As far as known here, nobody but a probe goes there: whoever waits for a call of others waits in vain. */
  isShut(stateId: string): boolean {
    const { view, viewAtMs } = this.sight(stateId);
    const ageMs = this.now() - viewAtMs;
    return view !== undefined && ageMs <= VIEW_USABLE_MS && isShut(view, ageMs);
  }

  /** Synchronous while the view is usable. */
  pass(x: PassRequest): BreakerPassage | Promise<BreakerPassage> {
    const sight = this.sight(x.origin.stateId);
    const asking = this.refreshIfOld(x, x.nowMs);
    if (asking !== undefined) return asking.then(() => this.#passAfterAsking(sight, x));
    const held = this.#heldBack(x, x.nowMs);
    if (held !== undefined) {
      if (isStale(sight, x.nowMs)) this.#scheduleReport(sight, x);
      return held;
    }
    const verdict = decideAfterAsking(sight, this.#passageOf(x, x.nowMs));
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

  #passAfterAsking(sight: OriginSight, x: PassRequest): BreakerPassage | Promise<BreakerPassage> {
    const nowMs = this.now();
    const held = this.#heldBack(x, nowMs);
    return held ?? this.#conclude(sight, decideAfterAsking(sight, this.#passageOf(x, nowMs)), x);
  }

  /** Maintenance comes before the breaker: neither a call nor a probe is spent on it. */
  #heldBack({ origin, routeId, clientIp, caller }: PassRequest, nowMs: number): BreakerPassage | undefined {
    const verdict = this.maintenanceOf(origin, { routeId, clientIp, keyId: caller.keyId }, nowMs);
    return verdict?.kind === "held"
      ? { kind: "refused", retryAfterMs: verdict.retryAfterMs, isMaintenance: true }
      : undefined;
  }

  /** As far as this isolate knows. */
  maintenanceOf({ stateId }: CompiledOrigin, caller: MaintenanceCaller, nowMs: number): MaintenanceVerdict | undefined {
    return maintenanceOf(this.sight(stateId), caller, nowMs);
  }

  /** Refreshes the view behind an answer for which no call is made. */
  keepCurrent(x: Exchange, origin: CompiledOrigin, nowMs: number): void {
    const sight = this.sight(origin.stateId);
    if (isStale(sight, nowMs)) this.#scheduleReport(sight, siteOf(x, origin));
  }

  /** Undefined: the view can be gone by. The promise settles within a deadline, with a newer view or without. */
  refreshIfOld(site: CallSite, nowMs: number): Promise<void> | undefined {
    const sight = this.sight(site.origin.stateId);
    return mustAsk(sight, nowMs) ? this.#refreshFirst(sight, site, nowMs) : undefined;
  }

  async #refreshFirst(sight: OriginSight, site: CallSite, nowMs: number): Promise<void> {
    this.#scheduleReport(sight, site, true);
    const shared = await this.#shared.find(site.pop, site.origin.stateId, nowMs);
    if (shared === undefined) {
      // Out of reach, or slow: the next call to it is not waited for.
      if (mustAsk(sight, this.now()) && !(await reportEnds(sight))) noteUnreachable(sight, this.now());
    } else {
      this.stats.sharedViews++;
      takeView(sight, shared.view, Math.min(shared.atMs, this.now()));
      this.#onView(shared.view, site);
    }
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
    site.waitUntil(this.#report(sight, site, scheduled));
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
      for (const tell of sight.waiting) tell(true);
      if (this.#beside === undefined)
        site.waitUntil(this.#shared.tell(site.pop, site.origin.stateId, { view: answer.view, atMs: nowMs }));
    } catch {
      endReport(sight, turn, undefined, this.now());
      this.stats.failedReports++;
      this.#countEvent(series("weir_breaker_report_failures_total", { origin: site.origin.id }));
      for (const tell of sight.waiting) tell(false);
    }
  }
}

/** But for the report under way, and who waits for it. */
function copyOf(sight: OriginSight): OriginSight {
  const known = structuredClone({ ...sight, waiting: new Set<(told: boolean) => void>() });
  return { ...known, report: undefined, unacknowledged: undefined };
}

/**
 * Waits for the report under way, by a promise and a timer of this request's own: whose report it is may be gone, and who
 * waits is not called any more once it is. False: it brought no view in time.
 */
async function reportEnds(sight: OriginSight): Promise<boolean> {
  if (sight.report === undefined) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, VIEW_DEADLINE_MS, false);
  sight.waiting.add(resolve);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    sight.waiting.delete(resolve);
  }
}
