/**
 * A backup as a file: lines of JSON, a header first, a trailer last with counts and the SHA-256 of all lines before it.
 * Whatever the file is, no more than one line of bounded length is held at once.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import type * as z from "zod";
import { BACKUP_VERSION, type BackupHeader, type BackupLine, MAX_LINE_LENGTH } from "../src/admin/contract.ts";
import { backupHeader, backupLine, backupTrailer } from "../src/admin/contract/recovery.ts";
import { CliError } from "./output.ts";

export interface CheckedBackup {
  readonly header: BackupHeader;
  /** Of lines, by kind. */
  readonly counts: Readonly<Record<string, number>>;
  readonly sha256: string;
  /** Of the config that was on trial. */
  readonly trial: number | undefined;
}

/** Takes lines as they are made; gives each as it is written. */
export class BackupSums {
  readonly counts: Record<string, number> = {};
  readonly #hash = createHash("sha256");

  add(text: string): string {
    this.#hash.update(`${text}\n`);
    return `${text}\n`;
  }

  line(line: BackupLine): string {
    this.counts[line.kind] = (this.counts[line.kind] ?? 0) + 1;
    return this.add(JSON.stringify(line));
  }

  /** Once, at the end. */
  digest(): string {
    return this.#hash.digest("hex");
  }
}

/** The whole file, before anything of it is sent. Throws CliError with the line and what is wrong with it. */
export async function checkBackup(file: string): Promise<CheckedBackup> {
  const sums = new BackupSums();
  let header: BackupHeader | undefined;
  let checked: CheckedBackup | undefined;
  let trial: number | undefined;
  let number = 0;
  for await (const text of linesOf(file)) {
    number++;
    if (checked !== undefined) throw new CliError(`line ${number}: there is something behind the backup's end`);
    const value = parseLine(text, number);
    if (header === undefined) {
      header = headerOf(value, number);
      sums.add(text);
      continue;
    }
    if (isEnd(value)) {
      const { counts, sha256 } = parsed(backupTrailer, value, number);
      if (sums.digest() !== sha256)
        throw new CliError("the backup was changed: its lines do not have the sum in its end");
      if (!isSame(counts, sums.counts))
        throw new CliError("the backup was changed: its lines are not as many as its end says");
      checked = { header, counts, sha256, trial };
      continue;
    }
    const line = parsed(backupLine, value, number);
    if (line.kind === "in-force") trial = line.trial ?? undefined;
    sums.counts[line.kind] = (sums.counts[line.kind] ?? 0) + 1;
    sums.add(text);
  }
  if (header === undefined) throw new CliError(`${file} is empty`);
  if (checked === undefined) throw new CliError(`${file} has no end: it was cut off after line ${number}`);
  return checked;
}

/** Again, for sending: `sums` gets what was read, so that a file that changed meanwhile is found out. */
export async function* backupLines(file: string, sums: BackupSums): AsyncGenerator<BackupLine> {
  let number = 0;
  for await (const text of linesOf(file)) {
    number++;
    const value = parseLine(text, number);
    if (number > 1 && isEnd(value)) return;
    sums.add(text);
    if (number > 1) yield parsed(backupLine, value, number);
  }
}

function headerOf(value: unknown, number: number): BackupHeader {
  if (typeof value !== "object" || value === null || !("kind" in value) || value.kind !== "weir-backup") {
    throw new CliError("this is no backup of Weir: its first line does not say so");
  }
  // Before its form is looked at: that may have changed with it.
  if ("v" in value && typeof value.v === "number" && value.v > BACKUP_VERSION) {
    throw new CliError(
      `this backup has version ${value.v}, and this release reads ${BACKUP_VERSION}: take a newer one`,
    );
  }
  return parsed(backupHeader, value, number);
}

const isEnd = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "end";

function isSame(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  return [...Object.keys(a), ...Object.keys(b)].every((kind) => a[kind] === b[kind]);
}

function parseLine(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CliError(`line ${number} is not JSON`);
  }
}

function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, number: number): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, 5).map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new CliError(`line ${number}: ${problems.join("; ")}`);
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let number = 0;
  for await (const chunk of createReadStream(file)) {
    const lines = (rest + decoder.write(chunk as Buffer)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      number++;
      if (line.length > MAX_LINE_LENGTH) throw tooLong(number);
      yield line;
    }
    if (rest.length > MAX_LINE_LENGTH) throw tooLong(number + 1);
  }
  rest += decoder.end();
  if (rest !== "") yield rest;
}

const tooLong = (number: number): CliError =>
  new CliError(`line ${number} has more than ${MAX_LINE_LENGTH} characters: this is no backup of Weir`);
