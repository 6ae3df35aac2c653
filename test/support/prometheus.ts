/** Debian's `prometheus` package, where it is: on the path, or unpacked in build/prometheus as .ci/run does. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const UNPACKED = join(import.meta.dirname, "..", "..", "build", "prometheus", "usr", "bin");

/** Undefined: it is not on this machine, and WEIR_PROMETHEUS=required is not set. */
export function find(program: "prometheus" | "promtool"): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), UNPACKED];
  const found = folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
  if (found === undefined && process.env["WEIR_PROMETHEUS"] === "required") {
    throw new Error(`WEIR_PROMETHEUS=required, and there is no ${program}: Debian's package prometheus has it`);
  }
  if (found === undefined) console.warn(`skipped: there is no ${program} here (Debian's package prometheus has it)`);
  return found;
}

/** Its exit code and all it said. */
export function run(
  program: string,
  args: readonly string[],
  input?: string,
): { readonly code: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: "utf8", timeout: 60_000 });
  return { code: status, said: stdout + stderr };
}
