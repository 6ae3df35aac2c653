/**
 * A line for each sampled request and for each refusal by policy, behind the answer. A request that is neither costs a
 * subtraction and three comparisons. Of refusals an isolate writes so many each second (`logs.refusalsPerSecond`); the
 * others are counted in `weir_log_lines_suppressed_total`, and the next line says how many they were.
 */
import type { LogSettings } from "../config/model.ts";
import type { Refusal } from "../http/problem.ts";
import { acceptTraceparent, traceparentOf } from "../http/traceparent.ts";
import { writeLog } from "../platform/log.ts";
import { requestsUntilSample } from "../policy/tail/skip.ts";
import type { Outcome } from "../protocol/metrics.ts";
import { type Series, series } from "../protocol/series.ts";
import type { Exchange, OriginFailure } from "./exchange.ts";
import { decisionOf } from "./tail.ts";

const SECOND_MS = 1_000;

/** What is wrong with the request itself, whoever sends it. */
const FAULTS: readonly Refusal[] = [
  "bad-request",
  "method-not-allowed",
  "loop",
  "body-late",
  "body-too-large",
  "no-route",
  "not-cached",
];
/** Weir did not ask the origin. */
const NOT_ASKED: readonly OriginFailure["reason"][] = ["breaker-open", "maintenance", "bulkhead"];

interface Site {
  readonly random: () => number;
  /** In force now. */
  readonly settings: () => LogSettings;
  readonly countEvent: (of: Series) => void;
  readonly traceIdOf: (requestId: string) => string;
}

export class LogLines {
  readonly #site: Site;
  #untilSample = 0;
  #secondEndsAtMs = 0;
  #refusals = 0;
  #suppressed = 0;

  constructor(site: Site) {
    this.#site = site;
    this.redraw();
  }

  /** Whenever the settings may be others. */
  redraw(): void {
    this.#untilSample = requestsUntilSample(this.#site.settings().sampleRatio, this.#site.random());
  }

  /** With each request's end. */
  note(x: Exchange, status: number, outcome: Outcome, nowMs: number): void {
    this.#untilSample--;
    if (this.#untilSample > 0 && x.refusal === undefined && x.failure === undefined) return;
    const isSampled = this.#untilSample <= 0;
    if (isSampled) this.redraw();
    const isRefused = isRefusedByPolicy(x);
    if (isSampled || (isRefused && this.#mayWrite(nowMs))) this.#write(x, isRefused, status, outcome, nowMs);
  }

  #mayWrite(nowMs: number): boolean {
    if (nowMs >= this.#secondEndsAtMs) {
      this.#secondEndsAtMs = nowMs + SECOND_MS;
      this.#refusals = 0;
    }
    if (this.#refusals < this.#site.settings().refusalsPerSecond) {
      this.#refusals++;
      return true;
    }
    this.#suppressed++;
    this.#site.countEvent(series("weir_log_lines_suppressed_total"));
    return false;
  }

  #write(x: Exchange, isRefused: boolean, status: number, outcome: Outcome, nowMs: number): void {
    const { atMs, ...decision } = decisionOf(x, status, outcome, nowMs);
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    writeLog(isRefused ? "warn" : "info", atMs, {
      ...decision,
      traceparent: this.#traceparentOf(x),
      // As `RateLimit` says it to the caller: never a key, an address or a name.
      principal: x.caller?.partitionKey ?? x.caller?.principal ?? null,
      failure: x.failure?.reason ?? null,
      attempts: x.attempts,
      configVersion: x.tables.configVersion,
      ...(suppressed === 0 ? {} : { suppressed }),
    });
  }

  /** As it went to the origin, or would have gone. */
  #traceparentOf({ inbound, requestId }: Exchange): string {
    return acceptTraceparent(inbound.get("traceparent")) ?? traceparentOf(this.#site.traceIdOf(requestId), requestId);
  }
}

function isRefusedByPolicy({ refusal, failure, served }: Exchange): boolean {
  if (failure !== undefined) return served === "fallback" && NOT_ASKED.includes(failure.reason);
  return refusal !== undefined && !FAULTS.includes(refusal);
}
