import { describe, expect, it } from "vitest";
import {
  composeReport,
  decide,
  decideAfterAsking,
  endReport,
  newSight,
  noteFailure,
  noteSuccess,
  noteUnreachable,
  type PassageRequest,
  refuseProbe,
  scheduleReport,
  takeView,
} from "../../../src/policy/breaker/sight.ts";
import type { BreakerView } from "../../../src/policy/breaker/view.ts";

const closed: BreakerView = { state: "closed", epoch: 1, popOpenForMs: 0 };
const open: BreakerView = { state: "open", epoch: 2, nextProbeInMs: 1_000 };
const at = (nowMs: number, change: Partial<PassageRequest> = {}): PassageRequest => ({
  nowMs,
  tenantId: "acme",
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
    expect(decide(sight, at(5_000))).toEqual({ kind: "go", mayRetry: true });
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
    expect(decide(sight, at(15_001))).toEqual({ kind: "go", mayRetry: false });
    for (let call = 0; call < 20; call++) noteFailure(sight, "network", 20, 15_001, 0.5);
    expect(decide(sight, at(15_002))).toMatchObject({ kind: "refused" });
    expect(decideAfterAsking(sight, at(30_000))).toEqual({ kind: "go", mayRetry: false });
  });

  it("throttles in a brown-out, and forgets it when the breaker moved", () => {
    const sight = newSight(0);
    takeView(sight, closed, 0);
    for (let call = 0; call < 100; call++) {
      decide(sight, at(0, { random: 0.99 }));
      noteFailure(sight, "status", 1_000, 0, 0.5);
    }
    expect(decide(sight, at(10))).toMatchObject({ kind: "refused" });
    takeView(sight, { ...closed, epoch: 2 }, 20);
    expect(decide(sight, at(30))).toEqual({ kind: "go", mayRetry: true });
  });

  it("never goes back to an older epoch", () => {
    const sight = newSight(0);
    takeView(sight, open, 0);
    takeView(sight, closed, 10);
    expect(decide(sight, at(20))).toMatchObject({ kind: "refused" });
  });
});

describe("reports", () => {
  it("go at most every hundred milliseconds, one at a time", () => {
    const sight = newSight(0);
    expect(scheduleReport(sight, 1_000)).toBe(0);
    expect(scheduleReport(sight, 1_050)).toBeUndefined();
    endReport(sight, closed, 1_060);
    expect(scheduleReport(sight, 1_070)).toBe(30);
    // One whose request was cut off never ends.
    expect(scheduleReport(sight, 1_100 + 4_000)).toBe(0);
  });

  it("say every outcome once: what was not answered goes again under the same number", () => {
    const sight = newSight(0);
    noteSuccess(sight, 20, 0, 0.5);
    noteFailure(sight, "timeout", 20, 0, 0.5);
    const first = composeReport(sight);
    expect(first).toMatchObject({ seq: 1, successes: 1, failures: { timeout: 1 } });
    endReport(sight, undefined, 2_000);
    noteFailure(sight, "late", 20, 2_000, 0.5);
    expect(composeReport(sight)).toBe(first);
    expect(endReport(sight, closed, 2_100)).toBe(true);
    expect(composeReport(sight)).toMatchObject({ seq: 2, epoch: 1, successes: 0, failures: { late: 1 } });
    expect(endReport(sight, closed, 2_200)).toBe(false);
  });
});
