/** A cap on what is under way at once, as a limit. */
import { SLOT_MICRO } from "../policy/limits/types.ts";
import type { LimitConfig } from "./model.ts";

const DEADLINE_MS = 150;

export function slotLimit(id: string, slots: number): LimitConfig {
  return {
    name: id,
    id,
    spec: { kind: "slots", slotsMicro: slots * SLOT_MICRO },
    partition: "tenant",
    mode: "enforce",
    failMode: "local",
    deadlineMs: DEADLINE_MS,
    quotaTokens: slots,
    windowSeconds: 1,
  };
}
