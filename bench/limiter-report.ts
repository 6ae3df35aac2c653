/** The limiter's own figures, in words, against the marks that are asked of them. */
import { fork } from "node:child_process";
import { join } from "node:path";
import type { LeaseCallFigures } from "./lease-calls.ts";

export interface LimiterFigures {
  readonly decisions: readonly { readonly name: string; readonly p50Us: number; readonly p99Us: number }[];
  readonly bytesPerTenant: readonly { readonly name: string; readonly tenants: number; readonly bytes: number }[];
  /** Heap in MiB after so many distinct callers. */
  readonly callers: readonly { readonly callers: number; readonly heapMiB: number }[];
}

/** A warm decision, in the isolate. */
const MOST_P99_US = 50;
/** Heap after the last number of callers, as a multiple of the heap after the first. */
const MOST_GROWTH_RATIO = 1.2;

export function measureLimiter(): Promise<LimiterFigures> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, "limiter.ts"), { execArgv: [...process.execArgv, "--expose-gc"] });
    child.once("message", (figures: LimiterFigures) => {
      resolve(figures);
    });
    child.once("exit", (code) => {
      reject(new Error(`the limiter's measurement ended with ${code}`));
    });
  });
}

const growthOf = ({ callers }: LimiterFigures): number =>
  (callers.at(-1)?.heapMiB ?? Number.NaN) / (callers[0]?.heapMiB ?? Number.NaN);

/** True: a mark is missed. */
export function limiterFails(figures: LimiterFigures): boolean {
  const [weir] = figures.decisions;
  return !((weir?.p99Us ?? Number.NaN) <= MOST_P99_US) || !(growthOf(figures) <= MOST_GROWTH_RATIO);
}

export function limiterReport(figures: LimiterFigures, leaseCalls: LeaseCallFigures): string {
  const [weir] = figures.decisions;
  const rows = (all: readonly string[]): string => all.map((row) => `  ${row}`).join("\n");
  return [
    `One warm decision, timed one by one in Node (V8, as in workerd), mark p99 <= ${MOST_P99_US} µs: ${(weir?.p99Us ?? Number.NaN) <= MOST_P99_US ? "held" : "MISSED"}`,
    rows(
      figures.decisions.map(
        ({ name, p50Us, p99Us }) => `${name.padEnd(42)} p50 ${p50Us.toFixed(2)} µs  p99 ${p99Us.toFixed(2)} µs`,
      ),
    ),
    "Coordinator calls for each 1,000 requests, 4 edges at 0.8 of the limit",
    rows([
      `${"Weir, counted at the object".padEnd(42)} ${leaseCalls.callsPerThousand.toFixed(0)} (${leaseCalls.requests} requests, ${leaseCalls.refused} refused)`,
      `${"one object per key".padEnd(42)} 1000 by design`,
      `${"hono-rate-limiter, a store all share".padEnd(42)} 1000 by design`,
      `${"hono-rate-limiter, in memory".padEnd(42)} 0 by design, and the limit holds for each isolate alone`,
    ]),
    "Heap of one isolate for each active tenant",
    rows(
      figures.bytesPerTenant.map(
        ({ name, tenants, bytes }) =>
          `${name.padEnd(42)} ${bytes} bytes, ${((bytes * tenants) / 2 ** 20).toFixed(1)} MiB for ${tenants}`,
      ),
    ),
    `Heap after distinct anonymous callers through one isolate, mark ${MOST_GROWTH_RATIO} ×: ${growthOf(figures) <= MOST_GROWTH_RATIO ? "held" : "MISSED"}`,
    rows(
      figures.callers.map(({ callers, heapMiB }) => `${String(callers).padStart(9)} callers ${heapMiB.toFixed(1)} MiB`),
    ),
  ].join("\n");
}
