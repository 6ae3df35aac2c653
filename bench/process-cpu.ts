/** CPU time a process has used so far, in ms, whatever else the machine is doing; undefined where there is no /proc. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

export function processCpuMs(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    // Fields 14 and 15, counted behind the name, which may have blanks.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond();
  } catch {
    return undefined;
  }
}

let ticks: number | undefined;

/** Asked once: a process for each look would take time from what is looked at. */
function ticksPerSecond(): number {
  return (ticks ??= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" })));
}
