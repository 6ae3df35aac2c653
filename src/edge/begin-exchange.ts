/** One request before its first stage. */
import type { Env } from "../platform/bindings.ts";
import type { Edge } from "./edge.ts";
import type { Exchange } from "./exchange.ts";
import { outboundHeaders } from "./outbound.ts";

type Site = Pick<Edge, "tables" | "pop" | "now" | "traceIdOf">;

export function beginExchange(
  edge: Site,
  request: Request,
  env: Env,
  context: Pick<ExecutionContext, "waitUntil">,
  rawUrl = request.url,
): Exchange {
  return new Begun(edge, request, env, context, rawUrl);
}

/** A class, because an object literal with an accessor is made much more slowly; one is made for every request. */
class Begun implements Exchange {
  readonly request: Exchange["request"];
  readonly inbound: Exchange["inbound"];
  readonly rawUrl: Exchange["rawUrl"];
  readonly env: Exchange["env"];
  readonly waitUntil: Exchange["waitUntil"];
  tables: Exchange["tables"];
  readonly pop: Exchange["pop"];
  readonly startedAtMs: Exchange["startedAtMs"];
  nowMs: Exchange["nowMs"];
  method: Exchange["method"];
  requestId: Exchange["requestId"] = "";
  url: Exchange["url"] = undefined;
  consumedHeaders: Exchange["consumedHeaders"] = NOTHING;
  trialNumber: Exchange["trialNumber"] = undefined;
  inCanary: Exchange["inCanary"] = false;
  route: Exchange["route"] = undefined;
  terms: Exchange["terms"] = undefined;
  caller: Exchange["caller"] = undefined;
  maintenance: Exchange["maintenance"] = undefined;
  admission: Exchange["admission"] = undefined;
  cache: Exchange["cache"] = undefined;
  breaker: Exchange["breaker"] = undefined;
  body: Exchange["body"] = null;
  failure: Exchange["failure"] = undefined;
  attempts: Exchange["attempts"] = 0;
  served: Exchange["served"] = undefined;
  rung: Exchange["rung"] = undefined;
  cacheStatus: Exchange["cacheStatus"] = undefined;
  proxyError: Exchange["proxyError"] = undefined;
  refusal: Exchange["refusal"] = undefined;
  retryAfterMs: Exchange["retryAfterMs"] = undefined;
  violated: Exchange["violated"] = NONE;
  failMode: Exchange["failMode"] = undefined;
  onEnd: Exchange["onEnd"] = undefined;
  lateCost: Exchange["lateCost"] = undefined;
  streams: Exchange["streams"] = false;
  readonly #edge: Site;
  #headers: Headers | undefined = undefined;
  #clientIp: string | undefined = undefined;

  constructor(edge: Site, request: Request, env: Env, context: Pick<ExecutionContext, "waitUntil">, rawUrl: string) {
    this.#edge = edge;
    this.request = request;
    this.inbound = request.headers;
    this.rawUrl = rawUrl;
    this.env = env;
    this.waitUntil = (work): void => {
      context.waitUntil(work);
    };
    this.tables = edge.tables;
    this.pop = edge.pop;
    this.startedAtMs = edge.now();
    this.nowMs = this.startedAtMs;
    this.method = request.method;
  }

  get clientIp(): string {
    return (this.#clientIp ??= this.inbound.get("cf-connecting-ip") ?? "");
  }

  set clientIp(clientIp: string) {
    this.#clientIp = clientIp;
  }

  get headers(): Headers {
    return (this.#headers ??= outboundHeaders(this.#edge, this));
  }
}

const NONE: Exchange["violated"] = [];
const NOTHING: Exchange["consumedHeaders"] = [];
