/**
 * `npm run sim -- limits [--scenario NAME] [--seeds N] [--seed S] [--json] [--plot FILE.svg]`: the policies that the Worker
 * runs, in virtual time, over hundreds of isolates. Ends with a table; exit code 1 when a token was admitted too many.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { simulateLimits } from "./limits/limits.ts";
import { drawAdmitted } from "./limits/plot.ts";
import { SCENARIOS } from "./limits/scenarios.ts";

const USAGE = `npm run sim -- limits [--scenario NAME]... [--seeds N] [--seed S] [--json] [--plot FILE.svg]

  --scenario NAME  only this one; may be given several times. One of:
${Object.entries(SCENARIOS)
  .map(([name, { about }]) => `                     ${name.padEnd(20)} ${about}`)
  .join("\n")}
  --seeds N        so many seeds, from 1 to 10000 (default 5)
  --seed S         the first seed (default 1); with --seeds 1 it replays one run exactly
  --json           figures of every run as JSON
  --plot FILE      draws the first scenario's first seed: admitted against allowed`;

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
  if (values.help || positionals.length !== 1 || positionals[0] !== "limits") {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  const names = values.scenario ?? Object.keys(SCENARIOS);
  const unknown = names.find((name) => !Object.hasOwn(SCENARIOS, name));
  if (unknown !== undefined) {
    throw new RangeError(`no scenario "${unknown}"; valid: ${Object.keys(SCENARIOS).join(", ")}`);
  }
  const firstSeed = wholeNumber(values.seed ?? "1", "seed", 1, 2 ** 31);
  const seeds = wholeNumber(values.seeds ?? (values.seed === undefined ? "5" : "1"), "seeds", 1, MAX_SEEDS);
  if (values.plot !== undefined) {
    await writeFile(values.plot, drawAdmitted(names[0] ?? "steady", firstSeed));
    console.error(`drew ${values.plot}`);
  }
  return await simulateLimits({ names, firstSeed, seeds, json: values.json });
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof RangeError || error instanceof TypeError ? error.message : error);
  process.exitCode = 2;
}
