/**
 * Outages, from breakers' transitions: when each began, was detected, told and over; and the mean times of those.
 *
 * An incident begins with the first failure of the evidence that opened the breaker, is detected when it opened, and is
 * over when the ramp has ended: probes that fail, and a ramp that opens again, are the same one. A PoP opened alone is one
 * of its own, and over by itself; opened again within PAUSE_MS it is the same one. What a hand opened or closed is kept,
 * and left out of the means.
 * Transitions of one origin come in order, the newest perhaps again: one that is known changes nothing.
 * Changes `outages` in place. Cost: O(incidents) of MAX_INCIDENTS at most.
 */
import type { Transition } from "../breaker/state-machine.ts";
import type { Incident } from "./types.ts";

/** See protocol/monitor. */
export interface HeardTransition {
  readonly originId: string;
  readonly pop?: string;
  readonly transition: Transition;
  readonly sinceMs: number;
  readonly untilMs?: number;
}

/** How an origin's breaker is, as far as heard. */
export interface HeardBreaker {
  readonly originId: string;
  readonly to: string;
  readonly atMs: number;
  readonly epoch: number;
  readonly reason: string;
  readonly by: string | undefined;
}

export interface Outages {
  readonly breakers: Map<string, HeardBreaker>;
  /** In the order in which they were detected. */
  readonly incidents: Incident[];
}

export const MAX_BREAKERS = 200;
export const MAX_INCIDENTS = 200;
/** A PoP that fails again so soon after it closed had not recovered. */
const PAUSE_MS = 60_000;

export const newOutages = (): Outages => ({ breakers: new Map(), incidents: [] });

/** False: it is known, and nothing has changed. */
export function hearTransition(outages: Outages, heard: HeardTransition): boolean {
  return heard.pop === undefined ? hearWorld(outages, heard) : hearPop(outages, heard, heard.pop);
}

function hearWorld({ breakers, incidents }: Outages, { originId, transition, sinceMs }: HeardTransition): boolean {
  const { to, atMs, epoch, reason, by } = transition;
  const known = breakers.get(originId);
  if (known !== undefined && epoch <= known.epoch && atMs <= known.atMs) return false;
  breakers.delete(originId);
  breakers.set(originId, { originId, to, atMs, epoch, reason, by });
  for (const [oldest] of breakers) {
    if (breakers.size <= MAX_BREAKERS) break;
    breakers.delete(oldest);
  }
  const lasting = incidents.findLastIndex(
    (one) => one.originId === originId && one.pop === undefined && one.recoveredAtMs === undefined,
  );
  const incident = incidents[lasting];
  if (to === "closed" || to === "forced-closed") {
    if (incident !== undefined) {
      incidents[lasting] = { ...incident, recoveredAtMs: atMs, byHand: incident.byHand || by !== undefined };
    }
  } else if (incident === undefined && (to === "open" || to === "forced-open")) {
    const byHand = by !== undefined;
    add(incidents, { ...NEW, originId, pop: undefined, beganAtMs: sinceMs, detectedAtMs: atMs, reason, byHand });
  }
  return true;
}

function hearPop(
  { incidents }: Outages,
  { originId, transition, sinceMs, untilMs = transition.atMs }: HeardTransition,
  pop: string,
): boolean {
  const last = incidents.findLastIndex((one) => one.originId === originId && one.pop === pop);
  const incident = incidents[last];
  if (incident !== undefined && untilMs <= (incident.recoveredAtMs ?? 0)) return false;
  if (incident !== undefined && transition.atMs <= (incident.recoveredAtMs ?? 0) + PAUSE_MS) {
    incidents[last] = { ...incident, recoveredAtMs: untilMs };
    return true;
  }
  const { atMs, reason } = transition;
  add(incidents, { ...NEW, originId, pop, beganAtMs: sinceMs, detectedAtMs: atMs, recoveredAtMs: untilMs, reason });
  return true;
}

const NEW = { toldAtMs: undefined, recoveredAtMs: undefined, byHand: false };

function add(incidents: Incident[], incident: Incident): void {
  incidents.push(incident);
  if (incidents.length > MAX_INCIDENTS) incidents.splice(0, incidents.length - MAX_INCIDENTS);
}

/** The alert of its last incident was tried to be told. False: there is none, or it had been before. */
export function noteTold({ incidents }: Outages, originId: string, pop: string | undefined, atMs: number): boolean {
  const last = incidents.findLastIndex((one) => one.originId === originId && one.pop === pop);
  const incident = incidents[last];
  if (incident === undefined || incident.toldAtMs !== undefined) return false;
  incidents[last] = { ...incident, toldAtMs: atMs };
  return true;
}

export interface MeanTimes {
  readonly origin: string;
  readonly incidents: number;
  /** From the first failure to the opening; undefined: there was no incident. */
  readonly mttdMs: number | undefined;
  /** From the first failure to the ramp's end, of those that are over. */
  readonly mttrMs: number | undefined;
}

/** Of each origin, over incidents of the world's breaker that no hand had part in. Sorted by origin. */
export function meanTimes(incidents: readonly Incident[]): readonly MeanTimes[] {
  const byOrigin = Map.groupBy(
    incidents.filter(({ byHand, pop }) => !byHand && pop === undefined),
    ({ originId }) => originId,
  );
  return [...byOrigin]
    .map(([origin, own]) => ({
      origin,
      incidents: own.length,
      mttdMs: mean(own.map(({ beganAtMs, detectedAtMs }) => detectedAtMs - beganAtMs)),
      mttrMs: mean(
        own.flatMap(({ beganAtMs, recoveredAtMs }) => (recoveredAtMs === undefined ? [] : [recoveredAtMs - beganAtMs])),
      ),
    }))
    .toSorted((a, b) => (a.origin < b.origin ? -1 : 1));
}

const mean = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
