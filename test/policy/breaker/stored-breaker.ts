/** What the coordinator stores of a breaker, and reads when it restarts (docs/STORAGE.md): neither scores nor PoPs. */
import * as z from "zod";
import { type Breaker, newBreaker } from "../../../src/policy/breaker/state-machine.ts";
import type { BreakerSettings } from "../../../src/policy/breaker/types.ts";

const amount = z.number().nonnegative();
const waiting = { backoffMs: amount, nextProbeAtMs: amount };
const Stored = z.object({
  state: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("closed") }),
    z.object({ kind: z.literal("open"), ...waiting }),
    z.object({ kind: z.literal("half-open"), ...waiting, successes: amount }),
    z.object({ kind: z.literal("ramp"), startedAtMs: amount }),
  ]),
  forced: z
    .object({ state: z.enum(["open", "closed"]), reason: z.string(), by: z.string(), untilMs: amount })
    .optional(),
  epoch: amount,
  flaps: amount,
  closedAtMs: amount,
  probes: z.record(z.string(), amount),
});

export function store({ state, forced, epoch, flaps, closedAtMs, probes }: Breaker): string {
  const stored = {
    state,
    forced,
    epoch,
    flaps,
    closedAtMs: Math.max(0, closedAtMs),
    probes: Object.fromEntries(probes),
  };
  return JSON.stringify(stored);
}

export function restore(text: string, settings: BreakerSettings, nowMs: number): Breaker {
  const { probes, forced, ...stored } = Stored.parse(JSON.parse(text));
  const breaker = Object.assign(newBreaker(settings, nowMs), stored, { forced });
  for (const [leaseId, expiresAtMs] of Object.entries(probes)) breaker.probes.set(leaseId, expiresAtMs);
  return breaker;
}
