/** The whole gateway as Hono's handler: for `app.all("*", gateway({ config }))` behind routes of your own. */
import type { Handler } from "hono";
import type { ConfigSource } from "../config/define.ts";
import type { Edge } from "../edge/edge.ts";
import { answerWith, type Front, newFront } from "../front.ts";
import type { Env, WorkerEnv } from "../platform/bindings.ts";
import { edgeOf } from "./edges.ts";

/** Bindings: the three Durable Objects; `SNAPSHOTS` and the secrets where they are used. */
export type GatewayBindings = WorkerEnv;

export interface GatewayOptions {
  readonly config: ConfigSource;
}

const fronts = new WeakMap<Edge, Front>();

/** The same stages, headers and admin API (`/_weir/`) as the Worker has. It answers every request that comes to it. */
export function gateway({ config }: GatewayOptions): Handler<{ Bindings: GatewayBindings }> {
  const front = (request: Request, env: Env): Front | Promise<Front> => {
    const edge = edgeOf(config, request, env);
    return edge instanceof Promise ? edge.then(frontOf) : frontOf(edge);
  };
  return ({ req, env, executionCtx }) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Hono declares a part of the runtime's context
    return answerWith(front, req.raw, env, executionCtx as ExecutionContext);
  };
}

function frontOf(edge: Edge): Front {
  let front = fronts.get(edge);
  if (front === undefined) fronts.set(edge, (front = newFront(edge)));
  return front;
}
