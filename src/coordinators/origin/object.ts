/**
 * The coordinator of one origin: hears what edges see, decides the breaker's state for the world, and hands out probe
 * leases. When nobody calls while a probe is due, an alarm probes, under a lease like everybody else.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../platform/bindings.ts";
import {
  type Breaker,
  concludeProbe,
  force,
  grantProbe,
  newBreaker,
  observe,
  resetBreaker,
  tick,
} from "../../policy/breaker/state-machine.ts";
import { LONGEST_PROBE_MS, REPORTED_FAILURES, type ReportedFailure } from "../../policy/breaker/types.ts";
import { type BreakerView, viewOf } from "../../policy/breaker/view.ts";
import type { PurgeMode, PurgeNews, PurgeTarget } from "../../policy/cache/purge.ts";
import type { ConfigInForce } from "../../policy/rollout/rollout.ts";
import type { SnapshotVerdict } from "../../policy/cache/snapshot.ts";
import { type AdaptiveLimit, newAdaptiveLimit, noteLatency } from "../../policy/forwarding/adaptive-limit.ts";
import type { Maintenance, Placed } from "../../policy/degradation/maintenance.ts";
import { verdictOfStatus } from "../../policy/forwarding/verdict.ts";
import {
  type MaintenanceAsked,
  type OriginLook,
  type OriginProtocol,
  type OriginReport,
  type OriginReportBefore,
  type OriginSettings,
  type OriginStatus,
  type PurgeRecord,
} from "../../protocol/origin.ts";
import { takeTurn } from "../turn.ts";
import { Edges } from "./edges.ts";
import { MaintenanceTable } from "./maintenance-table.ts";
import { NewsTable } from "./news-table.ts";
import { PurgeTable } from "./purge-table.ts";
import { checkReport } from "./report.ts";
import { SnapshotTable } from "./snapshot-table.ts";
import { OriginStorage } from "./storage.ts";

/** A lost probe's place is free again this long after its own timeout. */
const PROBE_LEASE_MARGIN_MS = 1_000;
/** The object probes by itself when no edge has taken the lease for so long. */
const OWN_PROBE_AFTER_MS = 1_000;
const OWN_POP = "coordinator";
const MAX_FORCED_MS = 30 * 86_400_000;

export class Origin extends DurableObject<Env> implements OriginProtocol {
  readonly #storage: OriginStorage;
  readonly #snapshots: SnapshotTable;
  readonly #maintenance: MaintenanceTable;
  readonly #purges: PurgeTable;
  readonly #news: NewsTable;
  #breaker: Breaker | undefined;
  #settings: OriginSettings | undefined;
  #settingsDirty = false;
  /** What is stored: the breaker is written again when this differs. */
  #storedMark = "";
  #storedEpoch = 0;
  readonly #edges = new Edges();
  #adaptive: AdaptiveLimit | undefined;
  #configInForce: ConfigInForce | undefined;
  readonly #counts: Partial<Record<ReportedFailure | "success", number>> = {};

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#storage = new OriginStorage(state.storage);
    this.#snapshots = new SnapshotTable(state.storage);
    this.#purges = new PurgeTable(state.storage, Date.now());
    this.#news = new NewsTable(state.storage, env);
    this.#configInForce = this.#storage.configInForce();
    this.#maintenance = new MaintenanceTable(state.storage);
    this.#load();
  }

  async report(told: OriginReport | OriginReportBefore): Promise<{ readonly seq: number; readonly view: BreakerView }> {
    const report = checkReport(told);
    const view = this.#turn(report.settings, (breaker, nowMs) => {
      if (this.#edges.hear(report, nowMs)) {
        this.#count(report);
        observe(breaker, report, nowMs, Math.random());
        this.#adapt(report, nowMs);
      }
      return this.#view(breaker, report.pop, nowMs);
    });
    await this.#schedule();
    return { seq: report.seq, view };
  }

  async probe(request: { readonly v: 1; readonly pop: string; readonly timeoutMs: number }): Promise<{
    readonly leaseId: string | undefined;
    readonly view: BreakerView;
  }> {
    const timeoutMs = Math.min(LONGEST_PROBE_MS, Math.max(0, request.timeoutMs));
    const granted = this.#turn(undefined, (breaker, nowMs) => {
      const leaseId = crypto.randomUUID();
      const taken = grantProbe(breaker, leaseId, nowMs + timeoutMs + PROBE_LEASE_MARGIN_MS, nowMs);
      return { leaseId: taken ? leaseId : undefined, view: this.#view(breaker, request.pop, nowMs) };
    });
    await this.#schedule();
    return granted;
  }

  async probeResult(request: {
    readonly v: 1;
    readonly pop: string;
    readonly leaseId: string;
    readonly epoch: number;
    readonly succeeded: boolean;
  }): Promise<{ readonly view: BreakerView }> {
    const view = this.#turn(undefined, (breaker, nowMs) => {
      concludeProbe(breaker, request.leaseId, request.epoch, request.succeeded, nowMs, Math.random());
      return this.#view(breaker, request.pop, nowMs);
    });
    await this.#schedule();
    return { view };
  }

  async snapshot(request: {
    readonly v: 1;
    readonly url: string;
    readonly variant: string;
    readonly fingerprint: string;
    readonly intervalMs: number;
  }): Promise<SnapshotVerdict> {
    const { url, variant, fingerprint, intervalMs } = request;
    return this.#snapshots.offer(url, variant, fingerprint, intervalMs, Date.now());
  }

  async retireSnapshot({ url }: { readonly v: 1; readonly url: string }): Promise<{
    readonly variants: readonly string[];
  }> {
    return { variants: this.#snapshots.retire(url) };
  }

  async hasSnapshot(request: { readonly v: 1; readonly url: string; readonly purgesSince?: number }): Promise<{
    readonly stands: boolean;
    readonly purges?: PurgeNews;
  }> {
    const { url, purgesSince } = request;
    const stands = this.#snapshots.stands(url);
    return purgesSince === undefined ? { stands } : { stands, purges: this.#purges.newsSince(purgesSince, Date.now()) };
  }

  async purge(request: {
    readonly v: 1;
    readonly target: PurgeTarget;
    readonly mode: PurgeMode;
    readonly reason: string;
    readonly by: string;
  }): Promise<{ readonly epoch: number }> {
    return { epoch: this.#purges.add(request, Date.now()) };
  }

  async purges({ since }: { readonly v: 1; readonly since: number }): Promise<PurgeNews> {
    return this.#purges.newsSince(since, Date.now());
  }

  async widenPurges({ epoch }: { readonly v: 1; readonly epoch: number }): Promise<void> {
    this.#purges.widen(epoch, Date.now());
  }

  async listPurges(): Promise<{ readonly epoch: number; readonly purges: readonly PurgeRecord[] }> {
    return { epoch: this.#purges.epoch, purges: this.#purges.list() };
  }

  async configInForce({ inForce }: { readonly v: 1; readonly inForce: ConfigInForce }): Promise<void> {
    if (inForce.sequence <= (this.#configInForce?.sequence ?? -1)) return;
    this.#storage.saveConfigInForce(inForce);
    this.#configInForce = inForce;
    if (inForce.canary === undefined && this.#settings?.onTrial === true) await this.#rest();
  }

  /** The trial is over: nobody calls this origin any more, and nobody needs to know how it is. */
  async #rest(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
    this.#storage.forgetBreaker();
    this.#load();
  }

  async placeMaintenance({ asked }: { readonly v: 1; readonly asked: MaintenanceAsked }): Promise<Placed> {
    return this.#maintenance.place(asked, Date.now());
  }

  async endMaintenance({ routeId }: { readonly v: 1; readonly routeId: string | undefined }): Promise<{
    readonly ended: boolean;
  }> {
    return { ended: this.#maintenance.remove(routeId, Date.now()) };
  }

  async listMaintenance(): Promise<{ readonly all: readonly Maintenance[] }> {
    return { all: this.#maintenance.all(Date.now()) };
  }

  async status(): Promise<OriginStatus> {
    if (this.#breaker === undefined) {
      const nothing = { view: undefined, forced: undefined, score: 0, outstandingProbes: 0, pops: 0, history: [] };
      return { ...nothing, counts: {}, transitions: this.#news.transitions(), news: this.#news.counts() };
    }
    const status = this.#turn(undefined, (breaker, nowMs) => this.#status(breaker, nowMs));
    await this.#schedule();
    return status;
  }

  async look({ pop, settings }: Parameters<OriginProtocol["look"]>[0]): Promise<OriginLook> {
    const nowMs = Date.now();
    const breaker = this.#breaker === undefined ? newBreaker(settings.breaker, nowMs) : structuredClone(this.#breaker);
    tick(breaker, nowMs);
    const view = this.#view(breaker, pop, nowMs);
    const { score } = breaker;
    // Last: it changes the copy.
    return { view, score, givesProbe: grantProbe(breaker, "", nowMs + LONGEST_PROBE_MS, nowMs) };
  }

  async force(request: {
    readonly v: 1;
    readonly settings: OriginSettings;
    readonly state: "open" | "closed";
    readonly reason: string;
    readonly by: string;
    readonly forMs: number;
  }): Promise<OriginStatus> {
    const { state, reason, by } = request;
    if (!(request.forMs > 0 && request.forMs <= MAX_FORCED_MS))
      throw new RangeError("forMs must be above 0, at most 30 days");
    const status = this.#turn(request.settings, (breaker, nowMs) => {
      force(breaker, { state, reason, by, untilMs: nowMs + request.forMs }, nowMs);
      return this.#status(breaker, nowMs);
    });
    await this.#schedule();
    return status;
  }

  async reset(request: {
    readonly v: 1;
    readonly settings: OriginSettings;
    readonly reason: string;
    readonly by: string;
  }): Promise<OriginStatus> {
    const status = this.#turn(request.settings, (breaker, nowMs) => {
      resetBreaker(breaker, request.reason, request.by, nowMs);
      return this.#status(breaker, nowMs);
    });
    await this.#schedule();
    return status;
  }

  override async alarm(): Promise<void> {
    const settings = this.#settings;
    if (settings === undefined) return;
    // Side by side: neither waits for what is out of reach for the other.
    await Promise.all([this.#news.tell(), this.#probeIfDue(settings)]);
    await this.#schedule();
  }

  /** When no edge did. The lease is stored before the fetch, the outcome decided upon after it. */
  async #probeIfDue(settings: OriginSettings): Promise<void> {
    const { leaseId, view } = await this.probe({ v: 1, pop: OWN_POP, timeoutMs: settings.probeTimeoutMs });
    if (leaseId === undefined) return;
    const succeeded = await fetchProbe(settings);
    await this.probeResult({ v: 1, pop: OWN_POP, leaseId, epoch: view.epoch, succeeded });
  }

  /** The next alarm: for a probe, the end of what is forced, or what the Monitor has not heard. */
  async #schedule(): Promise<void> {
    const breaker = this.#breaker;
    if (breaker === undefined) return;
    this.ctx.waitUntil(this.#news.tell());
    const { state, forced } = breaker;
    let atMs: number | undefined;
    if (forced !== undefined) atMs = forced.untilMs + 1;
    else if (state.kind === "open" || state.kind === "half-open") {
      const freeAtMs = Math.max(0, ...breaker.probes.values());
      atMs = Math.max(state.nextProbeAtMs, freeAtMs) + OWN_PROBE_AFTER_MS;
    }
    const tellAtMs = this.#news.alarmAtMs();
    if (tellAtMs !== undefined) atMs = Math.min(atMs ?? tellAtMs, tellAtMs);
    if (atMs === undefined) return;
    const nextMs = await this.ctx.storage.getAlarm();
    if (nextMs === null || Math.abs(nextMs - atMs) > 50) await this.ctx.storage.setAlarm(atMs);
  }

  #load(): void {
    const stored = this.#storage.load(Date.now());
    this.#breaker = stored?.breaker;
    this.#settings = stored?.settings;
    this.#settingsDirty = false;
    this.#storedMark = stored === undefined ? "" : markOf(stored.breaker);
    this.#storedEpoch = stored?.breaker.epoch ?? 0;
  }

  #turn<Reply>(settings: OriginSettings | undefined, decide: (breaker: Breaker, nowMs: number) => Reply): Reply {
    return takeTurn(
      this.ctx.storage,
      () => {
        this.#load();
      },
      () => {
        const nowMs = Date.now();
        if (settings !== undefined) this.#takeSettings(settings);
        const breaker = this.#breaker;
        if (breaker === undefined) throw new TypeError("this origin has not been reported yet");
        tick(breaker, nowMs);
        const reply = decide(breaker, nowMs);
        const mark = markOf(breaker);
        const openings = breaker.popOpenings.splice(0);
        if (mark === this.#storedMark && !this.#settingsDirty && openings.length === 0) {
          return { reply, persist: undefined };
        }
        return {
          reply,
          persist: () => {
            if (this.#settings !== undefined) this.#storage.saveSettings(this.#settings);
            this.#storage.saveBreaker(breaker, this.#storedEpoch);
            const transitions = breaker.history.filter(({ epoch }) => epoch > this.#storedEpoch);
            // A config on trial is not what people are called for.
            const teller = this.#settings?.onTrial === true ? undefined : this.#settings?.originId;
            this.#news.add(teller, transitions, openings, nowMs);
            this.#settingsDirty = false;
            this.#storedMark = mark;
            this.#storedEpoch = breaker.epoch;
          },
        };
      },
    );
  }

  #takeSettings(settings: OriginSettings): void {
    const known = this.#settings;
    // What the release before told lacks the id, though its version may be the same.
    const atLeast = known?.originId === undefined && settings.originId !== undefined ? 0 : 1;
    if (known !== undefined && settings.configVersion < known.configVersion + atLeast) return;
    this.#settings = settings;
    this.#settingsDirty = true;
    if (this.#breaker === undefined) this.#breaker = newBreaker(settings.breaker, Date.now());
    else this.#breaker.settings = settings.breaker;
  }

  #view(breaker: Breaker, pop: string, nowMs: number): BreakerView {
    const maintenance = this.#maintenance.view(nowMs);
    return {
      ...viewOf(breaker, pop, nowMs),
      underWay: this.#edges.underWay(nowMs),
      purgeEpoch: this.#purges.epoch,
      ...(this.#adaptive === undefined ? {} : { slots: this.#adaptive.published }),
      ...(this.#configInForce === undefined ? {} : { config: this.#configInForce }),
      ...(maintenance === undefined ? {} : { maintenance }),
    };
  }

  #adapt({ latencies, latencyTotalMs }: OriginReport, nowMs: number): void {
    const bounds = this.#settings?.adaptive;
    if (bounds === undefined) {
      this.#adaptive = undefined;
      return;
    }
    this.#adaptive ??= newAdaptiveLimit(bounds, nowMs);
    const calls = latencies.reduce((sum, count) => sum + count, 0);
    noteLatency(this.#adaptive, bounds, calls, latencyTotalMs, nowMs);
  }

  #count({ outcomes, failures }: OriginReport): void {
    const counts = this.#counts;
    for (const [, successes] of outcomes) counts.success = (counts.success ?? 0) + successes;
    for (const kind of REPORTED_FAILURES) counts[kind] = (counts[kind] ?? 0) + (failures[kind] ?? 0);
  }

  #status(breaker: Breaker, nowMs: number): OriginStatus {
    return {
      view: this.#view(breaker, "", nowMs),
      forced: breaker.forced,
      score: breaker.score,
      outstandingProbes: breaker.probes.size,
      pops: breaker.pops.size,
      counts: this.#counts,
      history: breaker.history,
      transitions: this.#news.transitions(),
      news: this.#news.counts(),
    };
  }
}

/** Changes exactly when something stored would. */
function markOf({ epoch, state, probes, forced }: Breaker): string {
  const successes = state.kind === "half-open" ? state.successes : 0;
  return `${epoch}|${state.kind}|${successes}|${[...probes.keys()].join(",")}|${forced?.untilMs ?? 0}`;
}

async function fetchProbe(settings: OriginSettings): Promise<boolean> {
  try {
    const response = await fetch(settings.probeUrl, {
      redirect: "manual",
      headers: { "user-agent": "weir-probe", "weir-attempt": "1" },
      signal: AbortSignal.timeout(Math.min(LONGEST_PROBE_MS, settings.probeTimeoutMs)),
    });
    await response.body?.cancel();
    return verdictOfStatus(response.status).kind === "success";
  } catch {
    // Unreachable is what the probe was to find out; the breaker counts it.
    return false;
  }
}
