/** The table that a run of scenarios ends with. */
import { miss } from "../kernel/miss.ts";
import type { Figures } from "./run.ts";
import type { Target } from "./scenarios.ts";

export interface Row {
  readonly scenario: string;
  readonly design: string;
  readonly target: Target;
  readonly runs: readonly Figures[];
}

const COLUMNS = [
  ["scenario", 20],
  ["design", 21],
  ["over", 10],
  ["utilisation", 16],
  ["calls/request", 14],
  ["calls/s", 9],
  ["waited", 8],
  ["Jain", 7],
  ["recovery", 9],
] as const;

export interface Seeds {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly rivalSeeds: number;
}

export function limitsTable(rows: readonly Row[], { firstSeed, seeds, rivalSeeds }: Seeds): string {
  const lines = [
    `Seeds ${firstSeed} to ${firstSeed + seeds - 1} for the escrow lease, ${rivalSeeds} of them for the others. Means; over is the largest of all windows`,
    "of all seeds, in tokens; utilisation is of one bucket asked without delay, (least of all seeds). Rivals run without",
    "loss, restarts and evictions. * misses its target, named behind.",
    "",
    COLUMNS.map(([name, width]) => name.padEnd(width)).join(""),
  ];
  let last = "";
  for (const row of rows) {
    if (row.scenario !== last && last !== "") lines.push("");
    lines.push(lineOf(row, row.scenario === last ? "" : row.scenario));
    last = row.scenario;
  }
  return lines.join("\n");
}

function lineOf({ design, target, runs }: Row, scenario: string): string {
  if (runs.length === 0) return `${scenario.padEnd(20)}${design.padEnd(21)}no run came to its end`;
  const mean = (of: (figures: Figures) => number): number =>
    runs.reduce((sum, figures) => sum + of(figures), 0) / runs.length;
  const utilisation = mean((run) => run.utilisation);
  const callsPerRequest = mean((run) => run.callsPerRequest);
  const callsPerSecond = mean((run) => run.callsPerSecond);
  const recovery =
    runs[0]?.recoverySeconds === undefined ? undefined : Math.max(...runs.map((run) => run.recoverySeconds ?? 0));
  const cells = [
    scenario,
    design,
    tokens(Math.max(...runs.map((run) => run.over))),
    `${utilisation.toFixed(3)} (${Math.min(...runs.map((run) => run.utilisation)).toFixed(3)})${miss(target.utilisation, utilisation, "least")}`,
    callsPerRequest.toFixed(3) + miss(target.callsPerRequest, callsPerRequest, "most"),
    callsPerSecond.toFixed(0) + miss(target.callsPerSecond, callsPerSecond, "most"),
    `${(100 * mean((run) => run.waitedRatio)).toFixed(1)} %`,
    runs[0]?.jain === undefined ? "" : mean((run) => run.jain ?? 0).toFixed(3),
    recovery === undefined ? "" : `${recovery.toFixed(1)} s${miss(target.recoverySeconds, recovery, "most")}`,
  ];
  return cells
    .map((cell, index) => cell.padEnd(COLUMNS[index]?.[1] ?? 0))
    .join("")
    .trimEnd();
}

const tokens = (over: number): string => (over === 0 ? "0" : over.toFixed(over < 10 ? 2 : 0));
