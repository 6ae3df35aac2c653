/** One line of words → one command, its exit code, and what is said when the line is wrong. Never throws. */
import { stripVTControlCharacters } from "node:util";
import { type ArgDef, defineCommand, renderUsage, runCommand } from "citty";
import { nearest } from "../src/config/suggest.ts";
import { argumentsOf, childrenOf, type Commands, findCommand, type Named } from "./command-tree.ts";
import { EXAMPLES } from "./examples.ts";
import { CliError, EXIT, hasColour } from "./output.ts";

const DESCRIPTION = "Configure and watch a Weir gateway.";
const EPILOGUE = `Every command knows --json and --help. Data is on stdout, everything else on stderr.
Exit codes: 0 ok, 1 error, 2 usage, 3 differences found, 4 refused by a guard.
Environment: WEIR_URL and WEIR_TOKEN name a deployed gateway (else the local one); NO_COLOR.`;

/** A line that names no command, an option nobody knows: ends with 2. `path`: whose usage is shown. */
class UsageError extends CliError {
  readonly path: readonly string[];

  constructor(message: string, path: readonly string[]) {
    super(message, EXIT.usage);
    this.path = path;
  }
}

export async function run(commands: Commands, argv: readonly string[]): Promise<number> {
  // `weir … | head`: whoever read has enough.
  process.stdout.on("error", (error: NodeJS.ErrnoException) =>
    process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.error),
  );
  try {
    return await runLine(commands, argv);
  } catch (error) {
    const json = argv.includes("--json");
    const message = error instanceof Error ? error.message : String(error);
    const wrongLine = error instanceof Error && error.name === "CLIError";
    const exitCode = error instanceof CliError ? error.exitCode : wrongLine ? EXIT.usage : EXIT.error;
    console.error(json ? JSON.stringify({ error: message, exitCode }) : `error: ${message}`);
    const path = error instanceof UsageError ? error.path : wrongLine ? await pathOf(commands, argv) : undefined;
    if (path !== undefined && !json) console.error(`\n${await usageOf(commands, path)}`);
    return exitCode;
  }
}

async function runLine(commands: Commands, argv: readonly string[]): Promise<number> {
  const found = await findCommand(commands, argv);
  if ("unknown" in found) {
    const where = found.path.length === 0 ? "command" : `command of "${found.path.join(" ")}"`;
    const near = nearest(found.unknown, found.valid);
    const hint = near === undefined ? `Valid: ${found.valid.join(", ")}.` : `Did you mean "${near}"?`;
    throw new UsageError(`unknown ${where} "${found.unknown}". ${hint}`, found.path);
  }
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(`${await usageOf(commands, found.path)}\n`);
    return EXIT.ok;
  }
  if (childrenOf(found.command) !== undefined) {
    const valid = Object.keys(childrenOf(found.command) ?? {}).join(", ");
    throw new UsageError(`a command is needed: ${["weir", ...found.path].join(" ")} ${valid}`, found.path);
  }
  checkOptions(found);
  // The command itself: through its group the result would be lost.
  const { result } = await runCommand(found.command, { rawArgs: found.rest });
  return typeof result === "number" ? result : EXIT.ok;
}

const GLOBAL_OPTIONS = ["help", "no-color"];

/** citty takes any option; one that means nothing is a mistake of the user's, and must not be passed over. */
function checkOptions({ path, command, rest }: Named): void {
  const known = new Map(argumentsOf(command));
  const options = [...known].filter(([, { type }]) => type !== "positional").map(([name]) => name);
  let positionals = options.length === known.size ? 0 : known.size - options.length;
  for (let index = 0; index < rest.length; index++) {
    const word = rest[index] ?? "";
    if (word === "--") return;
    if (!word.startsWith("-") || word === "-") {
      positionals--;
      if (positionals < 0) throw new UsageError(`unexpected argument "${word}"`, path);
      continue;
    }
    const [name = "", value] = word.replace(/^-+/, "").split("=", 2);
    if (GLOBAL_OPTIONS.includes(name)) continue;
    const option = word.startsWith("--")
      ? (known.get(name) ?? known.get(name.replace(/^no-/, "")))
      : [...known.values()].find((candidate) => aliasesOf(candidate).includes(name));
    if (option === undefined || option.type === "positional") {
      const near = nearest(name, options);
      const hint =
        near === undefined ? `Valid: ${options.map((valid) => `--${valid}`).join(", ")}.` : `Did you mean "--${near}"?`;
      throw new UsageError(`unknown option "${word.split("=", 1)[0]}". ${hint}`, path);
    }
    if (option.type === "boolean" || value !== undefined) continue;
    index++;
    if (rest[index]?.startsWith("--") ?? true) {
      throw new UsageError(`--${name} needs a value`, path);
    }
  }
}

/** One letter, behind one dash. */
const aliasesOf = (option: ArgDef): readonly string[] =>
  "alias" in option && option.alias !== undefined ? [option.alias].flat() : [];

async function pathOf(commands: Commands, argv: readonly string[]): Promise<readonly string[]> {
  return (await findCommand(commands, argv)).path;
}

async function usageOf(commands: Commands, path: readonly string[]): Promise<string> {
  const root = defineCommand({ meta: { name: "weir", description: DESCRIPTION }, subCommands: commands });
  const found = await findCommand(commands, path);
  const isRoot = path.length === 0 || "unknown" in found;
  const parent = defineCommand({ meta: { name: ["weir", ...path.slice(0, -1)].join(" ") } });
  const usage = await renderUsage(isRoot ? root : found.command, isRoot ? undefined : parent);
  const lines = EXAMPLES[path.join(" ")] ?? [];
  const examples = lines.length === 0 ? "" : `\nEXAMPLES\n\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
  const text = `${usage.trimEnd()}\n${examples}${isRoot ? `\n${EPILOGUE}` : ""}`.trimEnd();
  return hasColour(process.stdout) ? text : stripVTControlCharacters(text);
}
