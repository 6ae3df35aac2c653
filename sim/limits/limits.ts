/** All scenarios with all seeds, on as many threads as there are processors; the escrow lease and its rivals. */
import { runParallel, serveJobs } from "../kernel/parallel.ts";
import { DESIGNS, ESCROW, type Figures, run } from "./run.ts";
import { SCENARIOS } from "./scenarios.ts";
import { limitsTable, type Row } from "./table.ts";

export interface LimitsOptions {
  readonly names: readonly string[];
  readonly firstSeed: number;
  readonly seeds: number;
  readonly json: boolean;
}

/** Rivals are for contrast: so many seeds say enough. */
const RIVAL_SEEDS = 5;

interface Job {
  readonly scenario: string;
  readonly design: string;
  readonly seed: number;
}

interface Outcome extends Job {
  readonly figures: Figures | undefined;
  /** A run that broke an invariant on the way. */
  readonly broken: string | undefined;
}

/** 0: nothing was over. 1: something was. */
export async function simulateLimits({ names, firstSeed, seeds, json }: LimitsOptions): Promise<number> {
  const jobs = names.flatMap((scenario) =>
    DESIGNS.flatMap((design) =>
      Array.from({ length: design === ESCROW ? seeds : Math.min(seeds, RIVAL_SEEDS) }, (_, index): Job => ({
        scenario,
        design,
        seed: firstSeed + index,
      })),
    ),
  );
  const outcomes = await runParallel<Outcome>(import.meta.url, jobs);
  const escrow = outcomes.filter(({ design }) => design === ESCROW);
  const failed = escrow.filter(
    ({ figures, broken }) => broken !== undefined || figures === undefined || figures.over > 0,
  );
  if (json) console.log(JSON.stringify({ firstSeed, seeds, outcomes }, null, 1));
  else
    console.log(
      limitsTable(
        names.flatMap((name) => rowsOf(name, outcomes)),
        { firstSeed, seeds, rivalSeeds: Math.min(seeds, RIVAL_SEEDS) },
      ),
    );
  for (const { scenario, seed, broken, figures } of failed) {
    console.error(`FAILED ${scenario} seed ${seed}: ${broken ?? `${figures?.over} tokens over`}`);
    console.error(`  again: npm run sim -- limits --scenario ${scenario} --seed ${seed}`);
  }
  return failed.length === 0 ? 0 : 1;
}

function rowsOf(scenario: string, outcomes: readonly Outcome[]): Row[] {
  const { target } = SCENARIOS[scenario] ?? { target: {} };
  return DESIGNS.map((design) => ({
    scenario,
    design,
    target: design === ESCROW ? target : {},
    runs: outcomes.flatMap((outcome) =>
      outcome.scenario === scenario && outcome.design === design && outcome.figures !== undefined
        ? [outcome.figures]
        : [],
    ),
  }));
}

function perform(job: Job): Outcome {
  const scenario = SCENARIOS[job.scenario];
  if (scenario === undefined) return { ...job, figures: undefined, broken: "no such scenario" };
  try {
    return { ...job, figures: run(scenario, job.design, job.seed).figures, broken: undefined };
  } catch (error) {
    return { ...job, figures: undefined, broken: error instanceof Error ? error.message : String(error) };
  }
}

serveJobs(perform);
