/**
 * A tenant at ten times its limit against a slow origin, in virtual time: what its limit admits meets, with what the
 * others send, an origin of so many workers and one queue. The others' traffic is the same in both runs.
 */
import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { BIN_MS } from "../../../sim/limits/ledger.ts";
import { ESCROW, run } from "../../../sim/limits/run.ts";
import { bucket } from "../../../sim/limits/world.ts";

const SECONDS = 120;
const LIMIT = 100;
const OTHERS = 4;
const OTHERS_RATE = 80;
/** Slow: a fifth of a second each, on the average; the workers are busy for five sixths of the time. */
const WORK_MS = 200;
const WORKERS = 100;
const MOST_SLOWER = 1.05;

/** What a tenant's limit admits of its demand, over 30 isolates in 10 PoPs: the number in each BIN_MS. */
function admitted(ratePerSecond: number, seed: number): readonly number[] {
  const scenario = {
    about: "one tenant",
    spec: bucket(LIMIT, LIMIT),
    ratePerSecond: LIMIT,
    pops: 10,
    lesseesPerPop: 3,
    lossRatio: 0.002,
    duplicateRatio: 0.005,
    phases: [{ ratePerSecond, forMs: SECONDS * 1_000 }],
    target: {},
  };
  return run(scenario, ESCROW, seed).ledger.bins;
}

/** 99th percentile of the others' time at the origin, and the part of theirs that was admitted. */
function beside(noisyRate: number, seed: number): { readonly p99: number; readonly sent: number } {
  const random = seeded(seed);
  const calls: { readonly atMs: number; readonly workMs: number; readonly noisy: boolean }[] = [];
  const send = (bins: readonly number[], noisy: boolean, draw: () => number): void => {
    for (const [bin, count] of bins.entries()) {
      for (let call = 0; call < (count ?? 0); call++) {
        calls.push({ atMs: (bin + draw()) * BIN_MS, workMs: -Math.log(1 - draw()) * WORK_MS, noisy });
      }
    }
  };
  for (let other = 0; other < OTHERS; other++) send(admitted(OTHERS_RATE, seed + other), false, random);
  const sent = calls.length;
  send(admitted(noisyRate, seed + OTHERS), true, seeded(seed + 1));
  calls.sort((a, b) => a.atMs - b.atMs);
  const freeAtMs = Array.from({ length: WORKERS }, () => 0);
  const times: number[] = [];
  for (const { atMs, workMs, noisy } of calls) {
    const worker = freeAtMs.indexOf(Math.min(...freeAtMs));
    const beginsAtMs = Math.max(atMs, freeAtMs[worker] ?? 0);
    freeAtMs[worker] = beginsAtMs + workMs;
    if (!noisy) times.push(beginsAtMs + workMs - atMs);
  }
  times.sort((a, b) => a - b);
  return { p99: times[Math.floor(times.length * 0.99)] ?? Number.NaN, sent };
}

describe("a tenant at ten times its limit, against a slow origin", () => {
  it.each([11, 22, 33])("leaves the others' 99th percentile within five hundredths (seed %i)", (seed) => {
    const quiet = beside(LIMIT, seed);
    const loud = beside(10 * LIMIT, seed);
    console.log(
      `seed ${seed}: p99 of the others ${quiet.p99.toFixed(0)} ms beside a tenant at its limit, ` +
        `${loud.p99.toFixed(0)} ms at ten times it (${(100 * (loud.p99 / quiet.p99 - 1)).toFixed(1)} %)`,
    );
    expect(loud.sent).toBe(quiet.sent);
    expect(loud.p99 / quiet.p99).toBeLessThanOrEqual(MOST_SLOWER);
  });
});
