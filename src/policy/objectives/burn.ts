/**
 * How fast an objective's error budget is spent, and whether that is worth telling: multi-window, multi-burn-rate alerts.
 *
 * A burn rate of 1 spends the budget exactly within the objective's window. A pair burns when both its windows burn faster
 * than its factor: the long one says that it matters, the short one (about a twelfth) that it still happens, so an alert
 * ends soon after what caused it. Whatever the objective's window, a pair means the same share of its budget: 2 % (page),
 * 5 % (page), 10 % (ticket), 10 % (ticket). At 30 days that is 14.4×(1 h/5 m), 6×(6 h/30 m), 3×(1 d/2 h), 1×(3 d/6 h); at
 * 28 days the factors are 13.44, 5.6, 2.8, 0.93; below 28 days the windows shrink with the objective's.
 * Guard: with fewer than LEAST_BAD_EVENTS bad events in the long window nothing burns: one failure among ten requests is a
 * rate of hundreds and means nothing.
 * A window that is longer than anything recorded is judged by what is there, as if nothing had been asked before.
 * Source: Google SRE workbook, chapter 5, table 5-8; sloth `google-30d.yaml` and its 28-day test.
 */
import type { BurnWindow, EventCounts, Objective } from "./types.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

export const LEAST_BAD_EVENTS = 10;
/** From here on windows stay, and factors grow. */
const SETTLED_WINDOW_MS = 28 * DAY_MS;

const PAIRS = [
  { longMs: HOUR_MS, shortMs: 5 * MINUTE_MS, budgetRatio: 0.02, severity: "page" },
  { longMs: 6 * HOUR_MS, shortMs: 30 * MINUTE_MS, budgetRatio: 0.05, severity: "page" },
  { longMs: DAY_MS, shortMs: 2 * HOUR_MS, budgetRatio: 0.1, severity: "ticket" },
  { longMs: 3 * DAY_MS, shortMs: 6 * HOUR_MS, budgetRatio: 0.1, severity: "ticket" },
] as const;

/** The pairs of an objective with this window; all are whole minutes. The gravest first. */
export function burnWindows(windowMs: number): readonly BurnWindow[] {
  const scale = Math.min(1, windowMs / SETTLED_WINDOW_MS);
  return PAIRS.map(({ longMs, shortMs, budgetRatio, severity }) => {
    const scaledMs = wholeMinutes(longMs * scale);
    return {
      longMs: scaledMs,
      shortMs: wholeMinutes(shortMs * scale),
      factor: (budgetRatio * windowMs) / scaledMs,
      severity,
    };
  });
}

const wholeMinutes = (ms: number): number => Math.ceil(ms / MINUTE_MS) * MINUTE_MS;

/** 0 without events. `targetRatio` is below 1. */
export const burnRate = ({ total, bad }: EventCounts, targetRatio: number): number =>
  total === 0 ? 0 : bad / total / (1 - targetRatio);

/** Of the budget, given what was asked in the objective's window: 1 untouched, 0 spent, below 0 overspent. */
export const budgetLeft = (events: EventCounts, targetRatio: number): number => 1 - burnRate(events, targetRatio);

export interface Burn extends BurnWindow {
  readonly longBurnRate: number;
  readonly shortBurnRate: number;
  readonly burning: boolean;
  /** Too little traffic to say: it does not burn, whatever the rates. */
  readonly guarded: boolean;
}

/** `eventsWithin`: the objective's events of the last so many milliseconds. Cost: eight times that. */
export function judgeBurn(
  { targetRatio, windowMs }: Objective,
  eventsWithin: (lastMs: number) => EventCounts,
): readonly Burn[] {
  return burnWindows(windowMs).map((pair) => {
    const long = eventsWithin(pair.longMs);
    const longBurnRate = burnRate(long, targetRatio);
    const shortBurnRate = burnRate(eventsWithin(pair.shortMs), targetRatio);
    const guarded = long.bad < LEAST_BAD_EVENTS;
    return {
      ...pair,
      longBurnRate,
      shortBurnRate,
      guarded,
      burning: !guarded && longBurnRate > pair.factor && shortBurnRate > pair.factor,
    };
  });
}
