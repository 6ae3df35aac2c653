/** What a caller would get in a given state, by the same code and without touching any state. */
import type { PreviewState } from "../config/pages/vocabulary.ts";
import type { CompiledRoute, Tables } from "../config/tables.ts";
import type { Refusal } from "../http/problem.ts";
import type { Env } from "../platform/bindings.ts";
import { beginExchange } from "./begin-exchange.ts";
import type { Exchange, OriginFailure } from "./exchange.ts";
import { endOfLadder, PROXY_ERROR } from "./fallback.ts";
import { refuse } from "./refuse.ts";
import { setOwnHeaders, setRetryAfter } from "./stages/respond.ts";

/** In the place of the time that only the state knows. */
const SAMPLE_WAIT_MS = 30_000;
const SAMPLE_REQUEST_ID = "0123456789abcdef01234567";

type Shown =
  | { readonly reason: OriginFailure["reason"]; readonly byHand: boolean; readonly retryAfterMs?: number }
  | { readonly refusal: Refusal; readonly retryAfterMs?: number };

const SHOWN: Readonly<Record<PreviewState, Shown>> = {
  open: { reason: "breaker-open", byHand: false },
  "forced-open": { reason: "breaker-open", byHand: true },
  maintenance: { reason: "maintenance", byHand: true, retryAfterMs: SAMPLE_WAIT_MS },
  failing: { reason: "network", byHand: false },
  "timed-out": { reason: "timeout", byHand: false },
  overloaded: { reason: "bulkhead", byHand: false },
  limited: { refusal: "limited", retryAfterMs: SAMPLE_WAIT_MS },
  unreachable: { refusal: "coordinator-unreachable", retryAfterMs: SAMPLE_WAIT_MS },
  "not-found": { refusal: "no-route" },
  unauthenticated: { refusal: "unauthenticated" },
  denied: { refusal: "denied" },
};

export interface PreviewWanted {
  readonly state: PreviewState;
  readonly headers: Readonly<Record<string, string>>;
}

export function preview(
  tables: Tables,
  env: Env,
  nowMs: number,
  route: CompiledRoute,
  wanted: PreviewWanted,
): Response {
  const request = new Request("https://preview.invalid/", { headers: { ...wanted.headers } });
  const site = { tables, pop: "preview", now: (): number => nowMs, traceIdOf: (): string => "" };
  const x = beginExchange(site, request, env, { waitUntil: () => undefined });
  x.requestId = SAMPLE_REQUEST_ID;
  x.route = route;
  const answer = answerTo(x, SHOWN[wanted.state]);
  setOwnHeaders(x, answer.headers);
  setRetryAfter(x, answer.headers, 0);
  return answer;
}

function answerTo(x: Exchange, shown: Shown): Response {
  if ("refusal" in shown) {
    x.retryAfterMs = shown.retryAfterMs;
    return refuse(x, shown.refusal);
  }
  x.proxyError = PROXY_ERROR[shown.reason];
  x.failure = { reason: shown.reason, retryAfterMs: undefined, response: undefined };
  return endOfLadder(x, { retryAfterMs: undefined, ...shown });
}
