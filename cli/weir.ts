#!/usr/bin/env node
/** `weir`, the command line. Data on stdout, progress and errors on stderr; exit codes in output.ts. */
import { defineCommand, renderUsage, runCommand, type SubCommandsDef } from "citty";
import { auditCommand } from "./commands/audit.ts";
import { breakersCommand } from "./commands/breakers.ts";
import { applyCommand, diffCommand, historyCommand, rollbackCommand, trialCommand } from "./commands/config.ts";
import { keysCommand } from "./commands/keys.ts";
import { pagesCommand } from "./commands/pages.ts";
import { overridesCommand } from "./commands/overrides.ts";
import { statusCommand } from "./commands/status.ts";
import { tokensCommand } from "./commands/tokens.ts";
import { validateCommand } from "./commands/validate.ts";
import { CliError, EXIT } from "./output.ts";

const commands: SubCommandsDef = {
  validate: validateCommand,
  diff: diffCommand,
  apply: applyCommand,
  history: historyCommand,
  rollback: rollbackCommand,
  trial: trialCommand,
  status: statusCommand,
  keys: keysCommand,
  overrides: overridesCommand,
  breakers: breakersCommand,
  pages: pagesCommand,
  tokens: tokensCommand,
  audit: auditCommand,
};

const main = defineCommand({
  meta: { name: "weir", description: "Configure and watch a Weir gateway." },
  subCommands: commands,
});

function nearest(word: string): string {
  const near = Object.keys(commands).find((name) => name.startsWith(word.slice(0, 2)) || name.includes(word));
  return near === undefined ? "" : ` Did you mean "${near}"?`;
}

async function usageOf(words: readonly string[]): Promise<string> {
  const [first = ""] = words;
  const command = commands[first];
  if (typeof command !== "object" || command instanceof Promise) return renderUsage(main);
  return renderUsage(command, main);
}

async function run(argv: string[]): Promise<number> {
  const words = argv.filter((word) => !word.startsWith("-"));
  const [first] = words;
  if (argv.includes("--help") || argv.includes("-h")) {
    console.log(await usageOf(words));
    return EXIT.ok;
  }
  if (first === undefined || !Object.hasOwn(commands, first)) {
    const problem = first === undefined ? "a command is needed" : `unknown command "${first}".${nearest(first)}`;
    console.error(`${problem}\n\n${await usageOf([])}`);
    return EXIT.usage;
  }
  try {
    // Run directly: through `main` the command's result would be lost.
    const command = commands[first];
    if (typeof command !== "object" || command instanceof Promise) return EXIT.usage;
    const { result } = await runCommand(command, { rawArgs: argv.slice(argv.indexOf(first) + 1) });
    return typeof result === "number" ? result : EXIT.ok;
  } catch (error) {
    if (error instanceof CliError) {
      console.error(`error: ${error.message}`);
      return error.exitCode;
    }
    const usage = error instanceof Error && error.name === "CLIError";
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    if (usage) console.error(`\n${await usageOf(words)}`);
    return usage ? EXIT.usage : EXIT.error;
  }
}

process.exitCode = await run(process.argv.slice(2));
