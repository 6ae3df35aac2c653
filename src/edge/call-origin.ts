/**
 * One origin call: begin → try (and retry) → end. The same for requests, for revalidation behind an answer and for the
 * failover rung. What it found out is reported to the origin's coordinator behind the answer; a call that is pending
 * past the early age is reported while it pends. Never rejects.
 */
import type { LimitConfig } from "../config/model.ts";
import type { CompiledOrigin } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";
import { failureKindOf } from "../platform/origin-fetch.ts";
import { isSlow, mayRetry } from "../policy/breaker/sight.ts";
import type { FailureKind, Verdict } from "../policy/breaker/types.ts";
import type { Priority } from "../policy/limits/types.ts";
import { earnRetry, mayRepeat, retryWait } from "../policy/forwarding/retry.ts";
import { isFinalStatus, verdictOfFailure, verdictOfStatus } from "../policy/forwarding/verdict.ts";
import { readResponseBody, type Upload } from "./body.ts";
import type { BreakerPassage } from "./exchange.ts";
import { type OriginSight, type OriginViews, probeTimeoutOf } from "./origin-views.ts";

export interface OriginRequest {
  readonly env: Env;
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly origin: CompiledOrigin;
  readonly configVersion: number;
  readonly method: string;
  /** Canonical. */
  readonly path: string;
  readonly query: string;
  /** Cleaned; `Weir-Attempt` is set on it. */
  readonly headers: Headers;
  readonly body: ArrayBuffer | ReadableStream | null;
  /** Whose stream `body` is, where it comes from a client. */
  readonly upload?: Upload | undefined;
  readonly deadlineMs: number;
  /** Who is shed first when the origin's slots run out. */
  readonly priority: Priority;
  readonly passage: Exclude<BreakerPassage, { kind: "refused" }>;
  readonly pop: string;
  /** Another layer retries, so this call does not. */
  readonly inboundAttempt: boolean;
  /** Of the client's request: when it is gone, so is the call. Undefined: the call does not end with a client. */
  readonly clientGone: AbortSignal | undefined;
}

export interface OriginAnswer {
  readonly kind: "answer";
  readonly status: number;
  readonly statusText: string;
  /** The origin's; not to be changed. */
  readonly headers: Headers;
  readonly body: ArrayBuffer | ReadableStream | null;
  readonly complete: boolean;
  readonly verdict: Verdict;
  readonly attempts: number;
}

/** client-gone: nobody waits any more. The others: its body was too slow, or too large. */
type ClientFault = "client-gone" | "body-late" | "body-too-large";
const isClientFault = (reason: OriginFailed["reason"]): reason is ClientFault =>
  reason === "client-gone" || reason === "body-late" || reason === "body-too-large";

export interface OriginFailed {
  readonly kind: "failed";
  /** Bulkheads: no slot was free, of the origin or of the tenant there. The client's faults say nothing of the origin. */
  readonly reason: FailureKind | "bulkhead" | "tenant-bulkhead" | ClientFault;
  readonly attempts: number;
  /** The limits of slots that were used up. */
  readonly violated?: readonly LimitConfig[];
  readonly retryAfterMs?: number;
}

type Attempt = OriginAnswer | (OriginFailed & { readonly reason: FailureKind | ClientFault });

export async function callOrigin(views: OriginViews, request: OriginRequest): Promise<OriginAnswer | OriginFailed> {
  const sight = views.sight(request.origin.stateId);
  const endsAtMs = views.now() + request.deadlineMs;
  for (let attempt = 1; ; attempt++) {
    const outcome = await attemptOnce(views, sight, request, attempt, endsAtMs - views.now());
    const failed = outcome.kind === "failed" || outcome.verdict.kind === "failure";
    if (!failed) {
      earnRetry(sight.budget, request.origin.config.retry.budgetRatio);
      return outcome;
    }
    const waitMs = waitBeforeRetry(views, sight, request, outcome, endsAtMs);
    if (waitMs === undefined) return outcome;
    if (outcome.kind === "answer" && outcome.body instanceof ReadableStream) await outcome.body.cancel();
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

function waitBeforeRetry(
  views: OriginViews,
  sight: OriginSight,
  request: OriginRequest,
  outcome: OriginAnswer | OriginFailed,
  endsAtMs: number,
): number | undefined {
  const { passage, origin, body, inboundAttempt } = request;
  if (outcome.kind === "failed" && isClientFault(outcome.reason)) return undefined;
  if (passage.kind !== "go" || !passage.mayRetry || inboundAttempt || body instanceof ReadableStream) return undefined;
  // The breaker may have opened since this call began.
  if (!mayRetry(sight, origin.config.breaker)) return undefined;
  if (!mayRepeat(request.method, request.headers.has("idempotency-key"), origin.config.keyAware)) return undefined;
  const nowMs = views.now();
  return retryWait(
    sight.budget,
    {
      attempt: outcome.attempts,
      attempts: origin.config.retry.attempts,
      status: outcome.kind === "answer" ? outcome.status : undefined,
      retryAfterMs: outcome.kind === "answer" ? retryAfterMs(outcome.headers.get("retry-after"), nowMs) : undefined,
      leftMs: endsAtMs - nowMs,
    },
    views.random(),
  );
}

/** RFC 9110 section 10.2.3: seconds or a date. Undefined when absent or malformed. */
function retryAfterMs(value: string | null, nowMs: number): number | undefined {
  if (value === null || value.length > 40) return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1_000;
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}

async function attemptOnce(
  views: OriginViews,
  sight: OriginSight,
  request: OriginRequest,
  attempt: number,
  leftMs: number,
): Promise<Attempt> {
  const { origin, headers, passage } = request;
  const abort = new AbortController();
  const startedAtMs = views.now();
  const epoch = sight.view?.epoch;
  const timeoutMs = Math.max(
    1,
    Math.min(passage.kind === "probe" ? probeTimeoutOf(origin) : origin.config.tryTimeoutMs, leftMs),
  );
  let clientLate = false;
  const timeOut = (): void => {
    clientLate = request.upload?.waitsForClient() === true;
    abort.abort(new DOMException("the attempt timed out", "TimeoutError"));
  };
  let late = false;
  const earlyMs = lateAfterMs(sight, request) ?? timeoutMs;
  // One timer after the other: nearly every call ends before the first.
  let timer = setTimeout(
    earlyMs >= timeoutMs
      ? timeOut
      : (): void => {
          timer = setTimeout(timeOut, timeoutMs - earlyMs);
          if (request.upload?.waitsForClient() === true) return;
          late = true;
          views.noteFailure(sight, epoch, "late", request);
        },
    Math.min(earlyMs, timeoutMs),
  );
  const { clientGone } = request;
  const leave = (): void => {
    abort.abort();
  };
  // A probe's outcome is waited for by the world.
  if (passage.kind === "go") {
    if (clientGone?.aborted === true) leave();
    clientGone?.addEventListener("abort", leave);
  }
  headers.set("weir-attempt", String(attempt));
  const fetched = await fetchOnce(request, attempt, abort.signal);
  const outcome: Attempt =
    clientLate && fetched.kind === "failed" ? { kind: "failed", reason: "body-late", attempts: attempt } : fetched;
  clientGone?.removeEventListener("abort", leave);
  clearTimeout(timer);
  const verdict = verdictOf(outcome);
  const durationMs = views.now() - startedAtMs;
  if (passage.kind === "probe") {
    const sound = verdict.kind === "success" && !isSlow(durationMs, origin.config.breaker);
    views.concludeProbe(request, passage, sound);
  } else if (verdict.kind === "success") views.noteSuccess(sight, epoch, durationMs, request);
  // A late call has been counted already.
  else if (verdict.kind === "failure" && !late) views.noteFailure(sight, epoch, verdict.failure, request);
  return outcome;
}

function verdictOf(outcome: Attempt): Verdict {
  if (outcome.kind === "answer") return outcome.verdict;
  return isClientFault(outcome.reason) ? { kind: "ignored" } : verdictOfFailure(outcome.reason);
}

/** A call still pending then is reported; undefined for probes, and where every call would have ended before. */
function lateAfterMs(sight: OriginSight, { passage, origin }: OriginRequest): number | undefined {
  const ageMs = sight.view?.earlyAgeMs;
  return ageMs === undefined || ageMs >= origin.config.tryTimeoutMs || passage.kind !== "go" ? undefined : ageMs;
}

async function fetchOnce(request: OriginRequest, attempt: number, signal: AbortSignal): Promise<Attempt> {
  const { origin, method, path, query, headers, body } = request;
  const failed = (reason: FailureKind): Attempt => {
    const gone = request.passage.kind === "go" && request.clientGone?.aborted === true;
    const fault = request.upload?.isTooLarge() === true ? "body-too-large" : reason;
    return { kind: "failed", reason: gone ? "client-gone" : fault, attempts: attempt };
  };
  let response: Response;
  try {
    response = await fetch(origin.base + origin.pathPrefix + path + query, {
      method,
      headers,
      body,
      redirect: "manual",
      signal,
    });
  } catch (error) {
    return failed(failureKindOf(error));
  }
  if (!isFinalStatus(response.status)) {
    await response.body?.cancel().catch(() => undefined);
    return failed("status");
  }
  try {
    const read = method === "HEAD" ? { body: null, complete: true } : await readResponseBody(response);
    return {
      kind: "answer",
      status: response.status,
      statusText: response.statusText,
      headers: response.headers,
      body: read.body,
      complete: read.complete,
      verdict: verdictOfStatus(response.status),
      attempts: attempt,
    };
  } catch (error) {
    const kind = failureKindOf(error);
    return failed(kind === "timeout" ? "timeout" : "body");
  }
}
