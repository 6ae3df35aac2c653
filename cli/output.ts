/** What commands end with, and how they print. */
import pc from "picocolors";

export const EXIT = { ok: 0, error: 1, usage: 2, differences: 3, refused: 4 } as const;

/** Ends a command with a message that says what to do. */
export class CliError extends Error {
  override readonly name = "WeirError";
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.error) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** On a terminal, unless NO_COLOR or --no-color says otherwise; FORCE_COLOR for a pager that shows colours. */
export function hasColour(stream: { readonly isTTY?: boolean }): boolean {
  if ((process.env["NO_COLOR"] ?? "") !== "" || process.argv.includes("--no-color")) return false;
  return stream.isTTY === true || !["", "0"].includes(process.env["FORCE_COLOR"] ?? "");
}

export const colour = pc.createColors(hasColour(process.stdout));

/** Somebody is there to be asked; questions are on stderr, so that stdout stays data. */
export function isInteractive(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Columns as wide as their widest cell. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  for (const row of rows) {
    const line = row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("  ");
    process.stdout.write(`${line.trimEnd()}\n`);
  }
}
