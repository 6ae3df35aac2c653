/** The local config file beside what is in force, and how their difference is shown. */
import pc from "picocolors";
import type { ConfigContentReply } from "../src/admin/contract.ts";
import { readFile, writeFile } from "node:fs/promises";
import { type ConfigChange, type ConfigSide, pageHashes } from "../src/config/diff.ts";
import { findProblems, formatProblem, type LoadedConfig, type Problem as ConfigProblem } from "../src/config/load.ts";
import { mergePatch } from "../src/config/merge-patch.ts";
import { configSchema } from "../src/config/schema.ts";
import { callAdmin, type Problem } from "./client.ts";
import { loadConfigFile } from "./config-file.ts";
import { CliError } from "./output.ts";

/** Throws, with every problem, when it is not valid. */
export async function loadValid(path: string): Promise<LoadedConfig> {
  const result = await loadConfigFile(path, 0);
  return result.ok ? result : refuse(path, result.problems);
}

function refuse(name: string, problems: readonly ConfigProblem[]): never {
  for (const problem of problems) console.error(formatProblem(name, problem));
  throw new CliError(`${name} has ${problems.length} problem(s); nothing was sent`);
}

/** The config in force as the merge patch in the file changes it; its pages stay. Throws when that is not valid. */
export async function patchInForce(path: string, before: RemoteConfig): Promise<ConfigSide> {
  if (before.number === 0) throw new CliError("nothing is in force that could be patched: apply a whole config first");
  const text = await patchedBy(path, before.text);
  const problems = findProblems(text, configSchema);
  return problems === undefined ? { text, pages: before.pages } : refuse(`the config in force with ${path}`, problems);
}

/** The same patch on a file of this machine. */
export async function patchFile(path: string, file: string): Promise<void> {
  await writeFile(file, await patchedBy(path, await readText(file)));
}

async function patchedBy(path: string, text: string): Promise<string> {
  const patched = mergePatch(text, await readText(path));
  if (patched.ok) return patched.text;
  throw new CliError(`${path}: ${patched.problem}`);
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: unknown) => {
    throw new CliError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  });
}

export interface RemoteConfig extends ConfigSide {
  /** 0: nothing is in force. */
  readonly number: number;
}

/** `number` undefined: what is in force. */
export async function readRemote(state: string | undefined, number: number | undefined): Promise<RemoteConfig> {
  const path = `/configs/${number ?? "in-force"}`;
  const reply = await callAdmin<ConfigContentReply | Problem>(state, { method: "GET", path, expected: [404] });
  if (!("status" in reply)) return { number: reply.number, text: reply.text ?? "{}", pages: reply.pages };
  if (number !== undefined) throw new CliError(`there is no config ${number}, or its content is no longer kept`);
  return { number: 0, text: "{}", pages: {} };
}

export async function sideOf({ text, config }: LoadedConfig): Promise<ConfigSide> {
  return { text, pages: await pageHashes(config.pages.templates) };
}

const MARKS = { added: "+", removed: "-", changed: "~" } as const;

/** One line a change, on stdout. */
export function printChanges(changes: readonly ConfigChange[]): void {
  for (const change of changes) {
    const line = `${MARKS[change.kind]} ${change.path}${valuesOf(change)}`;
    const colour = { added: pc.green, removed: pc.red, changed: pc.yellow }[change.kind];
    process.stdout.write(`${colour(line)}\n`);
  }
}

function valuesOf(change: ConfigChange): string {
  switch (change.kind) {
    case "added":
      return "after" in change ? `: ${JSON.stringify(change.after)}` : "";
    case "removed":
      return "before" in change ? `: ${JSON.stringify(change.before)}` : "";
    case "changed":
      return "before" in change ? `: ${JSON.stringify(change.before)} -> ${JSON.stringify(change.after)}` : "";
  }
}
