/** Runs one scenario with one seed: Weir's breaker, or a rival, on the same requests. */
import { seeded } from "../kernel/random.ts";
import { Timeline } from "../kernel/timeline.ts";
import { Arrivals } from "../limits/arrivals.ts";
import { Network } from "../limits/network.ts";
import { answerOf, type OriginState } from "./origin.ts";
import { BREAKER_RIVALS } from "./rivals.ts";
import { type BreakerScenario, ISOLATES_PER_POP, POPS } from "./scenarios.ts";
import { type BreakerDesign, weirBreaker } from "./world.ts";

export const WEIR = "Weir";
export const BREAKER_DESIGNS: readonly string[] = [WEIR, ...Object.keys(BREAKER_RIVALS)];
const START_MS = 1_000_000;
const LOSS_RATIO = 0.002;
const DUPLICATE_RATIO = 0.005;

export interface BreakerFigures {
  readonly seed: number;
  /** Requests that reached the origin while it did not work. */
  readonly sentToFailing: number;
  /** From the failure to the first opening; undefined: it never opened. */
  readonly detectionMs: number | undefined;
  readonly openings: number;
  readonly transitionsPerMinute: number;
  readonly mostProbes: number;
  /** Requests in the first second after the first closing, as a part of the usual. */
  readonly firstSecondRatio: number | undefined;
  /** Of the requests to an origin that worked, those that were not let through. */
  readonly refusedWhileSoundRatio: number;
}

export function runBreaker(scenario: BreakerScenario, design: string, seed: number): BreakerFigures {
  const timeline = new Timeline(START_MS);
  const isolates = POPS * ISOLATES_PER_POP;
  const popOf = (isolate: number): number => Math.floor(isolate / ISOLATES_PER_POP);
  const random = seeded(seed);
  const network = new Network(
    {
      roundTripMs: (pop) => 20 + (130 * ((pop * 37) % POPS)) / POPS,
      lossRatio: scenario.lossRatio ?? LOSS_RATIO,
      duplicateRatio: scenario.duplicateRatio ?? DUPLICATE_RATIO,
    },
    timeline,
    random,
  );
  let origin: OriginState = { kind: "sound" };
  const sent: { readonly atMs: number; readonly sound: boolean }[] = [];
  const calls = {
    send: (isolate: number, ended: (failed: boolean) => void): void => {
      const { failed, afterMs } = answerOf(origin, popOf(isolate), random);
      sent.push({ atMs: timeline.nowMs, sound: isSound(origin, popOf(isolate)) });
      timeline.at(timeline.nowMs + afterMs, () => {
        ended(failed);
      });
    },
  };
  const make = design === WEIR ? weirBreaker : BREAKER_RIVALS[design];
  if (make === undefined) throw new TypeError(`no design ${design}`);
  const breaker = make({ timeline, network, random: seeded(seed + 2), isolates, popOf, calls });
  let durationMs = 0;
  for (const { forMs, origin: next } of scenario.phases) {
    timeline.at(START_MS + durationMs, () => {
      origin = next;
    });
    durationMs += forMs;
  }
  const away = scenario.coordinatorAway;
  if (away !== undefined) {
    timeline.at(START_MS + away.fromMs, () => {
      network.awayUntilMs = timeline.nowMs + away.forMs;
    });
  }
  const weights = Array.from({ length: isolates }, (_, isolate) => 1 / (popOf(isolate) + 1));
  let toSound = 0;
  const arrivals = new Arrivals(
    START_MS,
    [{ forMs: durationMs, ratePerSecond: scenario.ratePerSecond, weights }],
    isolates,
    seeded(seed + 1),
    (isolate) => {
      if (isSound(origin, popOf(isolate))) toSound++;
      breaker.request(isolate);
    },
  );
  timeline.runUntil(START_MS + durationMs, arrivals);
  return figuresOf(scenario, seed, breaker, sent, toSound, durationMs);
}

/** Whether calls of this PoP would succeed; an origin that fails for a share of calls is taken as sound. */
const isSound = (origin: OriginState, pop: number): boolean =>
  origin.kind === "sound" ||
  origin.kind === "failing" ||
  origin.kind === "slower" ||
  (origin.kind === "dead-for-pop" && origin.pop !== pop);

function figuresOf(
  scenario: BreakerScenario,
  seed: number,
  breaker: BreakerDesign,
  sent: readonly { readonly atMs: number; readonly sound: boolean }[],
  toSound: number,
  durationMs: number,
): BreakerFigures {
  const { failsAtMs } = scenario;
  const isOpening = ({ to }: { readonly to: string }, index: number): boolean =>
    to === "open" && breaker.transitions[index - 1]?.to !== "half-open";
  const openings = breaker.transitions.filter(isOpening);
  const failedMs = START_MS + (failsAtMs ?? 0);
  const opened = failsAtMs === undefined ? undefined : openings.find(({ atMs }) => atMs >= failedMs);
  const closed =
    opened === undefined
      ? undefined
      : breaker.transitions.find(({ atMs, to }) => atMs > opened.atMs && (to === "ramp" || to === "closed"));
  return {
    seed,
    sentToFailing: sent.filter((call) => !call.sound).length,
    detectionMs: opened === undefined ? undefined : opened.atMs - failedMs,
    openings: openings.length,
    transitionsPerMinute: (breaker.transitions.length * 60_000) / durationMs,
    mostProbes: breaker.mostProbes,
    firstSecondRatio:
      closed === undefined
        ? undefined
        : sent.filter(({ atMs }) => atMs > closed.atMs && atMs <= closed.atMs + 1_000).length / scenario.ratePerSecond,
    refusedWhileSoundRatio: 1 - sent.filter((call) => call.sound).length / Math.max(1, toSound),
  };
}
