/** The commands as a tree: which one a line of words names, and which options it knows. Shared by help and completion. */
import type { ArgDef, ArgsDef, CommandDef } from "citty";

// oxlint-disable-next-line typescript/no-explicit-any -- as citty declares it: each command has arguments of its own
type Command = CommandDef<any>;
export type Commands = Readonly<Record<string, Command | (() => Promise<Command>)>>;

export interface Named {
  /** `["keys", "create"]`. */
  readonly path: readonly string[];
  readonly command: Command;
  /** The line without the command's own words. */
  readonly rest: string[];
}

/** What the line names, or the word that names nothing there. */
export async function findCommand(commands: Commands, argv: readonly string[]): Promise<Named | UnknownWord> {
  const root: Command = { subCommands: commands };
  const path: string[] = [];
  const rest = [...argv];
  let command = root;
  for (const word of argv) {
    const below = childrenOf(command);
    if (below === undefined) break;
    if (word.startsWith("-")) continue;
    const child = Object.hasOwn(below, word) ? below[word] : undefined;
    if (child === undefined) return { unknown: word, path, valid: Object.keys(below) };
    rest.splice(rest.indexOf(word), 1);
    path.push(word);
    command = await loaded(child);
  }
  return { path, command, rest };
}

export interface UnknownWord {
  readonly unknown: string;
  readonly path: readonly string[];
  readonly valid: readonly string[];
}

/** Undefined: it is no group. Groups of ours have their commands at hand. */
export function childrenOf({ subCommands }: Command): Commands | undefined {
  if (subCommands === undefined || typeof subCommands === "function" || subCommands instanceof Promise)
    return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return subCommands as Commands;
}

export function argumentsOf({ args }: Command): [string, ArgDef][] {
  return Object.entries((args ?? {}) as ArgsDef);
}

export function descriptionOf({ meta }: Command): string {
  return typeof meta === "object" && "description" in meta ? String(meta.description) : "";
}

/** Every command and group with its words. */
export async function* everyCommand(
  commands: Commands,
  path: readonly string[] = [],
): AsyncGenerator<{ readonly path: readonly string[]; readonly command: Command }> {
  for (const [name, entry] of Object.entries(commands)) {
    const words = [...path, name];
    const command = await loaded(entry);
    yield { path: words, command };
    yield* everyCommand(childrenOf(command) ?? {}, words);
  }
}

async function loaded(entry: Command | (() => Promise<Command>)): Promise<Command> {
  return typeof entry === "function" ? entry() : entry;
}
