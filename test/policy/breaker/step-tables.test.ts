/**
 * What public suites expect of a breaker, as facts: which call is executed, which is refused, which state holds at the
 * end. Each row runs through our breaker; where ours differs on purpose, the row says why.
 *
 * Sources: eclipse/microprofile-fault-tolerance, TCK (CircuitBreakerTest at 1527c6a, the others at 18b28f8, the exception
 * hierarchy at 95d0686); resilience4j, CircuitBreakerStateMachineTest at d4e3cb1 (shouldForceCloseCircuitBreaker at
 * 06b25fb), and for late outcomes CircuitBreakerStateMachine itself.
 * How their settings are read: the number of failures at which theirs opens is the evidence at which ours does; their
 * delay is our back-off, their success threshold or their permitted calls our `closeAfter`, and those our `probes` where
 * the row keeps them out. Where theirs is moved by a method of its own, the row brings ours there by calls.
 */
import { describe, expect, it } from "vitest";
import type { BreakerSettings } from "../../../src/policy/breaker/types.ts";
import { opensAfter, PLAIN, play } from "./player.ts";

interface Row {
  /** The test of theirs. */
  readonly from: string;
  readonly settings: Partial<BreakerSettings>;
  /** The letters are explained in player.ts. */
  readonly plan: string;
  /** What came of each step; then the state at the end, where they say it. */
  readonly theirs: string;
  /** Undefined: the same. */
  readonly differs?: { readonly ours: string; readonly why: string };
}

const THREE = opensAfter(3);
const FOUR = opensAfter(4);
const LONG_DELAY = { backoffMs: 50_000, maxBackoffMs: 50_000 };
const FIVE_SECONDS = { backoffMs: 5_000, maxBackoffMs: 5_000 };
const BROWN_OUT = "half of the calls failing is a brown-out: it is throttled, not cut off";
const ONE_FAILED_PROBE = "one failed probe is enough to wait again: probes are few, so none is spent to make sure";
const RAMP = "traffic comes back by a ramp, a tenth of the callers first, so that the origin is not thrown over again";
const LATE =
  "what was seen before the breaker moved says nothing of the origin that is tried again: its epoch is older";
const AN_ANSWER =
  "an answer is an answer: 4xx shows that the origin is there, so it counts as a success and is never ignored";

const TCK: readonly Row[] = [
  {
    from: "CircuitBreakerTest.testCircuitClosedThenOpen (and testClassLevelCircuitBase)",
    settings: { ...FOUR, ...LONG_DELAY },
    plan: "fffffff",
    theirs: "FFFFOOO",
  },
  {
    from: "CircuitBreakerTest.testCircuitReClose (and testClassLevelCircuitOverrideNoDelay)",
    settings: { ...FOUR, closeAfter: 2 },
    plan: "ffff|sss",
    theirs: "FFFF|SSS closed",
  },
  {
    from: "CircuitBreakerTest.testCircuitReClose, with our ramp",
    settings: { ...FOUR, closeAfter: 2, rampMs: 10_000 },
    plan: "ffff|sss",
    theirs: "FFFF|SSS closed",
    differs: { ours: "FFFF|SSO ramp", why: RAMP },
  },
  {
    from: "CircuitBreakerTest.testCircuitDefaultSuccessThreshold",
    settings: { ...FOUR, closeAfter: 1 },
    plan: "fffff|sfffff",
    theirs: "FFFFO|SFFFFO",
  },
  {
    from: "CircuitBreakerTest.testCircuitHighSuccessThreshold",
    settings: { ...FOUR, closeAfter: 3 },
    plan: "fffff|ssff",
    theirs: "FFFFO|SSFO",
  },
  {
    from: "CircuitBreakerTest.testClassLevelCircuitOverride",
    settings: { ...opensAfter(2), ...LONG_DELAY },
    plan: "fffffff",
    theirs: "FFOOOOO",
  },
  {
    from: "CircuitBreakerTest.testRollingWindowCircuitOpen",
    settings: opensAfter(2),
    plan: "sffss",
    theirs: "SFFSO",
    differs: { ours: "SFFOO", why: "it opens with the evidence, not when a window of four is full" },
  },
  {
    from: "CircuitBreakerTest.testRollingWindowCircuitOpen2",
    settings: opensAfter(2),
    plan: "sfssfs",
    theirs: "SFSSFO",
    differs: { ours: "SFSSFS", why: BROWN_OUT },
  },
  {
    from: "CircuitBreakerInitialSuccessTest.testCircuitInitialSuccessDefaultSuccessThreshold",
    settings: { ...THREE, closeAfter: 1 },
    plan: "sffff|ssffff",
    theirs: "SFFFO|SSFFFO",
  },
  {
    from: "CircuitBreakerLateSuccessTest.testCircuitLateSuccessDefaultSuccessThreshold",
    settings: { ...THREE, closeAfter: 1 },
    plan: "fffsf|sfffsf",
    theirs: "FFFSO|SFFFSO",
    differs: { ours: "FFFOO|SFFFOO", why: "it opens with the evidence, not when a window of four is full" },
  },
  {
    from: "CircuitBreakerLateSuccessTest, at the evidence of four failures",
    settings: { ...FOUR, closeAfter: 1 },
    plan: "fffsf",
    theirs: "FFFSO",
    differs: { ours: "FFFSF", why: "a success is evidence that the origin answers: it takes two failures off" },
  },
  { from: "CircuitBreakerTimeoutTest.testTimeout", settings: opensAfter(2), plan: "ttt", theirs: "TTO" },
  {
    from: "CircuitBreakerTimeoutTest.testTimeout, seen while the calls still hang",
    settings: opensAfter(2),
    plan: "hhh",
    theirs: "HHO",
  },
  {
    from: "CircuitBreakerTimeoutTest.testTimeoutWithoutFailOn",
    settings: opensAfter(2),
    plan: "ttt",
    theirs: "TTT closed",
    differs: {
      ours: "TTO open",
      why: "a timeout is always a failure: an origin that hangs is no better than one that is gone",
    },
  },
  {
    from: "CircuitBreakerExceptionHierarchyTest.serviceAthrowsE0: a failure of a kind that counts",
    settings: opensAfter(1),
    plan: "ff",
    theirs: "FO open",
  },
  {
    from: "CircuitBreakerExceptionHierarchyTest.serviceAthrowsE1: one of a kind that is skipped",
    settings: opensAfter(1),
    plan: "cc",
    theirs: "CC closed",
  },
];

const RESILIENCE4J: readonly Row[] = [
  {
    from: "shouldThrowCallNotPermittedExceptionWhenStateIsOpen: one call not permitted is one refusal",
    settings: opensAfter(1),
    plan: "fs",
    theirs: "FO open",
  },
  {
    from: "shouldThrowCallNotPermittedExceptionWhenStateIsForcedOpen",
    settings: {},
    plan: "Ps",
    theirs: "PO forced-open",
  },
  {
    from: "shouldIncreaseCounterOnReleasePermission: theirs is given back, ours is free when its lease has run out",
    settings: { ...FOUR, probes: 4 },
    plan: "ffff|aaaaaaza",
    theirs: "FFFF|++++--z+",
  },
  {
    from: "shouldThrowCallNotPermittedExceptionWhenNotFurtherTestCallsArePermitted",
    settings: { ...FOUR, probes: 4 },
    plan: "ffff|aaaas",
    theirs: "FFFF|++++O half-open",
  },
  {
    from: "shouldOnlyPermitFourCallsInHalfOpenState",
    settings: { ...FOUR, probes: 4 },
    plan: "ffff|aaaaaan|aaaaaa",
    theirs: "FFFF|++++--n|++++-- half-open",
    differs: {
      ours: "FFFF|++++--n|+----- half-open",
      why: "calls of the half-open state before may still be at the origin: they keep their places until they end",
    },
  },
  {
    from: "shouldOpenAfterFailureRateThresholdExceeded",
    settings: THREE,
    plan: "fffsss",
    theirs: "FFFSSO open",
    differs: { ours: "FFFOOO open", why: "it opens with the evidence, not when a window of five is full" },
  },
  {
    from: "shouldOpenAfterFailureRateThresholdExceeded2",
    settings: THREE,
    plan: "s1s1s1f1f1ff",
    theirs: "S1S1S1F1F1FO open",
  },
  {
    from: "shouldOpenAfterSlowCallRateThresholdExceeded",
    settings: { ...THREE, slowCallMs: 4_000 },
    plan: "fwfsww",
    theirs: "FWFSWO open",
    differs: { ours: "FWFOOO open", why: "slow and failed calls are one evidence, so the third of them opens it" },
  },
  {
    from: "shouldOpenAfterSlowCallRateThresholdExceededUsingMockClock",
    settings: { ...THREE, slowCallMs: 4_000 },
    plan: "wwssww",
    theirs: "WWSSWO open",
    differs: { ours: "WWSSWW closed", why: BROWN_OUT },
  },
  {
    from: "shouldTransitionToHalfOpenAfterWaitDuration",
    settings: { ...FOUR, ...FIVE_SECONDS },
    plan: "ffffs3s3s",
    theirs: "FFFFO3O3S half-open",
  },
  {
    from: "shouldTransitionToHalfOpenAfterWaitInterval: the second wait is half as long again",
    settings: { ...FOUR, backoffMs: 5_000, maxBackoffMs: 60_000 },
    plan: "ffffs3s3f6s5s",
    theirs: "FFFFO3O3F6O5S half-open",
  },
  {
    from: "shouldTransitionBackToOpenStateWhenFailureRateIsAboveThreshold",
    settings: { ...FOUR, closeAfter: 4 },
    plan: "ffff|ffsf",
    theirs: "FFFF|FFSF open",
    differs: { ours: "FFFF|FOOO open", why: ONE_FAILED_PROBE },
  },
  {
    from: "shouldTransitionBackToClosedStateWhenFailureIsBelowThreshold",
    settings: { ...FOUR, closeAfter: 4 },
    plan: "ffff|fssss",
    theirs: "FFFF|FSSSS closed",
    differs: { ours: "FFFF|FOOOO open", why: ONE_FAILED_PROBE },
  },
  {
    from: "shouldResetMetrics, shouldResetClosedState: what failed before counts no more",
    settings: THREE,
    plan: "ffRffs",
    theirs: "FFRFFS closed",
  },
  { from: "shouldResetToClosedState", settings: THREE, plan: "fffsRs", theirs: "FFFORS closed" },
  { from: "shouldDisableCircuitBreaker", settings: opensAfter(1), plan: "Dsffff", theirs: "DSFFFF forced-closed" },
  { from: "shouldForceCloseCircuitBreaker", settings: opensAfter(1), plan: "Dsf", theirs: "DSF forced-closed" },
  {
    from: "shouldRecordMetricsInMetricsOnlyState",
    settings: THREE,
    plan: "Dfffssf",
    theirs: "DFFFSSF forced-closed",
  },
  { from: "shouldForceOpenCircuitBreaker", settings: {}, plan: "Ps6s", theirs: "PO6O forced-open" },
  {
    from: "shouldReleasePermissionWhenExceptionIgnored",
    settings: { ...FOUR, closeAfter: 4 },
    plan: "ffff|ssscf",
    theirs: "FFFF|SSSCF closed",
  },
  {
    from: "shouldIgnoreExceptionsAndThenTransitionToClosed, as far as only ignored ones came",
    settings: { ...FOUR, closeAfter: 4 },
    plan: "ffff|cccc",
    theirs: "FFFF|CCCC half-open",
    differs: { ours: "FFFF|CCCC ramp", why: AN_ANSWER },
  },
  {
    from: "shouldIgnoreExceptionsAndThenTransitionToClosed, to its end",
    settings: { ...FOUR, closeAfter: 4 },
    plan: "ffff|ccccssss",
    theirs: "FFFF|CCCCSSSS closed",
  },
  {
    from: "shouldIgnoreExceptionsAndThenTransitionToClosed, as far as four successes came: closed at once",
    settings: { ...FOUR, closeAfter: 4 },
    plan: "ffff|ssss",
    theirs: "FFFF|SSSS closed",
    differs: { ours: "FFFF|SSSS ramp", why: RAMP },
  },
  {
    from: "shouldNotAllowTransitionFromClosedToHalfOpen: a closed breaker has no call to permit",
    settings: THREE,
    plan: "a",
    theirs: "- closed",
  },
  {
    from: "circuitBreakerTransitionsToOpenAfterWaitDurationInHalfOpenState",
    settings: { ...FOUR, ...FIVE_SECONDS },
    plan: "ffff|x2s",
    theirs: "FFFF|X2O open",
    differs: {
      ours: "FFFF|X2O half-open",
      why: "half-open is no dead end, so no time ends it: a lost probe's place is free after its lease, for the next probe",
    },
  },
  {
    from: "CircuitBreakerStateMachine, OpenState.onError: late outcomes are recorded, and move nothing",
    settings: { ...FOUR, ...LONG_DELAY },
    plan: "bbbbffffeeees",
    theirs: "BBBBFFFFEEEEO open",
  },
  {
    from: "CircuitBreakerStateMachine, HalfOpenState.onError: a late outcome is taken for that of a permitted call",
    settings: { ...FOUR, closeAfter: 4 },
    plan: "bffff|ssse",
    theirs: "BFFFF|SSSE closed",
    differs: { ours: "BFFFF|SSSE half-open", why: LATE },
  },
  {
    from: "CircuitBreakerStateMachine, HalfOpenState.onSuccess: so is that of a call permitted the time before",
    settings: { ...FOUR, probes: 2, closeAfter: 2 },
    plan: "ffff|aan|ayy",
    theirs: "FFFF|++n|+yy closed",
    differs: { ours: "FFFF|++n|+yy half-open", why: LATE },
  },
  {
    from: "CircuitBreakerStateMachine, ClosedState.onError: late outcomes open it again",
    settings: { ...FOUR, closeAfter: 1 },
    plan: "bbbbffff|sseeees",
    theirs: "BBBBFFFF|SSEEEEO open",
    differs: { ours: "BBBBFFFF|SSEEEES closed", why: LATE },
  },
];

/** The transitions that are published, or recorded. */
interface EventRow {
  readonly from: string;
  readonly plan: string;
  readonly theirs: readonly string[];
  readonly differs?: { readonly ours: readonly string[]; readonly why: string };
}

const EVENTS: readonly EventRow[] = [
  {
    from: "circuitBreakerDoesNotPublishStateTransitionEventsForInternalTransitions: each move once",
    plan: "ffff|s|",
    theirs: ["closed>open", "open>half-open", "half-open>closed"],
    differs: { ours: ["closed>open", "open>half-open", "half-open>ramp", "ramp>closed"], why: RAMP },
  },
  {
    from: "shouldTransitionBackToOpenStateWhenFailureRateIsAboveThreshold",
    plan: "ffff|f",
    theirs: ["closed>open", "open>half-open", "half-open>open"],
  },
  { from: "shouldResetToClosedState", plan: "ffffR", theirs: ["closed>open", "open>closed"] },
  {
    from: "shouldThrowCallNotPermittedExceptionWhenStateIsOpen: a refusal is no transition",
    plan: "ffffsss",
    theirs: ["closed>open"],
  },
  {
    from: "shouldRecordMetricsInMetricsOnlyState: one when it is set, none for what fails meanwhile",
    plan: "Dffffff",
    theirs: ["closed>forced-closed"],
  },
  {
    from: "circuitBreakerDoesNotPublishStateTransitionEventsForInternalTransitions: none to the state that holds",
    plan: "PP",
    theirs: ["closed>forced-open"],
    differs: {
      ours: ["closed>forced-open", "forced-open>forced-open"],
      why: "whoever moves it by hand is on record, each time",
    },
  },
];

/** What a step of a plan may come to. */
function mayCome(step: string, came: string): boolean {
  if (step === "a") return came === "+" || came === "-";
  if (step === "e") return came === "E";
  return /[a-mo-x]/.test(step) ? came === step.toUpperCase() || came === "O" : came === step;
}

describe.each([
  ["MicroProfile Fault Tolerance", TCK],
  ["resilience4j", RESILIENCE4J],
])("the steps of %s", (_, rows) => {
  it.each(rows)("$from: $plan", ({ settings, plan, theirs, differs }) => {
    const expected = differs?.ours ?? theirs;
    const { told, ends } = play({ ...PLAIN, ...settings }, plan);
    expect(expected.includes(" ") ? `${told} ${ends}` : told).toBe(expected);
  });

  it.each(rows)("$from: is what may come of $plan, and differs only where it says so", ({ plan, theirs, differs }) => {
    for (const expected of [theirs, differs?.ours ?? theirs]) {
      const came = Array.from(expected.replace(/ .*/, ""));
      expect(came).toHaveLength(plan.length);
      expect(Array.from(plan).filter((step, index) => !mayCome(step, came[index] ?? ""))).toEqual([]);
    }
    expect(differs?.ours).not.toBe(theirs);
  });
});

describe("the transitions of resilience4j", () => {
  it.each(EVENTS)("$from: $plan", ({ plan, theirs, differs }) => {
    const { transitions } = play({ ...PLAIN, ...FOUR, closeAfter: 1 }, plan);
    expect(transitions).toEqual(differs?.ours ?? theirs);
    expect(differs?.ours).not.toEqual(theirs);
  });
});
