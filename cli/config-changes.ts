/** The local config file beside what is in force, and how their difference is shown. */
import pc from "picocolors";
import type { ConfigContentReply } from "../src/admin/contract.ts";
import { type ConfigChange, type ConfigSide, pageHashes } from "../src/config/diff.ts";
import { formatProblem, type LoadedConfig } from "../src/config/load.ts";
import { callAdmin, type Problem } from "./client.ts";
import { loadConfigFile } from "./config-file.ts";
import { CliError } from "./output.ts";

/** Throws, with every problem, when it is not valid. */
export async function loadValid(path: string): Promise<LoadedConfig> {
  const result = await loadConfigFile(path, 0);
  if (result.ok) return result;
  for (const problem of result.problems) console.error(formatProblem(path, problem));
  throw new CliError(`${path} has ${result.problems.length} problem(s); nothing was sent`);
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
