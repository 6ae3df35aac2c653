/** For a path that is not to be seen: the answer of one that is not routed, whatever the routes say. */
import type { Env } from "../platform/bindings.ts";
import type { Edge } from "./edge.ts";
import { beginExchange } from "./begin-exchange.ts";
import { passThrough, type Stage } from "./pipeline.ts";
import { refuse } from "./refuse.ts";
import { ingress } from "./stages/ingress.ts";
import { rollout } from "./stages/rollout.ts";

const STAGES: readonly Stage[] = [ingress, rollout, (_edge, x) => refuse(x, "no-route")];

export function handleUnrouted(
  edge: Edge,
  request: Request,
  env: Env,
  context: ExecutionContext,
): Response | Promise<Response> {
  return passThrough(STAGES, edge, beginExchange(edge, request, env, context));
}
