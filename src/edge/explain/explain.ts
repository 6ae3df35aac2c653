/**
 * What would become of a request: the real stages, in an edge that stands beside the isolate's own. It knows what that
 * one knows, as copies; its coordinators can only be asked, see `doors`; it stops at the door of the origin. So nothing is
 * spent, leased, reported, counted, stored or sent, and the decision is the one that the request would meet in this
 * isolate now. Another isolate may hold other leases. What chance decides (a brown-out, the ramp) is drawn anew.
 *
 * Only read: the coordinators' state, KV, the PoP's cache. An issuer's keys are fetched as for a request, if nobody has.
 */
import type { Tables } from "../../config/tables.ts";
import type { Env } from "../../platform/bindings.ts";
import { originObjectName, type OriginSettings } from "../../protocol/origin.ts";
import { tenantCoordinator } from "../../protocol/tenant.ts";
import { beginExchange } from "../begin-exchange.ts";
import type { OriginRequest } from "../call-origin.ts";
import { Edge } from "../edge.ts";
import type { Answer, Exchange } from "../exchange.ts";
import { findTenant, tenantOf } from "../identity/tenants.ts";
import { originSettings } from "../origin-views.ts";
import { type Stage, STAGES } from "../pipeline.ts";
import { refuse } from "../refuse.ts";
import { identify } from "../stages/identify.ts";
import { respond } from "../stages/respond.ts";
import { rollout, rolloutBy } from "../stages/rollout.ts";
import { OriginDoor, readOnly } from "./doors.ts";
import { ladderOf, type RungStep } from "./ladder.ts";
import type { Step } from "./step.ts";
import { describeStage } from "./steps.ts";

export interface ExplainWanted {
  /** Of GET, where its method is one that a Request cannot have. */
  readonly request: Request;
  readonly method: string;
  /** Whose request it would be, without a credential. */
  readonly tenant: string | undefined;
  /** By which config, whoever calls. */
  readonly config: "in-force" | "canary" | undefined;
}

export interface ExplainedCall {
  readonly origin: string;
  readonly role: "origin" | "failover" | "refresh";
  readonly method: string;
  readonly url: string;
  /** Names of the request's headers that do not go there, and of those that are set for it. */
  readonly droppedHeaders: readonly string[];
  readonly addedHeaders: readonly string[];
}

export interface Explanation {
  readonly steps: readonly Step[];
  /** What would answer if the origin could not, in order; empty where nothing is routed. */
  readonly ladder: readonly RungStep[];
  readonly predicted: {
    /** Null: as the origin says. */
    readonly status: number | null;
    readonly served: string | null;
    readonly refusal: string | null;
    readonly rung: string | null;
    readonly headers: Readonly<Record<string, string>>;
  };
  readonly calls: readonly ExplainedCall[];
  /** Undefined: nobody was found out. */
  readonly tenantId: string | undefined;
}

export async function explain(edge: Edge, env: Env, wanted: ExplainWanted): Promise<Explanation> {
  const door = new OriginDoor();
  const beside = new Edge(edge.tables.config, edge.pop, undefined, { edge, callOrigin: door.call });
  const doors = readOnly(env, (name) => settingsOf([beside.tables, x.tables], name));
  const x: Exchange = beginExchange(beside, wanted.request, doors, {
    waitUntil: (work) => void work.catch(() => null),
  });
  x.method = wanted.method;
  const { canary } = edge.config;
  if (wanted.config === "canary" && canary !== undefined) {
    x.tables = canary.tables;
    x.inCanary = true;
  }
  const steps: Step[] = [];
  let answer: Answer | undefined;
  for (const stage of STAGES) {
    const result = instead(stage, wanted)(beside, x);
    answer = result instanceof Promise ? await result : result;
    x.nowMs = beside.now();
    steps.push(
      await describeStage(stage, { edge: beside, x, env, wanted, calls: door.calls, answered: answer !== undefined }),
    );
    if (answer !== undefined) break;
  }
  const calls = door.calls.map((call) => explainCall(x, call));
  const predicted = predict(beside, x, answer, calls);
  const ladder = await ladderOf(beside, x);
  x.onEnd?.();
  return { steps, ladder, predicted, calls, tenantId: x.caller?.tenant.id };
}

/** What is given replaces what would be found out. */
function instead(stage: Stage, { tenant, config }: ExplainWanted): Stage {
  const findCaller = tenant === undefined ? identify : assume(tenant);
  if (stage === identify) return findCaller;
  if (stage !== rollout) return stage;
  return config === undefined ? (edge, x) => rolloutBy(findCaller, edge, x) : () => undefined;
}

/** Its principal has used nothing yet. */
const ASSUMED_PRINCIPAL = "explained";

const assume =
  (id: string): Stage =>
  (edge, x) => {
    const accept = (tenant: NonNullable<ReturnType<typeof tenantOf>>): undefined => {
      x.caller = {
        tenant,
        coordinatorName: tenantCoordinator(id),
        principal: ASSUMED_PRINCIPAL,
        keyId: undefined,
        partitionKey: undefined,
        exempt: false,
      };
    };
    const tenant = tenantOf(x, id);
    return tenant === undefined ? findTenant(edge, x, { id }, accept, () => refuse(x, "invalid-key")) : accept(tenant);
  };

function settingsOf(known: readonly Tables[], objectName: string): OriginSettings | undefined {
  for (const tables of known) {
    const origin = tables.origins.find(({ stateId }) => originObjectName(stateId) === objectName);
    if (origin !== undefined) return originSettings(origin, tables.configVersion);
  }
  return undefined;
}

function explainCall(x: Exchange, call: OriginRequest): ExplainedCall {
  const { origin, method, path, query, headers, clientGone } = call;
  const { inbound } = x;
  return {
    origin: origin.id,
    role: clientGone === undefined ? "refresh" : origin === x.route?.failover ? "failover" : "origin",
    method,
    url: origin.base + origin.pathPrefix + path + query,
    droppedHeaders: [...inbound.keys()].filter((name) => !headers.has(name)),
    addedHeaders: [...headers.keys()].filter((name) => !inbound.has(name)),
  };
}

/** Of an answer's fields those that say how it came about. */
const SHOWN_FIELDS: readonly string[] = [
  "age",
  "allow",
  "cache-status",
  "content-language",
  "content-type",
  "proxy-status",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "weir-fail-mode",
  "weir-served",
  "www-authenticate",
  "x-ratelimit-limit",
  "x-ratelimit-remaining",
  "x-ratelimit-reset",
];

function predict(
  edge: Edge,
  x: Exchange,
  answer: Answer | undefined,
  calls: readonly ExplainedCall[],
): Explanation["predicted"] {
  const called = calls.find(({ role }) => role !== "refresh")?.role;
  if (called === "origin" || called === "failover") {
    x.served = called;
    x.refusal = undefined;
    x.retryAfterMs = undefined;
    if (called === "failover") x.rung = "failover";
  }
  const response = respond(edge, x, called === undefined && answer !== undefined ? answer : new Response(null));
  const { status, headers, body } = response;
  // Nobody reads it; what it came from may be held by it.
  void body?.cancel().catch(() => undefined);
  const shown = SHOWN_FIELDS.flatMap((name): [string, string][] => {
    const value = headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  return {
    status: called === undefined ? status : null,
    served: x.served ?? null,
    refusal: x.refusal ?? null,
    rung: x.rung ?? null,
    headers: Object.fromEntries(shown),
  };
}
