import fc from "fast-check";
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
import { seeded } from "../../../sim/kernel/random.ts";

const SETTINGS = BREAKER_DEFAULTS;
const T0 = 1_000_000;

function report(breaker: Breaker, pop: string, failures: number, successes: number, nowMs: number): void {
  // Old enough to be weighed at once.
  observe(breaker, { pop, epoch: breaker.epoch, outcomes: [[200, successes, failures]], latencies: [] }, nowMs, 0.5);
}

/** Opened by one PoP, alone in the world. */
function opened(settings: Partial<BreakerSettings> = {}): Breaker {
  const breaker = newBreaker({ ...SETTINGS, ...settings }, T0);
  report(breaker, "A", 22, 0, T0);
  expect(breaker.state.kind).toBe("open");
  return breaker;
}

/** Through three probes into the ramp. */
function ramped(breaker: Breaker, nowMs: number): void {
  for (let probe = 0; probe < breaker.settings.closeAfter; probe++) {
    expect(grantProbe(breaker, `p${probe}-${nowMs}`, nowMs + 1_000, nowMs)).toBe(true);
    concludeProbe(breaker, `p${probe}-${nowMs}`, breaker.epoch, true, nowMs, 0.5);
  }
  expect(breaker.state.kind).toBe("ramp");
}

describe("closed", () => {
  it("opens at 22 failures in a row, however many successes lie in the past", () => {
    const breaker = newBreaker(SETTINGS, T0);
    for (let second = 0; second < 60; second++) report(breaker, "A", 0, 50, T0 + second * 1_000);
    // As many for each second as before.
    for (let failure = 0; failure < 21; failure++) report(breaker, "A", 1, 0, T0 + 60_000 + failure * 20);
    expect(breaker.state.kind).toBe("closed");
    for (let failure = 21; failure < 30; failure++) report(breaker, "A", 1, 0, T0 + 60_000 + failure * 20);
    expect(breaker.state.kind).toBe("open");
    expect(breaker.history.at(-1)).toMatchObject({ from: "closed", to: "open", reason: "failures", pops: ["A"] });
  });

  it("stays closed at 20 % base error for a simulated day", () => {
    const breaker = newBreaker(SETTINGS, T0);
    const random = seeded(42);
    for (let second = 0; second < 86_400; second++) {
      let failures = 0;
      for (let call = 0; call < 50; call++) if (random() < 0.2) failures++;
      report(breaker, `pop-${second % 5}`, failures, 50 - failures, T0 + second * 1_000);
    }
    expect(breaker.history).toEqual([]);
  });

  it("is not opened for the world by one bad PoP among five; that PoP alone is told to stay away", () => {
    const breaker = newBreaker(SETTINGS, T0);
    for (let step = 0; step < 200; step++) {
      const nowMs = T0 + step * 100;
      for (const pop of ["B", "C", "D", "E"]) report(breaker, pop, 0, 5, nowMs);
      report(breaker, "A", 5, 0, nowMs);
    }
    expect(breaker.state.kind).toBe("closed");
    expect(judge(viewOf(breaker, "A", T0 + 20_000), 0, "t", true).kind).toBe("refused");
    expect(judge(viewOf(breaker, "B", T0 + 20_000), 0, "t", true)).toEqual({ kind: "go", mayRetry: true, share: 1 });
  });

  it("opens when three of five PoPs see it fail", () => {
    const breaker = newBreaker(SETTINGS, T0);
    for (const pop of ["D", "E"]) report(breaker, pop, 0, 5, T0);
    for (let step = 0; step < 6; step++) for (const pop of ["A", "B", "C"]) report(breaker, pop, 3, 0, T0 + step);
    expect(breaker.state.kind).toBe("open");
  });
});

describe("open", () => {
  it("grants no probe before it is due, then one, and no second while the first is out", () => {
    const breaker = opened();
    expect(grantProbe(breaker, "early", T0 + 9_000, T0 + 799)).toBe(false);
    expect(grantProbe(breaker, "first", T0 + 5_000, T0 + 1_200)).toBe(true);
    expect(grantProbe(breaker, "second", T0 + 5_000, T0 + 1_300)).toBe(false);
    // The first is lost: its place is free after its lease.
    expect(grantProbe(breaker, "third", T0 + 9_000, T0 + 5_001)).toBe(true);
  });

  it("waits longer after each failed probe, up to the longest wait", () => {
    const breaker = opened();
    let nowMs = T0;
    const waits: number[] = [];
    for (let probe = 0; probe < 8; probe++) {
      if (breaker.state.kind !== "open") throw new Error(`state is ${breaker.state.kind}`);
      waits.push(breaker.state.backoffMs);
      nowMs = breaker.state.nextProbeAtMs;
      grantProbe(breaker, `p${probe}`, nowMs + 1_000, nowMs);
      concludeProbe(breaker, `p${probe}`, breaker.epoch, false, nowMs + 10, 0.5);
    }
    expect(waits.slice(0, 4)).toEqual([1_000, 1_500, 2_250, 3_375]);
    expect(Math.max(...waits)).toBe(5_000);
  });

  it("closes over the ramp after three successes, and re-opens there at half the score", () => {
    const breaker = opened();
    ramped(breaker, T0 + 2_000);
    report(breaker, "A", 10, 0, T0 + 3_000);
    expect(breaker.state.kind).toBe("ramp");
    report(breaker, "A", 1, 0, T0 + 3_010);
    expect(breaker.state.kind).toBe("open");
    // Re-opened within a minute of closing: the first wait is doubled.
    if (breaker.state.kind === "open") expect(breaker.state.backoffMs).toBe(2_000);
  });

  it("closed by hand it is as new: opening again soon after is no flapping", () => {
    const breaker = opened();
    ramped(breaker, T0 + 2_000);
    resetBreaker(breaker, "mended", "me", T0 + 3_000);
    report(breaker, "A", 22, 0, T0 + 4_000);
    expect(breaker.state).toMatchObject({ kind: "open", backoffMs: 1_000 });
  });

  it("a sound ramp ends closed", () => {
    const breaker = opened();
    ramped(breaker, T0 + 2_000);
    tick(breaker, T0 + 11_999);
    expect(breaker.state.kind).toBe("ramp");
    tick(breaker, T0 + 12_000);
    expect(breaker.state.kind).toBe("closed");
  });
});

describe("by hand", () => {
  it("forced open wins over everything until it expires, then is probed", () => {
    const breaker = newBreaker(SETTINGS, T0);
    force(breaker, { state: "open", reason: "drill", by: "me", untilMs: T0 + 60_000 }, T0);
    report(breaker, "A", 0, 1_000, T0 + 1);
    expect(viewOf(breaker, "A", T0 + 1).state).toBe("forced-open");
    // When it ends is when to come back.
    expect(judge(viewOf(breaker, "A", T0 + 1), 999, "t", true)).toEqual({ kind: "refused", retryAfterMs: 59_000 });
    expect(grantProbe(breaker, "p", T0 + 9, T0 + 2)).toBe(false);
    tick(breaker, T0 + 60_000);
    expect(breaker.state.kind).toBe("open");
    expect(grantProbe(breaker, "p", T0 + 70_000, T0 + 60_001)).toBe(true);
  });

  it("forced closed lets failures through until it expires; a reset closes an open one", () => {
    const breaker = newBreaker(SETTINGS, T0);
    force(breaker, { state: "closed", reason: "known", by: "me", untilMs: T0 + 1_000 }, T0);
    report(breaker, "A", 100, 0, T0 + 1);
    expect(judge(viewOf(breaker, "A", T0 + 1), 0, "t", true).kind).toBe("go");
    const other = opened();
    resetBreaker(other, "mended", "me", T0 + 1);
    expect(other.state.kind).toBe("closed");
    expect(other.history.at(-1)).toMatchObject({ reason: "reset: mended", by: "me" });
  });
});

describe("a clock that is set back by an hour", () => {
  const HOUR = 3_600_000;

  it("keeps no origin shut, no ramp endless and no failure unseen", () => {
    const open = opened();
    tick(open, T0 - HOUR);
    expect(grantProbe(open, "p", T0 - HOUR + 2_000, T0 - HOUR)).toBe(true);
    const ramp = opened();
    ramped(ramp, T0 + 2_000);
    tick(ramp, T0 - HOUR);
    expect(viewOf(ramp, "A", T0 - HOUR)).toMatchObject({ state: "ramp", rampAgeMs: 0 });
    tick(ramp, T0 - HOUR + 10_000);
    expect(ramp.state.kind).toBe("closed");
    const closed = newBreaker(SETTINGS, T0);
    for (let second = 0; second < 10; second++) report(closed, "A", 0, 50, T0 + second * 1_000);
    for (let failure = 0; failure < 60; failure++) report(closed, "A", 1, 0, T0 - HOUR + failure * 20);
    expect(closed.state.kind).toBe("open");
  });

  it("frees the place of a lost probe, as soon as its try can be over", () => {
    const breaker = opened();
    expect(grantProbe(breaker, "lost", T0 + 5_000, T0 + 2_000)).toBe(true);
    tick(breaker, T0 - HOUR);
    expect(breaker.probes.size).toBe(1);
    tick(breaker, T0 - HOUR + 61_001);
    expect(breaker.probes.size).toBe(0);
  });
});

describe("whatever comes in whatever order", () => {
  type Step = { kind: "report" | "ask" | "result" | "stale" | "force" | "wait"; n: number };
  const steps = fc.array(
    fc.record<Step>({
      kind: fc.constantFrom("report", "ask", "result", "stale", "force", "wait"),
      n: fc.nat(1_000),
    }),
    { minLength: 50, maxLength: 300 },
  );

  it("never more probes are out than allowed, the epoch never falls, no score is below zero", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 3 }), (plan, probes) => {
        const breaker = newBreaker({ ...SETTINGS, probes }, T0);
        const leases: { id: string; epoch: number; expiresAtMs: number }[] = [];
        let nowMs = T0;
        let epoch = breaker.epoch;
        for (const [index, { kind, n }] of plan.entries()) {
          nowMs += n;
          if (kind === "report") report(breaker, `pop-${n % 4}`, n % 40, (n * 7) % 5, nowMs);
          if (kind === "ask" && grantProbe(breaker, `l${index}`, nowMs + 2_000, nowMs)) {
            leases.push({ id: `l${index}`, epoch: breaker.epoch, expiresAtMs: nowMs + 2_000 });
          }
          const lease = leases[n % Math.max(1, leases.length)];
          // Results come late, twice, or for leases long lost.
          if (kind === "result" && lease !== undefined)
            concludeProbe(breaker, lease.id, lease.epoch, n % 3 > 0, nowMs, 0.5);
          if (kind === "stale")
            observe(breaker, { pop: "x", epoch: 0, outcomes: [[200, 0, 1_000]], latencies: [] }, nowMs, 0.5);
          if (kind === "force")
            force(breaker, { state: n % 2 ? "open" : "closed", reason: "r", by: "b", untilMs: nowMs + n }, nowMs);
          expect(breaker.probes.size).toBeLessThanOrEqual(probes);
          expect(breaker.epoch).toBeGreaterThanOrEqual(epoch);
          expect(breaker.score).toBeGreaterThanOrEqual(0);
          expect(breaker.history.length).toBeLessThanOrEqual(200);
          epoch = breaker.epoch;
        }
      }),
    );
  });
});

describe("an edge's view", () => {
  it("admits a growing share of tenants in the ramp, each consistently in once it is in", () => {
    const view = { state: "ramp", epoch: 7, rampAgeMs: 0, rampMs: 10_000, earlyAgeMs: undefined } as const;
    const tenants = Array.from({ length: 2_000 }, (_, index) => `tenant-${index}`);
    const admitted = (ageMs: number): Set<string> =>
      new Set(tenants.filter((tenant) => judge(view, ageMs, tenant, true).kind === "go"));
    expect(admitted(0).size / tenants.length).toBeGreaterThan(0.08);
    expect(admitted(0).size / tenants.length).toBeLessThan(0.12);
    for (const tenant of admitted(3_000)) expect(admitted(6_000)).toContain(tenant);
    expect(admitted(10_000).size).toBe(tenants.length);
    expect(judge(view, 9_999, "tenant-1", true)).toMatchObject({ kind: "go", mayRetry: false });
  });

  it("names when to come back: the time until the next probe", () => {
    const view = { state: "open", epoch: 2, nextProbeInMs: 900, earlyAgeMs: undefined } as const;
    expect(judge(view, 300, "t", true)).toEqual({ kind: "refused", retryAfterMs: 600 });
    expect(judge(view, 900, "t", true)).toEqual({ kind: "probe" });
    expect(judge(view, 900, "t", false).kind).toBe("refused");
  });
});
