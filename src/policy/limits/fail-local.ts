/**
 * The fail mode `local`: while the coordinator is out of reach, this isolate admits its share of the limit: rate, burst
 * and slots divided by the last known number of active lessees (UNKNOWN_LESSEES when it never answered). Over-admission
 * during an outage is bounded by burst + rate × outage (slots: by the slots) as long as no more isolates than that are
 * active. A quota's share is what was last known to be free, without refill. At least one token, or one slot.
 */
import { costOf, type Holding } from "./lessee.ts";
import { refillPerSecond } from "./partition.ts";
import { MICRO_TOKENS_PER_TOKEN, SLOT_MICRO } from "./types.ts";

/** What is left of this isolate's share of one holding. */
export interface LocalShare {
  tokensMicro: number;
  atMs: number;
}

const UNKNOWN_LESSEES = 8;

export function newLocalShare(holding: Holding, nowMs: number): LocalShare {
  return { tokensMicro: localCapacity(holding), atMs: nowMs };
}

/** A part of the whole, for each of those who are known to share it. */
function partOf({ activeLessees }: Holding, whole: number): number {
  return whole / (activeLessees === 0 ? UNKNOWN_LESSEES : activeLessees);
}

function localCapacity(holding: Holding): number {
  const spec = holding.override ?? holding.spec;
  const whole = spec.kind === "bucket" ? spec.burstMicro : spec.kind === "slots" ? spec.slotsMicro : holding.freeMicro;
  return Math.max(MICRO_TOKENS_PER_TOKEN, Math.floor(partOf(holding, whole)));
}

/** True: the share can pay. Brings it to now; spends nothing. */
export function canSpendLocally(local: LocalShare, holding: Holding, costMicro: number, nowMs: number): boolean {
  const spec = holding.override ?? holding.spec;
  if (spec.kind === "slots") return holding.busyMicro + SLOT_MICRO <= localCapacity(holding);
  const gain = partOf(holding, (refillPerSecond(spec) * Math.max(0, nowMs - local.atMs)) / 1_000);
  local.tokensMicro = Math.min(Math.max(costMicro, localCapacity(holding)), local.tokensMicro + gain);
  local.atMs = nowMs;
  return local.tokensMicro >= costMicro;
}

/** Only after `canSpendLocally`. Slots are occupied by who holds them, not here. */
export function spendLocally(local: LocalShare, holding: Holding, costMicro: number): void {
  if (holding.spec.kind !== "slots") local.tokensMicro -= costOf(holding, costMicro);
}
