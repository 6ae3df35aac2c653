/**
 * `npm run sim -- limits|breaker [--scenario NAME] [--seeds N] [--seed S] [--json]`: the policies that the Worker runs, in
 * virtual time, over hundreds of isolates. Ends with a table; exit code 1 when an invariant was broken: a token admitted
 * too many, a probe too many. `limits` also takes `--plot FILE.svg`.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { simulateBreaker } from "./breaker/breaker.ts";
import { BREAKER_SCENARIOS } from "./breaker/scenarios.ts";
import { simulateLimits } from "./limits/limits.ts";
import { drawAdmitted } from "./limits/plot.ts";
import { SCENARIOS } from "./limits/scenarios.ts";

const SIMULATORS = {
  limits: { scenarios: SCENARIOS, simulate: simulateLimits },
  breaker: { scenarios: BREAKER_SCENARIOS, simulate: simulateBreaker },
} as const;

const listed = (scenarios: Readonly<Record<string, { readonly about: string }>>): string =>
  Object.entries(scenarios)
    .map(([name, { about }]) => `    ${name.padEnd(20)} ${about}`)
    .join("\n");

const USAGE = `npm run sim -- limits|breaker [--scenario NAME]... [--seeds N] [--seed S] [--json] [--plot FILE.svg]

  --scenario NAME  only this one; may be given several times
  --seeds N        so many seeds, from 1 to 10000 (default 5)
  --seed S         the first seed (default 1); with --seeds 1 it replays one run exactly
  --json           figures of every run as JSON
  --plot FILE      limits: draws the first scenario's first seed, admitted against allowed

  limits:
${listed(SCENARIOS)}
  breaker:
${listed(BREAKER_SCENARIOS)}`;

const MAX_SEEDS = 10_000;

function wholeNumber(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`--${name} must be a whole number from ${least} to ${most}, not "${text}"`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      scenario: { type: "string", multiple: true },
      seeds: { type: "string" },
      seed: { type: "string" },
      json: { type: "boolean", default: false },
      plot: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const [kind = ""] = positionals;
  if (values.help || positionals.length !== 1 || (kind !== "limits" && kind !== "breaker")) {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  const { scenarios, simulate } = SIMULATORS[kind];
  const names = values.scenario ?? Object.keys(scenarios).filter((name) => BREAKER_SCENARIOS[name]?.long !== true);
  const unknown = names.find((name) => !Object.hasOwn(scenarios, name));
  if (unknown !== undefined) {
    throw new RangeError(`no scenario "${unknown}"; valid: ${Object.keys(scenarios).join(", ")}`);
  }
  const firstSeed = wholeNumber(values.seed ?? "1", "seed", 1, 2 ** 31);
  const seeds = wholeNumber(values.seeds ?? (values.seed === undefined ? "5" : "1"), "seeds", 1, MAX_SEEDS);
  if (values.plot !== undefined) {
    if (kind !== "limits") throw new RangeError("--plot draws limits only");
    await writeFile(values.plot, drawAdmitted(names[0] ?? "steady", firstSeed));
    console.error(`drew ${values.plot}`);
  }
  return await simulate({ names, firstSeed, seeds, json: values.json });
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof RangeError || error instanceof TypeError ? error.message : error);
  process.exitCode = 2;
}
