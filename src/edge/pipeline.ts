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

export function handle(edge: Edge, request: Request, env: Env, context: ExecutionContext): Promise<Response> {
  return passThrough(STAGES, edge, beginExchange(edge, request, env, context));
}

/** These stages, and what must always happen behind them. */
export async function passThrough(stages: readonly Stage[], edge: Edge, x: Exchange): Promise<Response> {
  let response: Response;
  try {
    let answer: Answer | undefined;
    for (const stage of stages) {
      const result = stage(edge, x);
      answer = result instanceof Promise ? await result : result;
      if (answer !== undefined) break;
    }
    response = respond(edge, x, answer ?? plainAnswer(x));
  } catch (error) {
    edge.counters.countEvent(series("weir_internal_errors_total"));
    logError({ requestId: x.requestId, error: String(error) });
    response = plainAnswer(x);
    x.served = "fallback";
  }
  return record(edge, x, response);
}

const plainAnswer = ({ requestId, request }: Exchange): Response =>
  lastResort(requestId, request.headers.get("accept"));
