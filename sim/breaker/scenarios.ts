/** The scenarios of `npm run sim -- breaker`, and what DESIGN asks of each. 100 PoPs of very different size, 4 isolates each. */
import type { OriginState } from "./origin.ts";

export const POPS = 100;
export const ISOLATES_PER_POP = 4;

export interface BreakerScenario {
  readonly about: string;
  readonly ratePerSecond: number;
  /** What the origin is like, one after the other. */
  readonly phases: readonly { readonly forMs: number; readonly origin: OriginState }[];
  /** When the origin begins to fail; undefined: it never quite does. */
  readonly failsAtMs?: number;
  /** Of messages; default 0.002 and 0.005. */
  readonly lossRatio?: number;
  readonly duplicateRatio?: number;
  /** Runs only when it is named, and without the rivals: it takes minutes. */
  readonly long?: boolean;
  readonly coordinatorAway?: { readonly fromMs: number; readonly forMs: number };
  readonly target: BreakerTarget;
}

export interface BreakerTarget {
  readonly mostSent?: number;
  readonly detectionMs?: number;
  /** Openings for the world that may happen. */
  readonly mostOpenings?: number;
  readonly transitionsPerMinute?: number;
  readonly firstSecondRatio?: number;
}

const SECOND = 1_000;
const WARM_MS = 30 * SECOND;
const OUTAGE_MS = 120 * SECOND;
const sound: OriginState = { kind: "sound" };

/** DESIGN section 5: requests that may reach an origin that is dead for 120 s. */
const mostSent = (ratePerSecond: number): number => ratePerSecond + 2 * POPS + 30;

function outage(ratePerSecond: number, kind: "dead" | "black-hole", target: BreakerTarget): BreakerScenario {
  return {
    about: `${kind === "dead" ? "refuses at once" : "never answers"} for 120 s, ${ratePerSecond} requests/s`,
    ratePerSecond,
    phases: [
      { forMs: WARM_MS, origin: sound },
      { forMs: OUTAGE_MS, origin: { kind } },
      { forMs: 45 * SECOND, origin: sound },
    ],
    failsAtMs: WARM_MS,
    target: { firstSecondRatio: 0.12, ...target },
  };
}

function errors(ratio: number, ratePerSecond: number, seconds: number, target: BreakerTarget): BreakerScenario {
  return {
    about: `${ratio * 100} % of calls fail for ${seconds} s, ${ratePerSecond} requests/s`,
    ratePerSecond,
    phases: [
      { forMs: WARM_MS, origin: sound },
      { forMs: seconds * SECOND, origin: { kind: "failing", ratio } },
    ],
    target,
  };
}

const SOON = 1_500;
const BLACK_HOLE = 1_500;

export const BREAKER_SCENARIOS: Readonly<Record<string, BreakerScenario>> = {
  "dead-5": outage(5, "dead", { mostSent: mostSent(5) }),
  "dead-50": outage(50, "dead", { mostSent: mostSent(50), detectionMs: SOON }),
  "dead-500": outage(500, "dead", { mostSent: mostSent(500), detectionMs: SOON }),
  "dead-3000": outage(3_000, "dead", { mostSent: mostSent(3_000), detectionMs: SOON }),
  "black-hole-50": outage(50, "black-hole", { mostSent: mostSent(50), detectionMs: BLACK_HOLE }),
  "black-hole-500": outage(500, "black-hole", { mostSent: mostSent(500), detectionMs: BLACK_HOLE }),
  "black-hole-3000": outage(3_000, "black-hole", { mostSent: mostSent(3_000), detectionMs: BLACK_HOLE }),
  "one-bad-pop": {
    about: "the largest PoP alone sees it dead for 120 s, 500 requests/s",
    ratePerSecond: 500,
    phases: [
      { forMs: WARM_MS, origin: sound },
      { forMs: OUTAGE_MS, origin: { kind: "dead-for-pop", pop: 0 } },
      { forMs: WARM_MS, origin: sound },
    ],
    failsAtMs: WARM_MS,
    target: { mostOpenings: 0 },
  },
  "errors-2": errors(0.02, 500, 300, { mostOpenings: 0 }),
  "errors-10": errors(0.1, 500, 300, { mostOpenings: 0 }),
  "errors-20": errors(0.2, 500, 300, { mostOpenings: 0 }),
  "errors-40": errors(0.4, 500, 300, { transitionsPerMinute: 2 }),
  "errors-60": errors(0.6, 500, 300, {}),
  "errors-20-day": { ...errors(0.2, 50, 86_400, { mostOpenings: 0 }), long: true },
  "errors-20-day-500": { ...errors(0.2, 500, 86_400, { mostOpenings: 0 }), long: true },
  slower: {
    about: "answers after 600 ms instead of 50 for 120 s, 500 requests/s",
    ratePerSecond: 500,
    phases: [
      { forMs: WARM_MS, origin: sound },
      { forMs: OUTAGE_MS, origin: { kind: "slower", afterMs: 600 } },
    ],
    target: { mostOpenings: 0 },
  },
  lossy: {
    about: "refuses at once for 30 s, 50 requests/s; a fifth of the messages lost, a fifth doubled",
    ratePerSecond: 50,
    phases: [
      { forMs: 5 * SECOND, origin: sound },
      { forMs: 30 * SECOND, origin: { kind: "dead" } },
      { forMs: 20 * SECOND, origin: sound },
    ],
    failsAtMs: 5 * SECOND,
    lossRatio: 0.2,
    duplicateRatio: 0.2,
    target: {},
  },
  flapping: {
    about: "half of the time dead, 10 s each, for 5 minutes, 500 requests/s",
    ratePerSecond: 500,
    phases: Array.from({ length: 15 }, () => [
      { forMs: 10 * SECOND, origin: sound },
      { forMs: 10 * SECOND, origin: { kind: "dead" } as const },
    ]).flat(),
    target: {},
  },
  "coordinator-away": {
    ...outage(500, "dead", {}),
    about: "refuses at once for 120 s while the coordinator cannot be reached, 500 requests/s",
    coordinatorAway: { fromMs: WARM_MS - 5 * SECOND, forMs: OUTAGE_MS },
    target: {},
  },
};
