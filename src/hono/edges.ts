/**
 * The isolate's state when Weir is a library: one Edge for each config, made on the first request and shared by all
 * middlewares that were given the same one. What `worker.ts` is for the Worker.
 */
import type { ConfigSource } from "../config/define.ts";
import type { Config } from "../config/model.ts";
import type { Edge } from "../edge/edge.ts";
import type { Caller } from "../edge/exchange.ts";
import { newEdge } from "../front.ts";
import type { Env } from "../platform/bindings.ts";

/** Held only while the config is. */
const edges = new WeakMap<ConfigSource, Edge>();
/** Who sent a request, as `limits` found out; for what comes behind it. */
const callers = new WeakMap<Request, Caller>();

/** A promise only before the first request with this config has come so far. */
export function edgeOf(source: ConfigSource, request: Request, env: Env): Edge | Promise<Edge> {
  const known = edges.get(source);
  if (known !== undefined) return known;
  if (typeof source !== "function") return remember(source, source, request, env);
  // Each request loads for itself: a promise that another request began may never end.
  return source().then((config) => edges.get(source) ?? remember(source, config, request, env));
}

function remember(source: ConfigSource, config: Config, request: Request, env: Env): Edge {
  const edge = newEdge(config, request, env);
  edges.set(source, edge);
  return edge;
}

export function noteCaller(request: Request, caller: Caller): void {
  callers.set(request, caller);
}

export function knownCaller(request: Request): Caller | undefined {
  return callers.get(request);
}
