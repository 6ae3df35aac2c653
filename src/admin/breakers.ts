/** Breakers by hand, and what became of them: each change is in the origin's own history, with who made it and why. */
import type { z } from "zod";
import type { CompiledOrigin } from "../config/tables.ts";
import { originSettings } from "../edge/origin-views.ts";
import { originObjectName } from "../protocol/origin.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import type { OriginStatus } from "../protocol/origin.ts";
import type { BreakerView, forceBody, resetBody } from "./contract.ts";

const DEADLINE_MS = 2_000;

export async function readBreaker(env: Env, origin: CompiledOrigin): Promise<BreakerView> {
  const call = callCoordinator(env, "ORIGIN", originObjectName(origin.id), "status", { v: 1 });
  return viewOf(origin, await withDeadline(call, DEADLINE_MS));
}

export async function forceBreaker(
  env: Env,
  origin: CompiledOrigin,
  configVersion: number,
  body: z.infer<typeof forceBody>,
): Promise<BreakerView> {
  const request = { v: 1 as const, settings: originSettings(origin, configVersion), ...body };
  const call = callCoordinator(env, "ORIGIN", originObjectName(origin.id), "force", request);
  return viewOf(origin, await withDeadline(call, DEADLINE_MS));
}

export async function resetBreaker(
  env: Env,
  origin: CompiledOrigin,
  configVersion: number,
  body: z.infer<typeof resetBody>,
): Promise<BreakerView> {
  const request = { v: 1 as const, settings: originSettings(origin, configVersion), ...body };
  const call = callCoordinator(env, "ORIGIN", originObjectName(origin.id), "reset", request);
  return viewOf(origin, await withDeadline(call, DEADLINE_MS));
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
