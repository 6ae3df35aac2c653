/**
 * Calls to an origin from an application of your own: with its breaker, its bulkhead, retries under its budget, its
 * deadline, and its failover. The stages are the gateway's. A call always ends in an answer: the origin's, or what the
 * gateway would say (503 with `Retry-After`, `Proxy-Status` and `Weir-Served: fallback`).
 */
import type { Context, MiddlewareHandler } from "hono";
import type { ConfigSource } from "../config/define.ts";
import type { CompiledRoute, CompiledTenant, Tables } from "../config/tables.ts";
import type { Edge } from "../edge/edge.ts";
import type { Caller } from "../edge/exchange.ts";
import { beginExchange } from "../edge/begin-exchange.ts";
import { passThrough, type Stage } from "../edge/pipeline.ts";
import { breaker as breakerStage } from "../edge/stages/breaker.ts";
import { degrade } from "../edge/stages/degrade.ts";
import { forward } from "../edge/stages/forward.ts";
import { addressPartition } from "../edge/stages/identify.ts";
import { receive } from "../edge/stages/ingress.ts";
import type { Env } from "../platform/bindings.ts";
import { MICRO_TOKENS_PER_TOKEN } from "../policy/limits/types.ts";
import { edgeOf, knownCaller } from "./edges.ts";

/** `TENANT` too where the origin has a concurrency; `METRICS` where it is used. */
export type BreakerBindings = Env & Required<Pick<Env, "ORIGIN">>;

export interface BreakerOptions {
  readonly config: ConfigSource;
  /** The origin that `fetch` calls unless it is told another one. */
  readonly origin: string;
}

export interface OriginCallInit extends RequestInit {
  /** Another origin of the config. */
  readonly origin?: string;
}

export interface WeirOriginCalls {
  /**
   * One call. A path (`/items?id=1`) is below the origin's url; of a Request only method, path, query, headers and body
   * count, so that the one that came in can be passed on. Hop-by-hop and forwarding headers are made anew. Never rejects for
   * what the origin does.
   */
  fetch(request: Request | string, init?: OriginCallInit): Promise<Response>;
}

export interface BreakerVariables {
  weir: WeirOriginCalls;
}

export function breaker({
  config,
  origin: usual,
}: BreakerOptions): MiddlewareHandler<{ Bindings: BreakerBindings; Variables: BreakerVariables }> {
  return async (c, next) => {
    const edge = await edgeOf(config, c.req.raw, c.env);
    const calls: WeirOriginCalls = {
      fetch: (input, { origin = usual, ...init } = {}) => callOnce(edge, c, routeTo(edge.tables, origin), input, init),
    };
    // Beside what `limits` has left there; its getters stay.
    c.set("weir", Object.assign(c.get("weir") ?? {}, calls));
    await next();
  };
}

function callOnce(
  edge: Edge,
  c: Context<{ Bindings: BreakerBindings; Variables: BreakerVariables }>,
  route: CompiledRoute,
  input: Request | string,
  init: RequestInit,
): Promise<Response> {
  if (typeof input === "string" && !input.startsWith("/")) {
    throw new TypeError(`a path like "/items" is needed, not ${JSON.stringify(input.slice(0, 100))}`);
  }
  const incoming = c.req.raw;
  const request = new Request(typeof input === "string" ? route.origin.base + input : input, {
    signal: incoming.signal,
    ...init,
  });
  const prepare: Stage = (_edge, x) => {
    x.clientIp = incoming.headers.get("cf-connecting-ip") ?? "";
    x.route = route;
    x.caller = knownCaller(incoming) ?? unknownCaller(x.clientIp);
    return undefined;
  };
  const x = beginExchange(edge, request, c.env, c.executionCtx);
  return Promise.resolve(passThrough([receive, prepare, breakerStage, forward, degrade], edge, x));
}

/** A route for one call: everything to this origin, nothing cached, nothing charged. */
function routeTo(tables: Tables, originId: string): CompiledRoute {
  const origin = tables.origin(originId);
  if (origin === undefined) {
    const valid = tables.origins.map(({ id }) => id).join(", ");
    throw new TypeError(`unknown origin "${originId}"; valid: ${valid === "" ? "none is defined" : valid}`);
  }
  const { failover, deadlineMs } = origin.config;
  const id = `origin:${originId}`;
  return {
    config: { id, path: "/*", origin: originId, costMicro: MICRO_TOKENS_PER_TOKEN, limits: [], charge: "always" },
    id,
    origin,
    failover: failover === undefined ? undefined : tables.origin(failover),
    costMicro: MICRO_TOKENS_PER_TOKEN,
    lateCost: undefined,
    limits: [],
    deadlineMs,
    pages: undefined,
    ladder: failover === undefined ? [] : ["failover"],
  };
}

const NOBODY: CompiledTenant = {
  id: "anonymous",
  anonymous: true,
  plan: "",
  priority: "normal",
  limits: [],
  slotLimits: [],
  access: undefined,
};

/** Without `limits` before it: told apart by address, for the ramp and the origin's slots. */
function unknownCaller(clientIp: string): Caller {
  const { principal, coordinatorSuffix } = addressPartition(clientIp);
  return {
    tenant: NOBODY,
    coordinatorName: `anonymous:origin-calls:${coordinatorSuffix}`,
    principal,
    keyId: undefined,
    partitionKey: undefined,
    exempt: false,
  };
}
