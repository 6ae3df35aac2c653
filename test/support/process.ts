/** Runs the project's own commands as a user would: real processes, exit codes, both streams. */
import { type ChildProcess, spawn } from "node:child_process";
import { waitUntil } from "./gateway.ts";

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_MS = 30_000;

export function run(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = process.cwd(),
  timeoutMs = TIMEOUT_MS,
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [`${process.cwd()}/${script}`, ...args], {
      cwd,
      env: { ...process.env, NO_COLOR: "1", ...env },
      timeout: timeoutMs,
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.on("data", (data: Buffer) => (output.stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (output.stderr += data.toString()));
    child.on("close", (code) => {
      resolve({ code, ...output });
    });
  });
}

export interface Running {
  readonly child: ChildProcess;
  output(): string;
  exited: Promise<number | null>;
}

/** Starts `npm start`'s script and waits until it says that it is ready. */
export async function startCommand(args: readonly string[], cwd = process.cwd()): Promise<Running> {
  const child = spawn(process.execPath, [`${process.cwd()}/local/start.ts`, ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (data: Buffer) => (output += data.toString()));
  child.stderr.on("data", (data: Buffer) => (output += data.toString()));
  const exited = new Promise<number | null>((resolve) => {
    child.on("exit", resolve);
  });
  await waitUntil("npm start is ready", 20_000, () => {
    if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}:\n${output}`);
    return output.includes("Stop with Ctrl-C");
  });
  return { child, output: () => output, exited };
}
