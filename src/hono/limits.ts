/**
 * Limits alone, in front of an application of your own: who calls, may they, is there a token. The stages are the
 * gateway's; in the place of an origin stands the rest of the application. What is refused is answered as the gateway
 * answers it, with the same headers; what is admitted gets `c.var.weir`, and its answer the `RateLimit` fields.
 */
import type { Context, MiddlewareHandler, Next } from "hono";
import type { ConfigSource } from "../config/define.ts";
import { BOUNDS } from "../config/schema-parts.ts";
import type { Edge } from "../edge/edge.ts";
import {
  type AdmissionRecord,
  type Caller,
  type ChargeTerms,
  type Exchange,
  SERVED,
  type Served,
  type StageAnswer,
} from "../edge/exchange.ts";
import { beginExchange } from "../edge/begin-exchange.ts";
import { passThrough, type Stage } from "../edge/pipeline.ts";
import { refuse } from "../edge/refuse.ts";
import { access } from "../edge/stages/access.ts";
import { admitRequest, charge } from "../edge/stages/admit.ts";
import { noteAnswer } from "../edge/stages/forward.ts";
import { ANONYMOUS_PARTITIONS, identify } from "../edge/stages/identify.ts";
import { receive } from "../edge/stages/ingress.ts";
import type { Env } from "../platform/bindings.ts";
import { tenantCoordinator } from "../protocol/tenant.ts";
import { verdictOfStatus } from "../policy/forwarding/verdict.ts";
import { hash32 } from "../policy/kernel/hash.ts";
import { MICRO_TOKENS_PER_TOKEN } from "../policy/limits/types.ts";
import { edgeOf, noteCaller } from "./edges.ts";
import { series } from "../protocol/series.ts";

/** `METRICS` and the secrets where they are used. */
export type LimitsBindings = Env & Required<Pick<Env, "TENANT">>;

/** A tenant of the config by its id, or one that only the application knows, by its plan. */
export type NamedTenant =
  | string
  | {
      readonly id: string;
      /** Needed where the config does not name the tenant. */
      readonly plan?: string;
      /** Who calls, inside the tenant: for limits per principal. Hashed, so that it may be anything. */
      readonly principal?: string;
    };

/** What the functions of the options see: your bindings, and variables that earlier middlewares have set. */
export type LimitsContext<Bindings extends object, Variables extends object = object> = Context<{
  Bindings: Bindings;
  Variables: Variables & LimitsVariables;
}>;

export interface LimitsOptions<Bindings extends LimitsBindings, Variables extends object = object> {
  readonly config: ConfigSource;
  /**
   * Who calls. The application vouches for it: each id makes a coordinator, so never take it unchecked from the request.
   * Undefined, or no such function: the config's `identity` decides (API keys; anonymous callers by address).
   */
  readonly tenant?: (
    c: LimitsContext<Bindings, Variables>,
  ) => NamedTenant | undefined | Promise<NamedTenant | undefined>;
  /** Tokens this request takes, a whole number from 1. Default: the cost of the config's route that matches, or 1. */
  readonly cost?: (c: LimitsContext<Bindings, Variables>) => number;
}

/** What one limit had left after this request, as this isolate knows it. */
export interface LimitLeft {
  readonly name: string;
  readonly quota: number;
  readonly remaining: number;
  /** Undefined for concurrency: nobody knows when a slot is free. */
  readonly resetSeconds: number | undefined;
}

export interface WeirAdmission {
  readonly tenant: string;
  readonly requestId: string;
  /** Undefined: nothing was charged, because no limit applies. */
  readonly decidedBy: AdmissionRecord["decidedBy"] | undefined;
  readonly limits: readonly LimitLeft[];
  /** Of the limit that has the least left; undefined where none applies. */
  readonly remaining: number | undefined;
}

export interface LimitsVariables {
  weir: WeirAdmission;
}

export function limits<Bindings extends LimitsBindings = LimitsBindings, Variables extends object = object>(
  options: LimitsOptions<Bindings, Variables>,
): MiddlewareHandler<{ Bindings: Bindings; Variables: LimitsVariables }> {
  return async (c, next) => {
    const edge = await edgeOf(options.config, c.req.raw, c.env);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- which variables earlier middlewares set, only the user knows
    const seen = c as unknown as LimitsContext<Bindings, Variables>;
    const behind = application(
      c.req.raw,
      next,
      (admission) => {
        c.set("weir", admission);
      },
      () => c.res,
    );
    const stages = [receive, place, named(options, seen), access, charged(options, seen), behind];
    const answer = await passThrough(stages, edge, beginExchange(edge, c.req.raw, c.env, c.executionCtx));
    // Else Hono would put the old headers over the new ones.
    c.res = undefined;
    c.res = answer;
  };
}

/** Nothing need be routed here; a route that matches adds its limits, and a key may be good for it or not. */
const place: Stage = (_edge, x) => {
  if (x.url !== undefined) x.route = x.tables.matchRoute(x.method, x.url.host, x.url.path);
  return undefined;
};

function named<Bindings extends LimitsBindings, Variables extends object>(
  { tenant }: LimitsOptions<Bindings, Variables>,
  c: LimitsContext<Bindings, Variables>,
): Stage {
  return (edge, x) => {
    const name = tenant?.(c);
    return name instanceof Promise ? name.then((settled) => accept(edge, x, settled)) : accept(edge, x, name);
  };
}

function accept(edge: Edge, x: Exchange, name: NamedTenant | undefined): StageAnswer {
  if (name === undefined) return identify(edge, x);
  const { id, plan, principal = "" } = typeof name === "string" ? { id: name } : name;
  const tenant = x.tables.tenant(id) ?? (plan === undefined ? undefined : x.tables.tenantOn(plan, id));
  if (tenant === undefined) {
    edge.counters.countEvent(series("weir_unknown_tenant_total"));
    return refuse(x, "denied");
  }
  x.caller = {
    tenant,
    coordinatorName: tenantCoordinator(id),
    principal: `h${hash32(principal) % ANONYMOUS_PARTITIONS}`,
    keyId: undefined,
    partitionKey: undefined,
    exempt: false,
  };
  return undefined;
}

const NOTHING: ChargeTerms["limits"] = [];

function charged<Bindings extends LimitsBindings, Variables extends object>(
  { cost }: LimitsOptions<Bindings, Variables>,
  c: LimitsContext<Bindings, Variables>,
): Stage {
  return (edge, x) => {
    const { caller } = x;
    if (caller === undefined) return undefined;
    const costMicro = cost === undefined ? (x.route?.costMicro ?? MICRO_TOKENS_PER_TOKEN) : micro(cost(c));
    x.terms = { limits: x.route?.limits ?? NOTHING, costMicro };
    return charge(edge, x, x.terms, caller);
  };
}

function micro(tokens: number): number {
  if (Number.isInteger(tokens) && tokens >= 1 && tokens <= BOUNDS.cost) return tokens * MICRO_TOKENS_PER_TOKEN;
  throw new RangeError(`cost must be a whole number from 1 to ${BOUNDS.cost}, not ${tokens}`);
}

const SWITCHING_PROTOCOLS = 101;

/** What is behind the limits, in the place of an origin. Its 5xx gives back quota, as an origin's does. */
function application(
  request: Request,
  next: Next,
  publish: (admission: WeirAdmission) => void,
  answered: () => Response,
): Stage {
  return async (edge, x) => {
    if (x.caller === undefined) return undefined;
    noteCaller(request, x.caller);
    publish(admissionOf(edge, x, x.caller));
    await next();
    const res = answered();
    x.served = servedBy(res);
    noteAnswer(x, res);
    if (res.status === SWITCHING_PROTOCOLS) return res;
    if (verdictOfStatus(res.status).kind === "failure") {
      x.failure = { reason: "status", retryAfterMs: undefined, response: undefined };
    }
    // Whatever it came from, these headers can be changed.
    return new Response(res.body, res);
  };
}

/** The application stands for an origin, unless it asked one and says what that was. */
function servedBy({ headers }: Response): Served {
  const served = headers.get("weir-served");
  return SERVED.find((known) => known === served) ?? "origin";
}

function admissionOf(edge: Edge, x: Exchange, caller: Caller): WeirAdmission {
  let limits: readonly LimitLeft[] | undefined;
  const read = (): readonly LimitLeft[] => (limits ??= limitsLeft(edge, x, caller));
  return {
    tenant: caller.tenant.id,
    requestId: x.requestId,
    decidedBy: x.admission?.decidedBy,
    get limits() {
      return read();
    },
    get remaining() {
      const left = read().map(({ remaining }) => remaining);
      return left.length === 0 ? undefined : Math.min(...left);
    },
  };
}

function limitsLeft(edge: Edge, x: Exchange, caller: Caller): readonly LimitLeft[] {
  if (x.terms === undefined || caller.exempt) return [];
  return edge.lessees.describe(admitRequest(edge, x, x.terms, caller)).map((reading) => ({
    name: reading.limit.name,
    quota: reading.quotaTokens,
    remaining: reading.remainingTokens,
    resetSeconds: reading.resetSeconds,
  }));
}
