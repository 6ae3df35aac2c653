/** Breakers by hand, and what became of them: each change is in the origin's own history, with who made it and why. */
import type { CompiledOrigin } from "../config/tables.ts";
import { originSettings } from "../edge/origin-views.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { originObjectName, type OriginStatus } from "../protocol/origin.ts";
import { signature } from "./access.ts";
import { breakerView, type BreakerView, forceBody, originParams, resetBody } from "./contract/breakers.ts";
import { originOf } from "./lookup.ts";
import { operation } from "./operation.ts";
import { COORDINATOR_DEADLINE_MS } from "./reply.ts";

const TAG = "Breakers";
const KEEPS = ["origin", "state", "forced", "epoch"];
const refusals = { 404: "There is no such origin." };

const readBreaker = operation(
  {
    id: "readBreaker",
    method: "GET",
    path: "/breakers/{origin}",
    tag: TAG,
    summary: "Read a breaker with its history",
    params: originParams,
    result: breakerView,
    refusals,
  },
  async (call) => {
    const origin = originOf(call, call.params.origin);
    return origin instanceof Response ? origin : readView(call.env, origin);
  },
);

const tripBreaker = operation(
  {
    id: "tripBreaker",
    method: "POST",
    path: "/breakers/{origin}/trip",
    tag: TAG,
    summary: "Force a breaker open, or closed, for a while",
    params: originParams,
    body: forceBody,
    example: { reason: "the shop is being moved", by: "ann", forMs: 900_000 },
    result: breakerView,
    refusals,
    keeps: KEEPS,
  },
  async (call) => {
    const { env, tables, actor, params, body } = call;
    const origin = originOf(call, params.origin);
    if (origin instanceof Response) return origin;
    call.before(await readView(env, origin));
    const settings = originSettings(origin, tables.configVersion);
    const request = { v: 1 as const, settings, ...body, by: signature(actor, body.by) };
    const asked = callCoordinator(env, "ORIGIN", originObjectName(origin.id), "force", request);
    return viewOf(origin, await withDeadline(asked, COORDINATOR_DEADLINE_MS));
  },
);

const resetBreaker = operation(
  {
    id: "resetBreaker",
    method: "POST",
    path: "/breakers/{origin}/reset",
    tag: TAG,
    summary: "Close a breaker, whatever it was",
    params: originParams,
    body: resetBody,
    example: { reason: "the move is done", by: "ann" },
    result: breakerView,
    refusals,
    keeps: KEEPS,
  },
  async (call) => {
    const { env, tables, actor, params, body } = call;
    const origin = originOf(call, params.origin);
    if (origin instanceof Response) return origin;
    call.before(await readView(env, origin));
    const settings = originSettings(origin, tables.configVersion);
    const request = { v: 1 as const, settings, ...body, by: signature(actor, body.by) };
    const asked = callCoordinator(env, "ORIGIN", originObjectName(origin.id), "reset", request);
    return viewOf(origin, await withDeadline(asked, COORDINATOR_DEADLINE_MS));
  },
);

export const breakerOperations = [readBreaker, tripBreaker, resetBreaker];

async function readView(env: Env, origin: CompiledOrigin): Promise<BreakerView> {
  const asked = callCoordinator(env, "ORIGIN", originObjectName(origin.id), "status", { v: 1 });
  return viewOf(origin, await withDeadline(asked, COORDINATOR_DEADLINE_MS));
}

function viewOf(origin: CompiledOrigin, status: OriginStatus): BreakerView {
  const { view, forced, score, outstandingProbes, pops, counts, history } = status;
  const earlyAgeMs = view?.earlyAgeMs;
  return {
    origin: origin.id,
    state: view?.state ?? "closed",
    forced: forced ?? null,
    score,
    epoch: view?.epoch ?? 0,
    outstandingProbes,
    pops,
    underWay: view?.underWay ?? 0,
    slots: view?.slots?.slots ?? null,
    earlyAgeMs: earlyAgeMs === undefined || !Number.isFinite(earlyAgeMs) ? null : earlyAgeMs,
    counts,
    history,
  };
}
