/**
 * Many tenants from lines of JSON, sent in batches, two at a time. Everything is checked by the gateway; a batch is taken
 * whole or not at all, and sending it again changes nothing, so an import that was cut off goes on where it ended, or
 * simply begins anew.
 */
import type { ImportReply } from "../src/admin/contract.ts";
import { MAX_IMPORT } from "../src/admin/contract/tenants.ts";
import type { Problem } from "./client.ts";
import { CliError } from "./output.ts";

const BATCHES_UNDER_WAY = 2;
/** Of the lines of one batch; what the gateway takes is more. */
const MAX_BATCH_BYTES = 2_097_152;
const PROGRESS_EVERY_MS = 200;
const MAX_PROBLEMS_SHOWN = 20;

interface Batch {
  readonly firstLine: number;
  readonly lineNumbers: readonly number[];
  readonly tenants: readonly unknown[];
  /** A line of it is not JSON: it is not sent, and nothing is read behind it. */
  readonly unreadable?: CliError;
}

export interface Imported extends ImportReply {
  readonly lines: number;
}

/** Throws at the first batch that is refused, naming the lines, and from which line to go on. */
export async function importTenants(
  lines: AsyncIterable<string>,
  fromLine: number,
  send: (tenants: readonly unknown[]) => Promise<ImportReply | Problem>,
): Promise<Imported> {
  const total = { created: 0, changed: 0, same: 0, lines: 0 };
  const progress = newProgress();
  const underWay = new Set<Promise<void>>();
  /** The batch that failed and is nearest to the beginning. */
  let failed: { readonly batch: Batch; readonly error: unknown } | undefined;
  const start = (batch: Batch): void => {
    const sent = batch.unreadable === undefined ? send(batch.tenants) : Promise.reject(batch.unreadable);
    const work = sent
      .then((reply) => {
        if ("title" in reply) throw refusedBatch(batch, reply);
        total.created += reply.created;
        total.changed += reply.changed;
        total.same += reply.same;
        total.lines += batch.tenants.length;
        progress.show(total.lines);
      })
      .catch((error: unknown) => {
        if (failed === undefined || batch.firstLine < failed.batch.firstLine) failed = { batch, error };
      })
      .finally(() => {
        underWay.delete(work);
      });
    underWay.add(work);
  };
  for await (const batch of batchesOf(lines, fromLine)) {
    while (underWay.size >= BATCHES_UNDER_WAY) await Promise.race(underWay);
    if (hasFailed()) break;
    start(batch);
  }
  await Promise.all(underWay);
  progress.end();
  if (failed !== undefined) {
    const { batch, error } = failed;
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(`${why}\n${total.lines} tenants were written; go on with --from-line ${batch.firstLine}`);
  }
  return total;

  function hasFailed(): boolean {
    return failed !== undefined;
  }
}

async function* batchesOf(lines: AsyncIterable<string>, fromLine: number): AsyncGenerator<Batch> {
  let number = 0;
  let lineNumbers: number[] = [];
  let tenants: unknown[] = [];
  let bytes = 0;
  const batch = (): Batch => ({ firstLine: lineNumbers[0] ?? fromLine, lineNumbers, tenants });
  for await (const line of lines) {
    number++;
    if (number < fromLine || line.trim() === "") continue;
    const length = Buffer.byteLength(line);
    if (tenants.length > 0 && bytes + length > MAX_BATCH_BYTES) {
      yield batch();
      [lineNumbers, tenants, bytes] = [[], [], 0];
    }
    lineNumbers.push(number);
    bytes += length;
    try {
      tenants.push(JSON.parse(line));
    } catch {
      yield { ...batch(), unreadable: new CliError(`line ${number} is not JSON: ${line.slice(0, 80)}`) };
      return;
    }
    if (tenants.length < MAX_IMPORT) continue;
    yield batch();
    [lineNumbers, tenants, bytes] = [[], [], 0];
  }
  if (tenants.length > 0) yield batch();
}

const PLACE = /^tenants\.(\d+)\.?/;

/** Says what is wrong by line, where the gateway said it by place. */
function refusedBatch({ firstLine, lineNumbers }: Batch, { title, problems }: Problem): CliError {
  const list: readonly unknown[] = Array.isArray(problems) ? problems : [];
  const said = list.flatMap((problem): string[] => {
    if (typeof problem !== "object" || problem === null || !("path" in problem && "message" in problem)) return [];
    const path = String(problem.path);
    const line = lineNumbers[Number(PLACE.exec(path)?.[1])];
    const within = path.replace(PLACE, "");
    const place = within === "" ? "" : `${within}: `;
    return line === undefined ? [] : [`line ${line}: ${place}${String(problem.message)}`];
  });
  for (const text of said.slice(0, MAX_PROBLEMS_SHOWN)) console.error(text);
  const last = lineNumbers.at(-1) ?? firstLine;
  const why = said.length === 0 ? title : `${said.length} problem(s)`;
  return new CliError(`lines ${firstLine} to ${last} were refused, all of them: ${why}`);
}

/** One line on a terminal that is written over; elsewhere nothing. */
function newProgress(): { show(count: number): void; end(): void } {
  const began = performance.now();
  let shownAtMs = 0;
  const write = (count: number): void => {
    const rate = Math.round(count / Math.max(0.001, (performance.now() - began) / 1_000));
    process.stderr.write(`\r${count} tenants, ${rate}/s `);
  };
  return {
    show: (count) => {
      if (!process.stderr.isTTY || performance.now() - shownAtMs < PROGRESS_EVERY_MS) return;
      shownAtMs = performance.now();
      write(count);
    },
    end: () => {
      if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
    },
  };
}
