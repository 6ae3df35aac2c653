/**
 * CPU time that telemetry takes of the pipeline alone, in Node, by turns of TURN requests with it and without: sockets and
 * objects, which make its share of the whole smaller, are left out, and the machine's noise with them. Run as a process of
 * its own; sends its figures to the parent.
 */
import { loadConfig } from "../src/config/load.ts";
import { Edge } from "../src/edge/edge.ts";
import { handle } from "../src/edge/pipeline.ts";
import type { Env } from "../src/platform/bindings.ts";
import { call } from "./coordinator-stand-in.ts";
import { median } from "./median.ts";
import type { PipelineFigures } from "./telemetry.ts";

const TURN = 250;
const PAIRS = 400;
const WARM_UP_TURNS = 80;

const nothing = { match: async () => undefined, put: async () => undefined, delete: async () => false };
Object.assign(globalThis, { caches: { default: nothing }, fetch: async () => new Response("fine") });

const text = JSON.stringify({
  version: 1,
  origins: { app: { url: "http://app.invalid", retry: { attempts: 1 } } },
  identity: [{ type: "anonymous", plan: "open" }],
  plans: { open: { limits: { requests: { rate: "900000/s", burst: 10_000_000 } } } },
  routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  // Lines of sampled requests are no part of it.
  logs: { sample: 0 },
});
const loaded = await loadConfig(text, { configVersion: 1, readPage: async () => undefined });
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
const edge = new Edge(loaded.config, "bench");

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- WAN takes every call, so no namespace is touched
const [on, off] = [
  { METRICS: {}, WAN: { call } },
  { METRICS: undefined, WAN: { call } },
] as unknown as [Env, Env];
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the pipeline uses nothing else of it
const context = {
  waitUntil: (work: Promise<unknown>) => {
    work.catch(() => undefined);
  },
} as unknown as ExecutionContext;

/** CPU microseconds. */
async function turn(env: Env): Promise<number> {
  const before = process.cpuUsage();
  for (let index = 0; index < TURN; index++) {
    await (await handle(edge, new Request("https://gateway.example/page"), env, context)).text();
  }
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

for (let warmUp = 0; warmUp < WARM_UP_TURNS; warmUp++) await turn(warmUp % 2 === 0 ? on : off);
const ratios: number[] = [];
for (let pair = 0; pair < PAIRS; pair++) {
  const isOnFirst = pair % 2 === 0;
  const first = await turn(isOnFirst ? on : off);
  const second = await turn(isOnFirst ? off : on);
  ratios.push(isOnFirst ? first / second : second / first);
}
const counted = edge.counters.closeBatch(Date.now()) ?? edge.counters.unsent(1);
if (counted === undefined) throw new Error("nothing was counted");
const sorted = ratios.toSorted((a, b) => a - b);
const quartile = (part: number): number => sorted[Math.floor(part * (PAIRS - 1))] ?? Number.NaN;
/** Of a median: 1.25 standard errors of a mean; half of a normal distribution is within 1.35 standard deviations. */
const error = (1.25 * (quartile(0.75) - quartile(0.25))) / 1.35 / Math.sqrt(PAIRS);
process.send?.({ ratio: median(ratios) - 1, plusMinus: 2 * error } satisfies PipelineFigures);
process.exit(0);
