import { describe, expect, it } from "vitest";
import {
  beginReport,
  decide,
  decideAfterAsking,
  endReport,
  mayRetry,
  newSight,
  noteFailure,
  noteSuccess,
  noteUnreachable,
  type PassageRequest,
  refuseProbe,
  type ReportBatch,
  scheduleReport,
  type Sight,
  takeView,
} from "../../../src/policy/breaker/sight.ts";
import { BREAKER_DEFAULTS } from "../../../src/policy/breaker/types.ts";
import { type BreakerView, isShut } from "../../../src/policy/breaker/view.ts";

const closed: BreakerView = { state: "closed", epoch: 1, popOpenForMs: 0, earlyAgeMs: undefined };
const open = { state: "open", epoch: 2, nextProbeInMs: 1_000, earlyAgeMs: undefined } as const;
const at = (nowMs: number, change: Partial<PassageRequest> = {}): PassageRequest => ({
  nowMs,
  caller: "acme",
  priority: "normal",
  mayProbe: true,
  probeTimeoutMs: 3_000,
  random: 0.5,
  ...change,
});

describe("an isolate's sight of a breaker", () => {
  it("asks for a view before the first request, and again when it is older than five seconds", () => {
    const sight = newSight(0);
    expect(decide(sight, at(0))).toEqual({ kind: "ask" });
    takeView(sight, closed, 0);
    expect(decide(sight, at(5_000))).toEqual({ kind: "go", mayRetry: true, share: 1 });
    expect(decide(sight, at(5_001))).toEqual({ kind: "ask" });
  });

  it("asks for one probe at a time, and again when the lease was refused", () => {
    const sight = newSight(0);
    takeView(sight, open, 0);
    expect(decide(sight, at(999))).toEqual({ kind: "refused", retryAfterMs: 1 });
    expect(decide(sight, at(1_000))).toEqual({ kind: "probe" });
    expect(decide(sight, at(1_000))).toMatchObject({ kind: "refused" });
    expect(refuseProbe(sight, { ...open, nextProbeInMs: 700 }, at(1_100))).toEqual({
      kind: "refused",
      retryAfterMs: 700,
    });
    expect(decide(sight, at(1_200))).toEqual({ kind: "probe" });
    expect(decide(sight, at(1_200, { mayProbe: false }))).toMatchObject({ kind: "refused" });
  });

  it("keeps an open view for fifteen seconds when the coordinator is away, then lets its own calls decide", () => {
    const sight = newSight(0);
    takeView(sight, { ...open, nextProbeInMs: 60_000 }, 0);
    noteUnreachable(sight, 14_000);
    expect(decide(sight, at(14_500))).toMatchObject({ kind: "refused" });
    noteUnreachable(sight, 15_001);
    expect(decide(sight, at(15_001))).toEqual({ kind: "go", mayRetry: false, share: 1 });
    for (let call = 0; call < 20; call++)
      noteFailure(sight, sight.view?.epoch, "network", BREAKER_DEFAULTS, 15_001, 0.5);
    expect(decide(sight, at(15_002))).toMatchObject({ kind: "refused" });
    expect(decideAfterAsking(sight, at(30_000))).toEqual({ kind: "go", mayRetry: false, share: 1 });
  });

  it("throttles in a brown-out, and forgets it when the breaker moved", () => {
    const sight = newSight(0);
    takeView(sight, closed, 0);
    for (let call = 0; call < 100; call++) {
      decide(sight, at(0, { random: 0.99 }));
      noteFailure(sight, sight.view?.epoch, "status", BREAKER_DEFAULTS, 0, 0.5);
    }
    expect(decide(sight, at(10))).toMatchObject({ kind: "refused" });
    takeView(sight, { ...closed, epoch: 2 }, 20);
    expect(decide(sight, at(30))).toEqual({ kind: "go", mayRetry: true, share: 1 });
  });

  it("never goes back to an older epoch", () => {
    const sight = newSight(0);
    takeView(sight, open, 0);
    takeView(sight, closed, 10);
    expect(decide(sight, at(20))).toMatchObject({ kind: "refused" });
  });
});

/** Begun at once, whatever its delay. */
function begun(sight: Sight, nowMs: number): { turn: number; batch: ReportBatch } {
  const turn = scheduleReport(sight, nowMs, true)?.turn ?? 0;
  const batch = beginReport(sight, turn, nowMs);
  if (batch === undefined) throw new Error("no report");
  return { turn, batch };
}

describe("a view", () => {
  const ramp: BreakerView = { state: "ramp", epoch: 3, rampAgeMs: 0, rampMs: 10_000, earlyAgeMs: undefined };
  it.each<[string, BreakerView, number, boolean]>([
    ["closed", closed, 0, false],
    ["closed, but open for this PoP", { ...closed, popOpenForMs: 500 }, 499, true],
    ["closed again for this PoP", { ...closed, popOpenForMs: 500 }, 500, false],
    ["open", open, 0, true],
    ["open, with a probe due", open, 2_000, true],
    ["half-open", { ...open, state: "half-open" }, 0, true],
    ["ramping", ramp, 0, false],
    ["forced open", { ...closed, state: "forced-open" }, 0, true],
    ["forced closed", { ...closed, state: "forced-closed", popOpenForMs: 500 }, 0, false],
  ])("that is %s", (_state, view, ageMs, shut) => {
    expect(isShut(view, ageMs)).toBe(shut);
  });
});

describe("a retry", () => {
  it("is made while the breaker is closed and calls do not fail one after the other", () => {
    const sight = newSight(0);
    expect(mayRetry(sight, BREAKER_DEFAULTS)).toBe(false);
    takeView(sight, closed, 0);
    for (let failure = 0; failure < 5; failure++)
      noteFailure(sight, sight.view?.epoch, "network", BREAKER_DEFAULTS, 0, 0.5);
    expect(mayRetry(sight, BREAKER_DEFAULTS)).toBe(true);
    noteFailure(sight, sight.view?.epoch, "network", BREAKER_DEFAULTS, 0, 0.5);
    expect(mayRetry(sight, BREAKER_DEFAULTS)).toBe(false);
    noteSuccess(sight, sight.view?.epoch, 20, BREAKER_DEFAULTS, 0, 0.5);
    expect(mayRetry(sight, BREAKER_DEFAULTS)).toBe(true);
    takeView(sight, open, 1);
    expect(mayRetry(sight, BREAKER_DEFAULTS)).toBe(false);
  });
});

describe("the ramp", () => {
  const ramp = { state: "ramp", epoch: 2, rampAgeMs: 0, rampMs: 10_000, earlyAgeMs: undefined } as const;
  /** Of 2,000 requests within the first second, those that went. */
  const admitted = (callers: number): number => {
    const sight = newSight(0);
    takeView(sight, ramp, 0);
    let went = 0;
    for (let request = 0; request < 2_000; request++) {
      const verdict = decide(sight, at(request / 2, { caller: `caller-${request % callers}` }));
      if (verdict.kind === "go") went++;
    }
    return went;
  };

  it("lets no more than its share through, be it of one caller or of many", () => {
    for (const callers of [2, 5, 20, 2_000]) expect(admitted(callers) / 2_000).toBeLessThanOrEqual(0.12);
    expect(admitted(2_000) / 2_000).toBeGreaterThan(0.07);
    // One caller is in from the beginning, or waits for its turn.
    for (let epoch = 2; epoch < 50; epoch++) {
      const sight = newSight(0);
      takeView(sight, { ...ramp, epoch }, 0);
      const went = Array.from({ length: 200 }, (_, request) => decide(sight, at(request * 5))).filter(
        ({ kind }) => kind === "go",
      );
      expect(went.length / 200).toBeLessThanOrEqual(0.12);
    }
  });

  it("begins anew with each epoch", () => {
    const sight = newSight(0);
    takeView(sight, ramp, 0);
    for (let request = 0; request < 100; request++) decide(sight, at(1));
    takeView(sight, { ...ramp, epoch: 4 }, 10);
    expect(sight.ramp).toBeUndefined();
  });
});

describe("reports", () => {
  it("go every second, ten times as often while calls fail, one at a time", () => {
    const sight = newSight(0);
    const { turn } = begun(sight, 10_000);
    noteSuccess(sight, sight.view?.epoch, 5, BREAKER_DEFAULTS, 10_010, 0.5);
    expect(scheduleReport(sight, 10_010)).toBeUndefined();
    expect(endReport(sight, turn, { seq: 1, view: closed }, 10_020)).toBe(true);
    const late = scheduleReport(sight, 10_020);
    expect(late).toMatchObject({ delayMs: 980 });
    // A failure does not wait for the one that is scheduled, which then does nothing.
    noteFailure(sight, sight.view?.epoch, "network", BREAKER_DEFAULTS, 10_030, 0.5);
    const soon = scheduleReport(sight, 10_030);
    expect(soon).toMatchObject({ delayMs: 70 });
    expect(beginReport(sight, soon?.turn ?? 0, 10_100)).toMatchObject({ seq: 2, failures: { network: 1 } });
    expect(beginReport(sight, late?.turn ?? 0, 11_000)).toBeUndefined();
    expect(scheduleReport(sight, 10_500)).toBeUndefined();
    // One whose request was cut off never ends.
    expect(scheduleReport(sight, 10_100 + 4_001)).toMatchObject({ delayMs: 0 });
  });

  it("that never begin, because their request was cut off, hold up no other", () => {
    const sight = newSight(0);
    begun(sight, 10_000);
    endReport(sight, 1, { seq: 1, view: closed }, 10_010);
    expect(scheduleReport(sight, 10_010)).toMatchObject({ delayMs: 990 });
    expect(scheduleReport(sight, 11_050)).toBeUndefined();
    expect(scheduleReport(sight, 11_101)).toMatchObject({ delayMs: 0 });
  });

  it("say every outcome once, with its age: what was not answered goes again under the same number", () => {
    const sight = newSight(10_000);
    noteSuccess(sight, sight.view?.epoch, 20, BREAKER_DEFAULTS, 10_000, 0.5);
    noteFailure(sight, sight.view?.epoch, "timeout", BREAKER_DEFAULTS, 10_200, 0.5);
    const first = begun(sight, 10_400);
    expect(first.batch).toMatchObject({ seq: 1, failures: { timeout: 1 } });
    expect(first.batch.outcomes).toEqual([
      [400, 1, 0],
      [200, 0, 1],
    ]);
    expect(first.batch.latencies.reduce((sum, count) => sum + count, 0)).toBe(1);
    endReport(sight, first.turn, undefined, 12_400);
    noteFailure(sight, sight.view?.epoch, "late", BREAKER_DEFAULTS, 12_400, 0.5);
    const again = begun(sight, 12_500);
    expect(again.batch).toMatchObject({ seq: 1, failures: { timeout: 1 } });
    expect(again.batch.outcomes).toEqual([
      [2_500, 1, 0],
      [2_300, 0, 1],
    ]);
    expect(endReport(sight, again.turn, { seq: 1, view: closed }, 12_550)).toBe(true);
    const next = begun(sight, 12_600);
    // A late call has a grace of a tenth of a second.
    expect(next.batch).toMatchObject({ seq: 2, epoch: 1, failures: { late: 1 }, outcomes: [[100, 0, 1]] });
    // The answer to an earlier one acknowledges nothing else.
    expect(endReport(sight, 0, { seq: 1, view: closed }, 12_610)).toBe(false);
    endReport(sight, next.turn, undefined, 12_700);
    expect(begun(sight, 12_800).batch.seq).toBe(2);
  });

  it("say nothing of calls that began before the breaker moved, but how long they took", () => {
    const sight = newSight(0);
    takeView(sight, closed, 0);
    noteFailure(sight, 1, "network", BREAKER_DEFAULTS, 10_000, 0.5);
    takeView(sight, { ...closed, epoch: 4 }, 10_100);
    for (let call = 0; call < 30; call++) noteFailure(sight, 1, "timeout", BREAKER_DEFAULTS, 10_200, 0.5);
    noteSuccess(sight, 1, 900, BREAKER_DEFAULTS, 10_200, 0.5);
    const { batch } = begun(sight, 10_300);
    expect(batch).toMatchObject({ epoch: 4, outcomes: [], failures: { network: 1, timeout: 30 }, latencyTotalMs: 900 });
    expect(sight.local.score).toBeLessThan(1);
  });

  it("are bounded: outcomes of more than 24 steps are told with the oldest", () => {
    const sight = newSight(0);
    for (let call = 0; call < 200; call++)
      noteSuccess(sight, sight.view?.epoch, 20, BREAKER_DEFAULTS, 10_000 + call * 100, 0.5);
    const { batch } = begun(sight, 30_000);
    expect(batch.outcomes).toHaveLength(24);
    expect(batch.outcomes.reduce((sum, [, successes]) => sum + successes, 0)).toBe(200);
  });

  it("count a call slower than asked for as a failure", () => {
    const sight = newSight(0);
    const settings = { ...BREAKER_DEFAULTS, slowCallMs: 300 };
    noteSuccess(sight, sight.view?.epoch, 300, settings, 0, 0.5);
    noteSuccess(sight, sight.view?.epoch, 301, settings, 0, 0.5);
    expect(begun(sight, 0).batch).toMatchObject({ failures: { slow: 1 }, outcomes: [[0, 1, 1]] });
  });
});
