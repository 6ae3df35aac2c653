/**
 * Who is shed first when an origin's slots run out: a class of lower priority may use only a part of them, so that the
 * rest stays for the others. Returns how many of `slots` (>= 1) calls of this class may fill together with all others:
 * at least one. Source: DESIGN section 6; Stripe, "Scaling your API with rate limiters" (fleet usage load shedder).
 */
import type { Priority } from "../limits/types.ts";

const USABLE_RATIO: Readonly<Record<Priority, number>> = { low: 0.7, normal: 0.9, high: 1 };

export function usableSlots(slots: number, priority: Priority): number {
  return Math.max(1, Math.floor(slots * USABLE_RATIO[priority]));
}
