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
import type { BreakerSettings } from "../../../src/policy/breaker/types.ts";
import { judge, viewOf } from "../../../src/policy/breaker/view.ts";
import { seeded } from "../../../sim/kernel/random.ts";

const SETTINGS: BreakerSettings = {
  earlyAgeMs: 500,
  tripScore: 20,
  quorumPops: 3,
  backoffMs: 1_000,
  maxBackoffMs: 5_000,
  probes: 1,
  closeAfter: 3,
  rampMs: 10_000,
};
const T0 = 1_000_000;

function report(breaker: Breaker, pop: string, failures: number, successes: number, nowMs: number): void {
  observe(breaker, { pop, epoch: breaker.epoch, failures, successes }, nowMs, 0.5);
}

/** Opened by one PoP, alone in the world. */
function opened(settings: Partial<BreakerSettings> = {}): Breaker {
  const breaker = newBreaker({ ...SETTINGS, ...settings });
  report(breaker, "A", 15, 0, T0);
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
  it("opens at about 15 net failures, however many successes lie in the past", () => {
    const breaker = newBreaker(SETTINGS);
    report(breaker, "A", 0, 100_000, T0);
    report(breaker, "A", 14, 0, T0 + 100);
    expect(breaker.state.kind).toBe("closed");
    report(breaker, "A", 1, 0, T0 + 200);
    expect(breaker.state.kind).toBe("open");
    expect(breaker.history.at(-1)).toMatchObject({ from: "closed", to: "open", reason: "failures", pops: ["A"] });
  });

  it("stays closed at 20 % base error for a simulated day", () => {
    const breaker = newBreaker(SETTINGS);
    const random = seeded(42);
    for (let second = 0; second < 86_400; second++) {
      let failures = 0;
      for (let call = 0; call < 50; call++) if (random() < 0.2) failures++;
      report(breaker, `pop-${second % 5}`, failures, 50 - failures, T0 + second * 1_000);
    }
    expect(breaker.history).toEqual([]);
  });

  it("is not opened for the world by one bad PoP among five; that PoP alone is told to stay away", () => {
    const breaker = newBreaker(SETTINGS);
    for (let step = 0; step < 200; step++) {
      const nowMs = T0 + step * 100;
      for (const pop of ["B", "C", "D", "E"]) report(breaker, pop, 0, 5, nowMs);
      report(breaker, "A", 5, 0, nowMs);
    }
    expect(breaker.state.kind).toBe("closed");
    expect(judge(viewOf(breaker, "A", T0 + 20_000), 0, "t", true).kind).toBe("refused");
    expect(judge(viewOf(breaker, "B", T0 + 20_000), 0, "t", true)).toEqual({ kind: "go", mayRetry: true });
  });

  it("opens when three of five PoPs see it fail", () => {
    const breaker = newBreaker(SETTINGS);
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
    report(breaker, "A", 7, 0, T0 + 3_000);
    expect(breaker.state.kind).toBe("ramp");
    report(breaker, "A", 1, 0, T0 + 3_100);
    expect(breaker.state.kind).toBe("open");
    // Re-opened within a minute of closing: the first wait is doubled.
    if (breaker.state.kind === "open") expect(breaker.state.backoffMs).toBe(2_000);
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
    const breaker = newBreaker(SETTINGS);
    force(breaker, { state: "open", reason: "drill", by: "me", untilMs: T0 + 60_000 }, T0);
    report(breaker, "A", 0, 1_000, T0 + 1);
    expect(viewOf(breaker, "A", T0 + 1).state).toBe("forced-open");
    expect(grantProbe(breaker, "p", T0 + 9, T0 + 2)).toBe(false);
    tick(breaker, T0 + 60_000);
    expect(breaker.state.kind).toBe("open");
    expect(grantProbe(breaker, "p", T0 + 70_000, T0 + 60_001)).toBe(true);
  });

  it("forced closed lets failures through until it expires; a reset closes an open one", () => {
    const breaker = newBreaker(SETTINGS);
    force(breaker, { state: "closed", reason: "known", by: "me", untilMs: T0 + 1_000 }, T0);
    report(breaker, "A", 100, 0, T0 + 1);
    expect(judge(viewOf(breaker, "A", T0 + 1), 0, "t", true).kind).toBe("go");
    const other = opened();
    resetBreaker(other, "mended", T0 + 1);
    expect(other.state.kind).toBe("closed");
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
        const breaker = newBreaker({ ...SETTINGS, probes });
        const leases: { id: string; epoch: number; expiresAtMs: number }[] = [];
        let nowMs = T0;
        let epoch = breaker.epoch;
        for (const [index, { kind, n }] of plan.entries()) {
          nowMs += n;
          if (kind === "report") report(breaker, `pop-${n % 4}`, n % 30, (n * 7) % 20, nowMs);
          if (kind === "ask" && grantProbe(breaker, `l${index}`, nowMs + 2_000, nowMs)) {
            leases.push({ id: `l${index}`, epoch: breaker.epoch, expiresAtMs: nowMs + 2_000 });
          }
          const lease = leases[n % Math.max(1, leases.length)];
          // Results come late, twice, or for leases long lost.
          if (kind === "result" && lease !== undefined)
            concludeProbe(breaker, lease.id, lease.epoch, n % 3 > 0, nowMs, 0.5);
          if (kind === "stale") observe(breaker, { pop: "x", epoch: 0, failures: 1_000, successes: 0 }, nowMs, 0.5);
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
    const view = { state: "ramp", epoch: 7, rampAgeMs: 0, rampMs: 10_000 } as const;
    const tenants = Array.from({ length: 2_000 }, (_, index) => `tenant-${index}`);
    const admitted = (ageMs: number): Set<string> =>
      new Set(tenants.filter((tenant) => judge(view, ageMs, tenant, true).kind === "go"));
    expect(admitted(0).size / tenants.length).toBeGreaterThan(0.08);
    expect(admitted(0).size / tenants.length).toBeLessThan(0.12);
    for (const tenant of admitted(3_000)) expect(admitted(6_000)).toContain(tenant);
    expect(admitted(10_000).size).toBe(tenants.length);
    expect(judge(view, 9_999, "tenant-1", true)).toEqual({ kind: "go", mayRetry: false });
  });

  it("names when to come back: the time until the next probe", () => {
    const view = { state: "open", epoch: 2, nextProbeInMs: 900 } as const;
    expect(judge(view, 300, "t", true)).toEqual({ kind: "refused", retryAfterMs: 600 });
    expect(judge(view, 900, "t", true)).toEqual({ kind: "probe" });
    expect(judge(view, 900, "t", false).kind).toBe("refused");
  });
});

describe("requests to a dead origin, 500 a second over 20 PoPs of 4 isolates", () => {
  it("are at most rps + 2 × PoPs + 30 in 120 s, and it is seen within 1.5 s", () => {
    const random = seeded(3);
    const breaker = newBreaker(SETTINGS);
    const edges = Array.from({ length: 80 }, (_, index) => ({
      pop: `pop-${index % 20}`,
      view: viewOf(breaker, "", T0),
      viewAtMs: T0,
      failures: 0,
      reportedAtMs: T0,
      busyUntilMs: 0,
    }));
    const inbox: { atMs: number; run: () => void }[] = [];
    let sent = 0;
    let openedAtMs = 0;
    for (let nowMs = T0; nowMs < T0 + 120_000; nowMs += 2) {
      for (const message of inbox.filter(({ atMs }) => atMs <= nowMs)) {
        inbox.splice(inbox.indexOf(message), 1);
        message.run();
      }
      const edge = edges[Math.floor(random() * edges.length)];
      if (edge === undefined) continue;
      const verdict = judge(edge.view, nowMs - edge.viewAtMs, `t${nowMs % 50}`, true);
      const halfTripMs = 10 + random() * 65;
      if (verdict.kind === "go") {
        sent++;
        edge.failures++;
      }
      if (verdict.kind === "probe" && nowMs > edge.busyUntilMs) {
        edge.busyUntilMs = nowMs + 1_000;
        inbox.push({
          atMs: nowMs + halfTripMs,
          run: () => {
            const id = `l${nowMs}`;
            if (!grantProbe(breaker, id, nowMs + 3_000, nowMs)) return;
            sent++;
            const { epoch } = breaker;
            inbox.push({
              atMs: nowMs + 3 * halfTripMs,
              run: () => concludeProbe(breaker, id, epoch, false, nowMs + 3 * halfTripMs, random()),
            });
          },
        });
      }
      const due = edge.failures > 0 ? 100 : 1_000;
      if (nowMs - edge.reportedAtMs >= due) {
        const { failures } = edge;
        edge.failures = 0;
        edge.reportedAtMs = nowMs;
        const { epoch } = edge.view;
        inbox.push({
          atMs: nowMs + halfTripMs,
          run: () => {
            observe(breaker, { pop: edge.pop, epoch, failures, successes: 0 }, nowMs, random());
            if (openedAtMs === 0 && breaker.state.kind === "open") openedAtMs = nowMs;
            const view = viewOf(breaker, edge.pop, nowMs);
            inbox.push({
              atMs: nowMs + 2 * halfTripMs,
              run: () => {
                edge.view = view;
                edge.viewAtMs = nowMs + halfTripMs;
              },
            });
          },
        });
      }
    }
    console.log(`${sent} requests sent in 120 s; opened after ${openedAtMs - T0} ms`);
    expect(openedAtMs - T0).toBeLessThanOrEqual(1_500);
    expect(sent).toBeLessThanOrEqual(500 + 2 * 20 + 30);
  });
});
