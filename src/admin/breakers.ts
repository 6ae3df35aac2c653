/** Breakers by hand, and what became of them: each change is in the origin's own history, with who made it and why. */
import type { CompiledOrigin } from "../config/tables.ts";
import { originSettings } from "../edge/origin-views.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { originObjectName, type OriginSettings, type OriginStatus } from "../protocol/origin.ts";
import { signature } from "./access.ts";
import { breakerView, type BreakerView, forceBody, originParams, resetBody } from "./contract/breakers.ts";
import { originOf } from "./lookup.ts";
import { type Call, operation } from "./operation.ts";
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
  (call) =>
    byHand(call, (object, settings, by) =>
      callCoordinator(call.env, "ORIGIN", object, "force", { v: 1, settings, ...call.body, by }),
    ),
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
  (call) =>
    byHand(call, (object, settings, by) =>
      callCoordinator(call.env, "ORIGIN", object, "reset", { v: 1, settings, ...call.body, by }),
    ),
);

export const breakerOperations = [readBreaker, tripBreaker, resetBreaker];

/** Changes a breaker through its coordinator, with what was before for the audit. */
async function byHand(
  call: Call<{ readonly origin: string }, unknown, { readonly by?: string | undefined }>,
  change: (object: string, settings: OriginSettings, by: string) => Promise<OriginStatus>,
): Promise<BreakerView | Response> {
  const origin = originOf(call, call.params.origin);
  if (origin instanceof Response) return origin;
  call.before(await readView(call.env, origin));
  const settings = originSettings(origin, call.tables.configVersion);
  const asked = change(originObjectName(origin.id), settings, signature(call.actor, call.body.by));
  return viewOf(origin, await withDeadline(asked, COORDINATOR_DEADLINE_MS));
}

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
