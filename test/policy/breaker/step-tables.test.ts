/**
 * What public suites expect of a breaker, as facts: which call is executed, which is refused. Each row runs through our
 * breaker; where ours differs on purpose, the row says why.
 *
 * Sources: MicroProfile Fault Tolerance TCK (CircuitBreakerTest, CircuitBreakerInitialSuccessTest,
 * CircuitBreakerLateSuccessTest, CircuitBreakerTimeoutTest); resilience4j, CircuitBreakerStateMachineTest.
 * Their request volume of 4 (or 2) failures is our evidence of as many; their delay is our back-off, their success
 * threshold our `closeAfter`. One caller; each call ends, and is told, before the next begins.
 */
import { describe, expect, it } from "vitest";
import {
  type Breaker,
  concludeProbe,
  force,
  grantProbe,
  newBreaker,
  observe,
  resetBreaker,
  tick,
} from "../../../src/policy/breaker/state-machine.ts";
import { BREAKER_DEFAULTS, type BreakerSettings } from "../../../src/policy/breaker/types.ts";
import { judge, viewOf } from "../../../src/policy/breaker/view.ts";

const PER_FAILURE = Math.log(BREAKER_DEFAULTS.outageRatio / BREAKER_DEFAULTS.brownOutRatio);
const opensAfter = (failures: number): Partial<BreakerSettings> => ({ tripScore: PER_FAILURE * failures - 0.01 });
const STEP_MS = 300;

/**
 * F, S: a call that is executed, and fails or succeeds; O: one that is refused; a pause, longer than the delay: |
 * What a row plans is what the origin would answer (f, s); what comes of it is compared.
 */
interface Row {
  readonly from: string;
  readonly settings: Partial<BreakerSettings>;
  readonly plan: string;
  readonly theirs: string;
  /** Undefined: the same. */
  readonly ours?: string;
  readonly why?: string;
}

const QUICK: Partial<BreakerSettings> = { backoffMs: 2_000, maxBackoffMs: 2_000, rampMs: 1, flapWindowMs: 0 };
const FOUR = { ...QUICK, ...opensAfter(4) };

const ROWS: readonly Row[] = [
  {
    from: "TCK testCircuitClosedThenOpen",
    settings: { ...FOUR, backoffMs: 50_000, maxBackoffMs: 50_000 },
    plan: "fffffff",
    theirs: "FFFFOOO",
  },
  { from: "TCK testCircuitReClose", settings: { ...FOUR, closeAfter: 2 }, plan: "ffff|sss", theirs: "FFFF|SSS" },
  {
    from: "TCK testCircuitDefaultSuccessThreshold",
    settings: { ...FOUR, closeAfter: 1 },
    plan: "fffff|sfffff",
    theirs: "FFFFO|SFFFFO",
  },
  {
    from: "TCK testCircuitHighSuccessThreshold",
    settings: { ...FOUR, closeAfter: 3 },
    plan: "fffff|ssfs",
    theirs: "FFFFO|SSFO",
  },
  {
    from: "TCK testClassLevelCircuitOverride",
    settings: { ...QUICK, ...opensAfter(2), backoffMs: 50_000, maxBackoffMs: 50_000 },
    plan: "fffffff",
    theirs: "FFOOOOO",
  },
  {
    from: "TCK testCircuitInitialSuccessDefaultSuccessThreshold, first half",
    settings: { ...FOUR, closeAfter: 1 },
    plan: "sffff",
    theirs: "SFFFO",
    ours: "SFFFF",
    why: "a success before the failures is no evidence against them, but no failure either: four are needed, not three of four",
  },
  {
    from: "TCK testCircuitLateSuccessDefaultSuccessThreshold, first half",
    settings: { ...FOUR, closeAfter: 1 },
    plan: "fffsf",
    theirs: "FFFSO",
    ours: "FFFSF",
    why: "a success is evidence that the origin answers: it takes two failures off",
  },
  {
    from: "TCK testRollingWindowCircuitOpen",
    settings: FOUR,
    plan: "sffss",
    theirs: "SFFSO",
    ours: "SFFSS",
    why: "half of the calls failing is a brown-out: throttled, not cut off",
  },
  {
    from: "TCK testRollingWindowCircuitOpen2",
    settings: FOUR,
    plan: "sfssfs",
    theirs: "SFSSFO",
    ours: "SFSSFS",
    why: "as above",
  },
  { from: "TCK testTimeout: timeouts count", settings: { ...QUICK, ...opensAfter(2) }, plan: "fff", theirs: "FFO" },
  {
    from: "resilience4j shouldOpenAfterFailureRateThresholdExceeded",
    settings: { ...QUICK, ...opensAfter(3) },
    plan: "fffsss",
    theirs: "FFFSSO",
    ours: "FFFOOO",
    why: "it opens with the evidence, not when a window of five is full",
  },
  {
    from: "resilience4j shouldTransitionToHalfOpenAfterWaitDuration",
    settings: { ...FOUR, backoffMs: 5_000, maxBackoffMs: 5_000 },
    plan: "fffffs|s",
    theirs: "FFFFOO|S",
  },
  {
    from: "resilience4j shouldTransitionBackToOpenStateWhenFailureRateIsAboveThreshold",
    settings: FOUR,
    plan: "ffff|ffsf",
    theirs: "FFFF|FFSF",
    ours: "FFFF|FOOO",
    why: "one failed probe is enough to wait again: probes are few on purpose",
  },
  {
    from: "resilience4j shouldTransitionBackToClosedStateWhenFailureIsBelowThreshold",
    settings: { ...FOUR, closeAfter: 4 },
    plan: "ffff|fsss",
    theirs: "FFFF|FSSS",
    ours: "FFFF|FOOO",
    why: "as above; it closes after so many successes in a row",
  },
];

function play({ settings, plan }: Row): string {
  let nowMs = 1_000_000;
  let lease = 0;
  const breaker = newBreaker({ ...BREAKER_DEFAULTS, quorumPops: 1, ...settings }, nowMs);
  const call = (succeeds: boolean): string => {
    nowMs += STEP_MS;
    tick(breaker, nowMs);
    const verdict = judge(viewOf(breaker, "A", nowMs), 0, "caller", true);
    if (verdict.kind === "refused") return "O";
    if (verdict.kind === "probe") {
      if (!grantProbe(breaker, `lease-${lease++}`, nowMs + 1_000, nowMs)) return "O";
      concludeProbe(breaker, `lease-${lease - 1}`, breaker.epoch, succeeds, nowMs, 0.5);
    } else {
      const outcome = [200, succeeds ? 1 : 0, succeeds ? 0 : 1] as const;
      observe(breaker, { pop: "A", epoch: breaker.epoch, outcomes: [outcome], latencies: [] }, nowMs, 0.5);
    }
    return succeeds ? "S" : "F";
  };
  return Array.from(plan)
    .map((step) => {
      if (step !== "|") return call(step === "s");
      nowMs += 1.3 * breaker.settings.backoffMs;
      return "|";
    })
    .join("");
}

describe("a table of steps", () => {
  it.each(ROWS)("$from: $plan", (row) => {
    expect(play(row)).toBe(row.ours ?? row.theirs);
    // A row that differs says why, and one that does not differ says nothing.
    expect(row.ours !== undefined && row.ours !== row.theirs).toBe(row.why !== undefined);
  });
});

/** Opened by failures. */
function opened(settings: Partial<BreakerSettings> = {}): Breaker {
  const breaker = newBreaker({ ...BREAKER_DEFAULTS, quorumPops: 1, ...settings }, 0);
  observe(breaker, { pop: "A", epoch: 1, outcomes: [[200, 0, 30]], latencies: [] }, 1_000, 0.5);
  expect(breaker.state.kind).toBe("open");
  return breaker;
}

describe("states, by resilience4j", () => {
  it("shouldOnlyPermitFourCallsInHalfOpenState: no more than the permitted are out at once", () => {
    const breaker = opened({ probes: 4 });
    const granted = Array.from({ length: 6 }, (_, index) => grantProbe(breaker, `p${index}`, 60_000, 3_000));
    expect(granted).toEqual([true, true, true, true, false, false]);
  });

  it("shouldForceOpenCircuitBreaker: no wait ends it; shouldForceCloseCircuitBreaker: no failure does", () => {
    const open = newBreaker(BREAKER_DEFAULTS, 0);
    force(open, { state: "open", reason: "r", by: "b", untilMs: 1e9 }, 0);
    expect(judge(viewOf(open, "A", 60_000), 0, "c", true).kind).toBe("refused");
    expect(grantProbe(open, "p", 70_000, 60_000)).toBe(false);
    const closed = newBreaker(BREAKER_DEFAULTS, 0);
    force(closed, { state: "closed", reason: "r", by: "b", untilMs: 1e9 }, 0);
    const seen = { pop: "A", epoch: closed.epoch, outcomes: [[200, 0, 1_000]] as const, latencies: [] };
    observe(closed, seen, 1_000, 0.5);
    expect(judge(viewOf(closed, "A", 1_000), 0, "c", true).kind).toBe("go");
  });

  it("shouldResetToClosedState, shouldResetMetrics: nothing of before is left", () => {
    const breaker = opened();
    resetBreaker(breaker, "r", "b", 2_000);
    expect(breaker).toMatchObject({ state: { kind: "closed" }, score: 0, flaps: 0 });
  });

  it("shouldNotAllowTransitionFromClosedToHalfOpen: there is no probe of a closed breaker", () => {
    const breaker = newBreaker(BREAKER_DEFAULTS, 0);
    expect(grantProbe(breaker, "p", 10_000, 5_000)).toBe(false);
    expect(breaker.state.kind).toBe("closed");
  });

  it("shouldReleasePermissionWhenExceptionIgnored: a probe that decides nothing keeps its place only until its lease ends", () => {
    const breaker = opened();
    expect(grantProbe(breaker, "lost", 4_000, 3_000)).toBe(true);
    expect(grantProbe(breaker, "next", 9_000, 4_000)).toBe(false);
    expect(grantProbe(breaker, "next", 9_000, 4_001)).toBe(true);
  });
});
