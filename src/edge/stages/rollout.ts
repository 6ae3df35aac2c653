/**
 * rollout: while a config is on trial, whose request this is decides which config it gets. Who calls is found out by
 * everybody's config; the stages behind this one begin anew with the config that was chosen.
 */
import { isInCanary } from "../../policy/rollout/rollout.ts";
import type { Canary } from "../config-keeper.ts";
import type { Edge } from "../edge.ts";
import type { Exchange, StageAnswer } from "../exchange.ts";
import { identify } from "./identify.ts";

export function rollout(edge: Edge, x: Exchange): StageAnswer {
  return rolloutBy(identify, edge, x);
}

/** `findCaller`: sets `x.caller`, or refuses. */
export function rolloutBy(findCaller: (edge: Edge, x: Exchange) => StageAnswer, edge: Edge, x: Exchange): StageAnswer {
  const { canary } = edge.config;
  if (canary === undefined) return undefined;
  x.trialNumber = canary.number;
  // A credential may be for some routes only.
  if (x.url !== undefined) x.route = x.tables.matchRoute(x.method, x.url.host, x.url.path);
  const refused = findCaller(edge, x);
  return refused instanceof Promise ? refused.then(() => choose(x, canary)) : choose(x, canary);
}

function choose(x: Exchange, canary: Canary): undefined {
  const { caller } = x;
  if (caller !== undefined && isInCanary(caller.coordinatorName, canary.number, canary.shareRatio)) {
    x.tables = canary.tables;
    x.inCanary = true;
  }
  x.route = undefined;
  x.caller = undefined;
  x.refusal = undefined;
  x.retryAfterMs = undefined;
}
