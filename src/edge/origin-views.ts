/**
 * What this isolate knows of each origin: its copy of the breaker, calls under way, outcomes not yet reported, the retry
 * budget. On the closed path nothing waits: reports go out behind requests, at most one each 100 ms after a failure and
 * one a second otherwise, and their replies bring the view.
 */
import type { CompiledOrigin } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { type LocalBreaker, observeLocally } from "../policy/breaker/local.ts";
import type { FailureKind } from "../policy/breaker/types.ts";
import { type BreakerView, judge, VIEW_FRESH_MS, VIEW_KEPT_OPEN_MS, VIEW_USABLE_MS } from "../policy/breaker/view.ts";
import { newRetryBudget, type RetryBudget } from "../policy/forwarding/retry.ts";
import { ORIGIN_PROTOCOL_VERSION, type OriginReport, type OriginSettings } from "../protocol/origin.ts";
import type { BreakerPassage } from "./exchange.ts";

const VIEW_DEADLINE_MS = 150;
/** A report that was not answered by then is sent again with the next one's occasion. */
const REPORT_DEADLINE_MS = 2_000;
const REPORT_SPACING_MS = 100;
/** After a failed call to the coordinator nobody waits for it for so long. */
const UNREACHABLE_FOR_MS = 1_000;
const NO_RETRY_AFTER_MS = 1_000;

export interface PassRequest {
  readonly env: Env;
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly nowMs: number;
  readonly origin: CompiledOrigin;
  readonly configVersion: number;
  readonly tenantId: string;
  readonly method: string;
  readonly pop: string;
}

type CallSite = Pick<PassRequest, "env" | "waitUntil" | "origin" | "configVersion" | "pop">;

/** One origin as this isolate sees it. */
export interface OriginSight {
  view: BreakerView | undefined;
  viewAtMs: number;
  readonly local: LocalBreaker;
  readonly budget: RetryBudget;
  inFlight: number;
  successes: number;
  failures: Partial<Record<FailureKind | "late", number>>;
  seq: number;
  unacknowledged: OriginReport | undefined;
  reportScheduled: boolean;
  reportedAtMs: number;
  refreshing: Promise<void> | undefined;
  /** This isolate's probe lease is asked for, or out, until then. */
  probingUntilMs: number;
  unreachableUntilMs: number;
}

export interface OriginStats {
  reports: number;
  failedReports: number;
  probes: number;
  localDecisions: number;
}

export function originObjectName(originId: string): string {
  return `origin:${originId}`;
}

export function originSettings(origin: CompiledOrigin, configVersion: number): OriginSettings {
  const { config } = origin;
  return {
    configVersion,
    breaker: config.breaker,
    probeUrl: origin.base + origin.pathPrefix + config.probePath,
    probeTimeoutMs: config.tryTimeoutMs,
  };
}

export class OriginViews {
  readonly stats: OriginStats = { reports: 0, failedReports: 0, probes: 0, localDecisions: 0 };
  readonly #edgeId: string;
  readonly now: () => number;
  readonly random: () => number;
  /** One for each configured origin: bounded by the config. */
  readonly #sights = new Map<string, OriginSight>();

  constructor(options: { readonly edgeId: string; readonly now: () => number; readonly random: () => number }) {
    this.#edgeId = options.edgeId;
    this.now = options.now;
    this.random = options.random;
  }

  sight(originId: string): OriginSight {
    let sight = this.#sights.get(originId);
    if (sight === undefined) {
      const nowMs = this.now();
      sight = {
        view: undefined,
        viewAtMs: Number.NEGATIVE_INFINITY,
        local: { score: 0, openUntilMs: 0 },
        budget: newRetryBudget(nowMs),
        inFlight: 0,
        successes: 0,
        failures: {},
        seq: 0,
        unacknowledged: undefined,
        reportScheduled: false,
        reportedAtMs: 0,
        refreshing: undefined,
        probingUntilMs: 0,
        unreachableUntilMs: 0,
      };
      this.#sights.set(originId, sight);
    }
    return sight;
  }

  /** Synchronous while the view is usable. */
  pass(x: PassRequest): BreakerPassage | Promise<BreakerPassage> {
    const sight = this.sight(x.origin.id);
    const ageMs = x.nowMs - sight.viewAtMs;
    if (ageMs > VIEW_FRESH_MS) this.#scheduleReport(sight, x, 0);
    if (sight.view !== undefined && ageMs <= VIEW_USABLE_MS) return this.#judge(sight, sight.view, ageMs, x);
    if (x.nowMs < sight.unreachableUntilMs) return this.#withoutCoordinator(sight, x);
    return this.#refreshFirst(sight, x);
  }

  async #refreshFirst(sight: OriginSight, x: PassRequest): Promise<BreakerPassage> {
    try {
      await withDeadline(sight.refreshing ?? Promise.resolve(), VIEW_DEADLINE_MS);
    } catch {
      // Out of reach, or slow: the next call to it is not waited for.
      sight.unreachableUntilMs = this.now() + UNREACHABLE_FOR_MS;
    }
    const nowMs = this.now();
    const ageMs = nowMs - sight.viewAtMs;
    const later = { ...x, nowMs };
    return sight.view !== undefined && ageMs <= VIEW_USABLE_MS
      ? this.#judge(sight, sight.view, ageMs, later)
      : this.#withoutCoordinator(sight, later);
  }

  #judge(
    sight: OriginSight,
    view: BreakerView,
    ageMs: number,
    x: PassRequest,
  ): BreakerPassage | Promise<BreakerPassage> {
    const verdict = judge(view, ageMs, x.tenantId, x.method === "GET" || x.method === "HEAD");
    if (verdict.kind !== "probe") return verdict;
    if (x.nowMs < sight.probingUntilMs) return { kind: "refused", retryAfterMs: NO_RETRY_AFTER_MS };
    // Ends by itself: the request that carries the probe may be cut off.
    sight.probingUntilMs = x.nowMs + x.origin.config.tryTimeoutMs + REPORT_DEADLINE_MS;
    return this.#askProbe(sight, x);
  }

  async #askProbe(sight: OriginSight, x: PassRequest): Promise<BreakerPassage> {
    const { config } = x.origin;
    try {
      const request = { v: 1 as const, pop: x.pop, timeoutMs: config.tryTimeoutMs };
      const asked = callCoordinator(x.env, "ORIGIN", originObjectName(x.origin.id), "probe", request);
      const { leaseId, view } = await withDeadline(asked, VIEW_DEADLINE_MS * 2);
      this.#takeView(sight, view);
      if (leaseId !== undefined) {
        this.stats.probes++;
        return { kind: "probe", leaseId, epoch: view.epoch };
      }
      sight.probingUntilMs = 0;
      const verdict = judge(view, 0, x.tenantId, false);
      return verdict.kind === "probe" ? { kind: "refused", retryAfterMs: NO_RETRY_AFTER_MS } : verdict;
    } catch {
      sight.probingUntilMs = 0;
      return { kind: "refused", retryAfterMs: NO_RETRY_AFTER_MS };
    }
  }

  /** The probe's call is over, with whatever outcome. */
  concludeProbe(site: CallSite, lease: { readonly leaseId: string; readonly epoch: number }, succeeded: boolean): void {
    const sight = this.sight(site.origin.id);
    const request = { v: 1 as const, pop: site.pop, leaseId: lease.leaseId, epoch: lease.epoch, succeeded };
    const told = callCoordinator(site.env, "ORIGIN", originObjectName(site.origin.id), "probeResult", request).then(
      ({ view }) => {
        sight.probingUntilMs = 0;
        this.#takeView(sight, view);
      },
      () => {
        // The lease expires by itself.
        sight.probingUntilMs = 0;
        this.stats.failedReports++;
      },
    );
    site.waitUntil(told);
  }

  /** An open view is kept for a while; then this isolate's own calls decide. */
  #withoutCoordinator(sight: OriginSight, x: PassRequest): BreakerPassage {
    this.stats.localDecisions++;
    const { view } = sight;
    const ageMs = x.nowMs - sight.viewAtMs;
    const wasOpen = view !== undefined && view.state !== "closed" && view.state !== "forced-closed";
    if (wasOpen && ageMs <= VIEW_KEPT_OPEN_MS) {
      const verdict = judge(view, ageMs, x.tenantId, false);
      if (verdict.kind !== "probe") return verdict;
    }
    if (x.nowMs < sight.local.openUntilMs) {
      return { kind: "refused", retryAfterMs: sight.local.openUntilMs - x.nowMs };
    }
    return { kind: "go", mayRetry: false };
  }

  noteSuccess(sight: OriginSight, site: CallSite): void {
    sight.successes++;
    observeLocally(sight.local, false, site.origin.config.breaker.tripScore, this.now(), this.random());
  }

  /** A failure, or a call pending past the early age; each call is noted once. */
  noteFailure(sight: OriginSight, kind: FailureKind | "late", site: CallSite): void {
    sight.failures[kind] = (sight.failures[kind] ?? 0) + 1;
    const nowMs = this.now();
    observeLocally(sight.local, true, site.origin.config.breaker.tripScore, nowMs, this.random());
    this.#scheduleReport(sight, site, Math.max(0, sight.reportedAtMs + REPORT_SPACING_MS - nowMs));
  }

  /** One at a time for each origin, behind the request that occasioned it. */
  #scheduleReport(sight: OriginSight, site: CallSite, delayMs: number): void {
    const nowMs = this.now();
    // A report whose request was cut off never ends; after its deadline another may go.
    if (sight.reportScheduled && nowMs - sight.reportedAtMs < REPORT_DEADLINE_MS * 2) return;
    sight.reportScheduled = true;
    sight.reportedAtMs = nowMs + delayMs;
    const sent = this.#report(sight, site, delayMs);
    sight.refreshing = sent;
    site.waitUntil(sent.catch(() => undefined));
  }

  async #report(sight: OriginSight, site: CallSite, delayMs: number): Promise<void> {
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    const report = (sight.unacknowledged ??= this.#compose(sight, site));
    this.stats.reports++;
    try {
      const call = callCoordinator(site.env, "ORIGIN", originObjectName(site.origin.id), "report", report);
      const { view } = await withDeadline(call, REPORT_DEADLINE_MS);
      sight.unacknowledged = undefined;
      sight.unreachableUntilMs = 0;
      this.#takeView(sight, view);
    } catch (error) {
      this.stats.failedReports++;
      throw error;
    } finally {
      sight.reportScheduled = false;
      // What failed meanwhile waits for no further occasion.
      if (sight.unacknowledged === undefined && Object.keys(sight.failures).length > 0) {
        this.#scheduleReport(sight, site, REPORT_SPACING_MS);
      }
    }
  }

  #compose(sight: OriginSight, site: CallSite): OriginReport {
    const { successes, failures } = sight;
    sight.successes = 0;
    sight.failures = {};
    sight.seq++;
    return {
      v: ORIGIN_PROTOCOL_VERSION,
      edgeId: this.#edgeId,
      seq: sight.seq,
      pop: site.pop,
      epoch: sight.view?.epoch ?? Number.MAX_SAFE_INTEGER,
      successes,
      failures,
      settings: originSettings(site.origin, site.configVersion),
    };
  }

  /** A higher epoch wins; an equal one is a fresher copy. */
  #takeView(sight: OriginSight, view: BreakerView): void {
    if (sight.view !== undefined && view.epoch < sight.view.epoch) return;
    sight.view = view;
    sight.viewAtMs = this.now();
  }
}
