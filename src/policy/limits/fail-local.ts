/**
 * The fail mode `local`: while the coordinator is out of reach, this isolate admits its share of the limit, rate and
 * burst divided by the last known number of active lessees (UNKNOWN_LESSEES when it never answered). Over-admission during an outage
 * is bounded by burst + rate × outage as long as no more isolates than that are active. A quota's share is what was
 * last known to be free, without refill.
 */
import { refillPerSecond } from "./partition.ts";
import { type LimitSpec, MICRO_TOKENS_PER_TOKEN } from "./types.ts";

export interface LocalShare {
  tokensMicro: number;
  atMs: number;
}

const UNKNOWN_LESSEES = 8;

export function newLocalShare(spec: LimitSpec, freeMicro: number, activeLessees: number, nowMs: number): LocalShare {
  return { tokensMicro: localCapacity(spec, freeMicro, activeLessees), atMs: nowMs };
}

function localCapacity(spec: LimitSpec, freeMicro: number, activeLessees: number): number {
  const share = sharers(activeLessees);
  const whole = spec.kind === "bucket" ? spec.burstMicro : freeMicro;
  return Math.max(MICRO_TOKENS_PER_TOKEN, Math.floor(whole / share));
}

const sharers = (activeLessees: number): number => (activeLessees === 0 ? UNKNOWN_LESSEES : activeLessees);

/** True: admitted and paid for out of the local share. */
export function spendLocally(
  local: LocalShare,
  spec: LimitSpec,
  freeMicro: number,
  activeLessees: number,
  costMicro: number,
  nowMs: number,
): boolean {
  const share = sharers(activeLessees);
  const gain = (refillPerSecond(spec) * Math.max(0, nowMs - local.atMs)) / 1_000 / share;
  const capacity = Math.max(costMicro, localCapacity(spec, freeMicro, activeLessees));
  local.tokensMicro = Math.min(capacity, local.tokensMicro + gain);
  local.atMs = nowMs;
  if (local.tokensMicro < costMicro) return false;
  local.tokensMicro -= costMicro;
  return true;
}
