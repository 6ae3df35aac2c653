/**
 * The way of one request: the stages in order, until one answers. No branch but "a stage answered"; what must always
 * happen (respond, record) happens behind the loop, and whatever throws ends in a plain answer, never in a dropped
 * connection.
 */
import type { Env } from "../platform/bindings.ts";
import { logError } from "../platform/log.ts";
import { beginExchange } from "./begin-exchange.ts";
import type { Edge } from "./edge.ts";
import type { Answer, Exchange, StageAnswer } from "./exchange.ts";
import { lastResort } from "./last-resort.ts";
import { access } from "./stages/access.ts";
import { admit, admitMiss } from "./stages/admit.ts";
import { breaker } from "./stages/breaker.ts";
import { cacheLookup } from "./stages/cache.ts";
import { degrade } from "./stages/degrade.ts";
import { forward } from "./stages/forward.ts";
import { identify } from "./stages/identify.ts";
import { ingress } from "./stages/ingress.ts";
import { maintenance } from "./stages/maintenance.ts";
import { record } from "./stages/record.ts";
import { respond } from "./stages/respond.ts";
import { rollout } from "./stages/rollout.ts";
import { route } from "./stages/route.ts";
import { series } from "../protocol/series.ts";

export type Stage = (edge: Edge, x: Exchange) => StageAnswer;

export const STAGES: readonly Stage[] = [
  ingress,
  rollout,
  route,
  identify,
  access,
  maintenance,
  admit,
  cacheLookup,
  admitMiss,
  breaker,
  forward,
  degrade,
];

/** A promise only where a stage waits for something: a hit is answered within its turn. `rawUrl`: of the request, for who has read it. */
export function handle(
  edge: Edge,
  request: Request,
  env: Env,
  context: ExecutionContext,
  rawUrl?: string,
): Response | Promise<Response> {
  return passThrough(STAGES, edge, beginExchange(edge, request, env, context, rawUrl));
}

/** These stages, and what must always happen behind them. */
export function passThrough(stages: readonly Stage[], edge: Edge, x: Exchange): Response | Promise<Response> {
  const response = answerFrom(0, stages, edge, x);
  return response instanceof Promise ? response.then((late) => record(edge, x, late)) : record(edge, x, response);
}

/** The first answer of the stages from that one on. Never throws, nor rejects. */
function answerFrom(first: number, stages: readonly Stage[], edge: Edge, x: Exchange): Response | Promise<Response> {
  try {
    for (let index = first; index < stages.length; index++) {
      const answer = stages[index]?.(edge, x);
      if (answer instanceof Promise) return answerBehind(answer, index + 1, stages, edge, x);
      if (answer !== undefined) return respond(edge, x, answer);
    }
    return respond(edge, x, plainAnswer(x));
  } catch (error) {
    return answerBroken(edge, x, error);
  }
}

async function answerBehind(
  waitedFor: Promise<Answer | undefined>,
  next: number,
  stages: readonly Stage[],
  edge: Edge,
  x: Exchange,
): Promise<Response> {
  try {
    const answer = await waitedFor;
    x.nowMs = edge.now();
    return answer === undefined ? await answerFrom(next, stages, edge, x) : respond(edge, x, answer);
  } catch (error) {
    return answerBroken(edge, x, error);
  }
}

function answerBroken(edge: Edge, x: Exchange, error: unknown): Response {
  x.nowMs = edge.now();
  edge.counters.countEvent(series("weir_internal_errors_total"));
  logError({ requestId: x.requestId, error: String(error) });
  x.served = "fallback";
  return plainAnswer(x);
}

const plainAnswer = ({ requestId, inbound }: Exchange): Response => lastResort(requestId, inbound.get("accept"));
