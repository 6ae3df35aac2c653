/** One request on its way through the stages: what earlier stages found out and later stages need. */
import type { Tables, CompiledRoute, CompiledTenant } from "../config/tables.ts";
import type { LimitConfig } from "../config/model.ts";
import type { CanonicalUrl } from "../http/canonical-url.ts";
import type { Directives } from "../policy/cache/cache-control.ts";
import type { CachePolicy } from "../policy/cache/freshness.ts";
import type { Rung } from "../policy/degradation/ladder.ts";
import type { MaintenanceVerdict } from "../policy/degradation/maintenance.ts";
import type { FailMode } from "../policy/limits/types.ts";
import type { Charged } from "./lessees/charged.ts";
import type { KeyUse } from "./lessees/tenant-lessee.ts";
import type { OriginAnswer } from "./call-origin.ts";
import type { Flight } from "./cache/flights.ts";
import type { KeptHeaders } from "./cache/kept-headers.ts";
import type { StoredResponse } from "./cache/response-store.ts";
import type { OriginPurges } from "./purges.ts";
import type { Refusal } from "../http/problem.ts";
import type { ProxyError } from "../http/structured.ts";
import type { Env } from "../platform/bindings.ts";

export const SERVED = ["origin", "cache", "stale", "snapshot", "failover", "deferred", "fallback"] as const;
export type Served = (typeof SERVED)[number];

/** Who calls: set by `identify`, and by `access` whether it is exempt. */
export interface Caller {
  readonly tenant: CompiledTenant;
  /** Name of the tenant's coordinator object. Anonymous callers share a fixed number of them. */
  readonly coordinatorName: string;
  /** Key id, hashed subject or hashed address: the partition of per-principal limits. */
  readonly principal: string;
  /** Key id for API keys, undefined for all other callers. */
  readonly keyId: string | undefined;
  /** With `keyId`: when its use is told next. */
  readonly keyUse?: KeyUse;
  /** Says which partition of a per-principal limit this is, and nothing else: a truncated HMAC, base64. */
  readonly partitionKey: string | undefined;
  /** access: on an exempt list, so limits do not charge it */
  exempt: boolean;
}

/** What a request is charged beside its tenant's limits: a route, or what stands for one. */
export type ChargeTerms = Pick<CompiledRoute, "limits" | "costMicro">;

/** How `admit` decided, for headers and counters. */
export interface AdmissionRecord {
  readonly decidedBy: "lease" | "coordinator" | "fail-local" | "fail-open";
  readonly decidedAtMs: number;
  readonly charged: Charged;
}

export interface Exchange {
  readonly request: Request;
  /** Of `request`, as received: each look at them there asks the runtime. */
  readonly inbound: Headers;
  /** Likewise; for `ingress` alone. */
  readonly rawUrl: string;
  readonly env: Env;
  /** Keeps work alive after the response. */
  readonly waitUntil: (work: Promise<unknown>) => void;
  /** The tables this request began with; a new config never changes them under way, but for `rollout`'s choice. */
  tables: Tables;
  readonly pop: string;
  readonly startedAtMs: number;
  /** When the stage under way began. Whoever waits for something asks the clock again. */
  nowMs: number;

  /** ingress */
  method: string;
  requestId: string;
  url: CanonicalUrl | undefined;
  /** Cleaned request headers, ours: stages may change them before forwarding. Made when first read: a hit never needs them. */
  readonly headers: Headers;
  /** As the platform says, "" when it says nothing. Read when it is first asked for: few need it. */
  clientIp: string;
  /** rollout: the config on trial, if there is one, and whether this request has it. */
  trialNumber: number | undefined;
  inCanary: boolean;
  /** route */
  route: CompiledRoute | undefined;
  /** What is charged beside the tenant's limits, where that is not the route. */
  terms: ChargeTerms | undefined;
  /** identify */
  caller: Caller | undefined;
  /** maintenance: undefined where none is in force */
  maintenance: MaintenanceVerdict | undefined;
  /** admit */
  admission: AdmissionRecord | undefined;
  /** cache: undefined where the route has none */
  cache: CacheContext | undefined;
  /** breaker: undefined until decided */
  breaker: BreakerPassage | undefined;
  /** forward: what was sent; a stream can be sent only once */
  body: ArrayBuffer | ReadableStream | null;
  /** what the origin said or how it failed, for `degrade` */
  failure: OriginFailure | undefined;
  /** forward, degrade: tries of origin calls */
  attempts: number;
  /** for `respond` and `record` */
  served: Served | undefined;
  /** degrade: the rung that answered */
  rung: Rung | undefined;
  cacheStatus: string | undefined;
  proxyError: ProxyError | undefined;
  refusal: Refusal | undefined;
  retryAfterMs: number | undefined;
  violated: readonly LimitConfig[];
  /** A limit decided without its coordinator. */
  failMode: FailMode | undefined;
  /** To be called when the answer is complete, also when nobody waits for it any more. */
  onEnd: (() => void) | undefined;
  /** What the origin said that this request cost. */
  lateCost: string | undefined;
  /** The answer's body is still coming from the origin. */
  streams: boolean;
  /** identify: headers that are ours, and go no further; lower-case. */
  consumedHeaders: readonly string[];
}

/** What the cache knows of this request. */
export interface CacheContext {
  readonly key: string;
  readonly policy: CachePolicy;
  /** GET or HEAD of a whole resource. */
  readonly cacheable: boolean;
  /** The request's own directives. */
  readonly asked: Directives | undefined;
  /** What is stored, fresh or not. */
  entry: StoredResponse | undefined;
  /** This request leads: others wait for what it finds out. */
  flight: Flight | undefined;
  readonly requestedAtMs: number;
  /** What is known of purges, and up to which when the origin request began. */
  readonly purges: OriginPurges;
  purgeEpoch: number;
}

/** What the breaker said to this request. */
export type BreakerPassage =
  | { readonly kind: "go"; readonly mayRetry: boolean }
  | { readonly kind: "probe"; readonly leaseId: string; readonly epoch: number }
  | { readonly kind: "refused"; readonly retryAfterMs: number; readonly isMaintenance?: true };

/** Why the origin could not answer; `response` is its own 5xx answer when there was one, `answer` what it was made of. */
export interface OriginFailure {
  readonly reason: "breaker-open" | "maintenance" | "network" | "timeout" | "status" | "body" | "internal" | "bulkhead";
  readonly retryAfterMs: number | undefined;
  readonly response: Response | undefined;
  readonly answer?: OriginAnswer;
}

/** Does `work` when the exchange has ended, after what was to be done before. */
export function atEnd(x: Exchange, work: () => void): void {
  const { onEnd } = x;
  x.onEnd = (): void => {
    onEnd?.();
    work();
  };
}

/**
 * A 200 from the store whose Response is not made yet: `respond` makes it once, with all its fields. Each field that is
 * set on a Response costs a crossing into the runtime; a record of them crosses once.
 */
export class Draft {
  readonly fields: FieldRecord;
  readonly #body: ArrayBuffer;
  readonly #kept: KeptHeaders | undefined;

  /** `kept`: of the answer before, where they were kept. */
  constructor(body: ArrayBuffer, fields: FieldRecord, kept: KeptHeaders | undefined) {
    this.#body = body;
    this.fields = fields;
    this.#kept = kept;
  }

  toResponse(): Response {
    return this.#kept?.answer(this.#body, this.fields) ?? new Response(this.#body, { headers: this.fields });
  }

  set(name: string, value: string): void {
    this.fields[name] = value;
  }

  append(name: string, value: string): void {
    const known = this.fields[name];
    this.fields[name] = known === undefined ? value : `${known}, ${value}`;
  }

  delete(name: string): void {
    delete this.fields[name];
  }
}

/** Names are lower-case. */
export type FieldRecord = Record<string, string>;

/** Where the fields of an answer are set. */
export type Fields = Pick<Headers, "set" | "append" | "delete">;

/** A Response whose headers are our own may still be changed. */
export type Answer = Response | Draft;

/** A stage answers, or passes on. */
export type StageAnswer = Answer | undefined | Promise<Answer | undefined>;
