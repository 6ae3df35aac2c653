/** All scenarios with all seeds; Weir's breaker and its rivals. Ends with a table. */
import { miss } from "../kernel/miss.ts";
import { runParallel, serveJobs } from "../kernel/parallel.ts";
import { BREAKER_DESIGNS, type BreakerFigures, runBreaker, WEIR } from "./run.ts";
import { BREAKER_SCENARIOS, type BreakerTarget } from "./scenarios.ts";

export interface BreakerOptions {
  readonly names: readonly string[];
  readonly firstSeed: number;
  readonly seeds: number;
  readonly json: boolean;
}

/** Rivals are for contrast: one seed says enough. */
const RIVAL_SEEDS = 1;

interface Job {
  readonly scenario: string;
  readonly design: string;
  readonly seed: number;
}

interface Outcome extends Job {
  readonly figures: BreakerFigures;
}

/** 0: never was more than one probe of Weir's under way. 1: more were. */
export async function simulateBreaker({ names, firstSeed, seeds, json }: BreakerOptions): Promise<number> {
  const jobs = names.flatMap((scenario) =>
    designsOf(scenario).flatMap((design) =>
      Array.from({ length: design === WEIR ? seeds : RIVAL_SEEDS }, (_, index): Job => ({
        scenario,
        design,
        seed: firstSeed + index,
      })),
    ),
  );
  const outcomes = await runParallel<Outcome>(import.meta.url, jobs);
  if (json) console.log(JSON.stringify({ firstSeed, seeds, outcomes }, null, 1));
  else console.log(table(names, outcomes, firstSeed, seeds));
  const tooMany = outcomes.filter(({ design, figures }) => design === WEIR && figures.mostProbes > 1);
  for (const { scenario, seed, figures } of tooMany) {
    console.error(`FAILED ${scenario} seed ${seed}: ${figures.mostProbes} probes at once`);
    console.error(`  again: npm run sim -- breaker --scenario ${scenario} --seed ${seed}`);
  }
  return tooMany.length === 0 ? 0 : 1;
}

const designsOf = (scenario: string): readonly string[] =>
  BREAKER_SCENARIOS[scenario]?.long === true ? [WEIR] : BREAKER_DESIGNS;

const COLUMNS = [
  ["scenario", 18],
  ["design", 26],
  ["sent in vain", 16],
  ["opened after", 20],
  ["openings", 12],
  ["changes/min", 14],
  ["probes", 8],
  ["first second", 14],
  ["refused in vain", 16],
] as const;

function table(names: readonly string[], outcomes: readonly Outcome[], firstSeed: number, seeds: number): string {
  const lines = [
    `Seeds ${firstSeed} to ${firstSeed + seeds - 1} for Weir (means), ${RIVAL_SEEDS} for the others. 100 PoPs, 4 isolates each. Sent in vain: requests`,
    "that reached the origin while it did not work. First second: load right after closing, of the usual. Refused in vain: of",
    "requests to an origin that worked. Changes and openings of isolates with breakers of their own are added up. * misses",
    "its target, named behind.",
    "",
    COLUMNS.map(([name, width]) => name.padEnd(width)).join(""),
  ];
  for (const scenario of names) {
    const { target, about } = BREAKER_SCENARIOS[scenario] ?? { target: {}, about: "" };
    lines.push(`${scenario}: ${about}`);
    for (const design of designsOf(scenario)) {
      const runs = outcomes.filter((outcome) => outcome.scenario === scenario && outcome.design === design);
      lines.push(
        lineOf(
          design,
          runs.map(({ figures }) => figures),
          design === WEIR ? target : {},
        ),
      );
    }
  }
  return lines.join("\n");
}

function lineOf(design: string, runs: readonly BreakerFigures[], target: BreakerTarget): string {
  const mean = (of: (figures: BreakerFigures) => number | undefined): number | undefined => {
    const values = runs.flatMap((run) => of(run) ?? []);
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const cell = (value: number | undefined, show: (value: number) => string, most: number | undefined): string =>
    value === undefined ? "-" : show(value) + miss(most, value, "most");
  const whole = (value: number): string => value.toFixed(0);
  // The 95th percentile of the seeds.
  const detections = runs.flatMap(({ detectionMs }) => detectionMs ?? []).toSorted((a, b) => a - b);
  const slow = detections[Math.floor(detections.length * 0.95)];
  const cells = [
    "",
    design,
    cell(
      mean((run) => run.sentToFailing),
      whole,
      target.mostSent,
    ),
    cell(slow, (ms) => `${(ms / 1_000).toFixed(2)} s`, target.detectionMs),
    cell(
      mean((run) => run.openings),
      (value) => value.toFixed(1),
      target.mostOpenings,
    ),
    cell(
      mean((run) => run.transitionsPerMinute),
      (value) => value.toFixed(1),
      target.transitionsPerMinute,
    ),
    String(Math.max(...runs.map((run) => run.mostProbes))),
    cell(
      mean((run) => run.firstSecondRatio),
      (value) => value.toFixed(3),
      target.firstSecondRatio,
    ),
    cell(
      mean((run) => run.refusedWhileSoundRatio),
      (value) => `${(100 * value).toFixed(1)} %`,
      undefined,
    ),
  ];
  return cells
    .map((text, index) => text.padEnd(COLUMNS[index]?.[1] ?? 0))
    .join("")
    .trimEnd();
}

function perform({ scenario: name, design, seed }: Job): Outcome {
  const scenario = BREAKER_SCENARIOS[name];
  if (scenario === undefined) throw new TypeError(`no scenario ${name}`);
  return { scenario: name, design, seed, figures: runBreaker(scenario, design, seed) };
}

serveJobs(perform);
