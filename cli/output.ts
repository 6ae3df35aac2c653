/** What commands end with, and how they print. */
import { stripVTControlCharacters } from "node:util";
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

export function printTable(rows: readonly (readonly string[])[]): void {
  process.stdout.write(tableText(rows));
}

/** Columns as wide as their widest cell, colours not counted; each row ends its line. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
  return rows
    .map((row) => {
      const line = row.map((cell, index) => cell + " ".repeat((widths[index] ?? 0) - widthOf(cell))).join("  ");
      return `${line.trimEnd()}\n`;
    })
    .join("");
}

const widthOf = (cell: string): number => stripVTControlCharacters(cell).length;

/** ISO 8601, UTC, to the millisecond. */
export const timeOf = (atMs: number): string => new Date(atMs).toISOString();
