/**
 * Who is shed first when an origin's slots run out. Callers are in tiers, by priority class; a tenant that already has
 * more than its fair share of the calls under way counts as one class lower. Each tier is shed from a load of its own on,
 * within SPREAD of it tenant by tenant, always the same ones first. The highest is only refused when no slot is left.
 * The load is what the world lately reported, so this keeps the order, and the slots keep the bound.
 * Source: DESIGN section 6; Stripe, "Scaling your API with rate limiters" (fleet usage load shedder).
 */
import { hash32 } from "../kernel/hash.ts";
import type { Priority } from "../limits/types.ts";

const TIER: Readonly<Record<Priority, number>> = { high: 0, normal: 1, low: 2 };
/** Load, as a part of the slots, from which on a tier is shed. */
const SHED_FROM_RATIO: readonly number[] = [Number.POSITIVE_INFINITY, 0.9, 0.7, 0.5];
const SPREAD = 0.1;

/** `own` and `all`: calls to this origin under way here, of this tenant and of all; `tenants`: how many have some. */
export function tierOf(priority: Priority, own: number, all: number, tenants: number): number {
  const present = own === 0 ? tenants + 1 : tenants;
  const overShare = own > 0 && (own + 1) * present > all + 1;
  return TIER[priority] + (overShare ? 1 : 0);
}

/** `underWay`: calls to this origin in the world, without this one. */
export function isShed(tier: number, underWay: number, slots: number, tenantId: string): boolean {
  const excess = (underWay + 1) / slots - (SHED_FROM_RATIO[tier] ?? Number.POSITIVE_INFINITY);
  // Of few slots one must be left for everybody.
  if (excess <= 0 || underWay === 0) return false;
  return excess >= SPREAD || hash32(tenantId) / 4_294_967_296 < excess / SPREAD;
}
