/** `weir backup` and `weir restore`: the whole control state as lines of JSON (docs/recovery.md). */
import { once } from "node:events";
import { createWriteStream, existsSync, renameSync, rmSync } from "node:fs";
import type { Writable } from "node:stream";
import { defineCommand } from "citty";
import type {
  BackupHeader,
  BackupLine,
  BackupPage,
  BeginRestoreBody,
  BegunBackup,
  BegunRestore,
  EndedRestore,
} from "../../src/admin/contract.ts";
import { BACKUP_VERSION, MAX_LINES_A_CALL, PARTS } from "../../src/admin/contract.ts";
import { backupLines, BackupSums, checkBackup } from "../backup-file.ts";
import { callAdmin, findGateway, gatewayArguments, type Problem } from "../client.ts";
import { agreed } from "../confirm.ts";
import { knownTenants, TenantNames } from "../known-tenants.ts";
import { CliError, EXIT, printJson } from "../output.ts";

const RECORDS_A_CALL = 50;
/** Of a batch; the gateway takes 4 MiB. */
const MAX_BATCH_LENGTH = 2_097_152;

const backup = defineCommand({
  meta: {
    name: "backup",
    description: "Write the whole control state to a file: configs, tenants, keys' records, tokens",
  },
  args: {
    out: { type: "string", description: "Write to this file, readable by you alone. Default: standard output" },
    audit: { type: "boolean", description: "The audit, too", default: false },
    ...gatewayArguments,
  },
  async run({ args }) {
    const partial = args.out === undefined ? undefined : `${args.out}.partial`;
    const out = partial === undefined ? process.stdout : createWriteStream(partial, { mode: 0o600 });
    try {
      const { counts, sha256 } = await writeBackup(args.state, args.audit, out);
      if (partial !== undefined && args.out !== undefined) {
        out.end();
        await once(out, "finish");
        renameSync(partial, args.out);
      }
      if (args.json && args.out !== undefined) printJson({ file: args.out, counts, sha256 });
      else console.error(`${summary(counts)}\nsha256 ${sha256}`);
    } catch (error) {
      if (partial !== undefined) rmSync(partial, { force: true });
      throw error;
    }
  },
});

async function writeBackup(state: string | undefined, audit: boolean, out: Writable) {
  const body = { audit };
  const begun = await callAdmin<BegunBackup>(state, { method: "POST", path: "/backups", body });
  const sums = new BackupSums();
  const write = async (text: string): Promise<void> => {
    if (!out.write(text)) await once(out, "drain");
  };
  const header: BackupHeader = {
    v: BACKUP_VERSION,
    kind: "weir-backup",
    release: begun.release,
    createdAt: new Date(begun.createdAtMs).toISOString(),
    source: findGateway(state).url,
    audit,
  };
  await write(sums.add(JSON.stringify(header)));
  const names = new TenantNames();
  for (const part of PARTS) {
    if (part === "audit" && !audit) continue;
    const base = `/backups/${begun.backup}/${part}`;
    const pages =
      part === "records" ? recordPages(state, base, await knownTenants(state, names)) : allPages(state, base);
    for await (const lines of pages) {
      for (const line of lines) {
        await names.hear(line);
        await write(sums.line(line));
      }
    }
  }
  const sha256 = sums.digest();
  await write(`${JSON.stringify({ kind: "end", counts: sums.counts, sha256 })}\n`);
  return { counts: sums.counts, sha256 };
}

async function* allPages(state: string | undefined, base: string): AsyncGenerator<readonly BackupLine[]> {
  for (let cursor: string | null = ""; cursor !== null;) {
    const query: string = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const page: BackupPage = await callAdmin<BackupPage>(state, { method: "GET", path: base + query, patient: true });
    yield page.lines;
    cursor = page.next;
  }
}

/** Of the tenants in configs: the gateway does not go through all of those for every page. */
async function* recordPages(
  state: string | undefined,
  base: string,
  tenants: readonly string[],
): AsyncGenerator<readonly BackupLine[]> {
  for (let at = 0; at < tenants.length; at += RECORDS_A_CALL) {
    const path = `${base}?tenants=${tenants.slice(at, at + RECORDS_A_CALL).join(",")}`;
    yield (await callAdmin<BackupPage>(state, { method: "GET", path, patient: true })).lines;
  }
}

const restore = defineCommand({
  meta: { name: "restore", description: "Put a backup back; one that was cut off goes on when given again" },
  args: {
    file: { type: "positional", description: "The backup", required: true },
    "dry-run": { type: "boolean", description: "Check the file, and say what there is", default: false },
    force: { type: "boolean", description: "Also over what there is", default: false },
    yes: { type: "boolean", description: "Do not ask", default: false },
    ...gatewayArguments,
  },
  async run({ args }) {
    if (!existsSync(args.file)) throw new CliError(`cannot read ${args.file}: there is no such file`);
    const { header, counts, sha256, trial } = await checkBackup(args.file);
    console.error(
      `a backup of ${header.source}, made ${header.createdAt} by release ${header.release}\n${summary(counts)}`,
    );
    if (trial !== undefined) console.error(`config ${trial} was on trial: what everybody else had will be in force`);
    const { createdAt } = header;
    const asked = { sha256, createdAt, force: args.force };
    const would = await begin(args.state, { ...asked, dryRun: true });
    if (would === undefined) return EXIT.refused;
    if (args["dry-run"]) {
      if (args.json) printJson({ ...would, counts, sha256 });
      else console.error("the backup is whole; nothing was changed");
      return EXIT.ok;
    }
    if (would.kind === "restored")
      return say(args.json, "it was restored before: nothing was changed", { kind: "restored" });
    const { url } = findGateway(args.state);
    if (!(await agreed(args.yes, `Restore it to ${url}?`))) return EXIT.refused;
    if ((await begin(args.state, asked)) === undefined) return EXIT.refused;
    await sendLines(args.state, args.file, sha256);
    const end = { method: "POST", path: `/restores/${sha256}/end`, body: {}, expected: [422], patient: true } as const;
    const ended = await callAdmin<EndedRestore | Problem>(args.state, end);
    if ("title" in ended) throw refused(ended);
    const { number } = ended;
    return say(args.json, number === null ? "it is restored" : `it is restored; config ${number} is in force`, {
      kind: "done",
      number,
      counts,
    });
  },
});

function say(json: boolean, text: string, value: unknown): number {
  if (json) printJson(value);
  else process.stdout.write(`${text}\n`);
  return EXIT.ok;
}

/** Undefined: there is something here, which has been said. */
async function begin(state: string | undefined, body: BeginRestoreBody): Promise<BegunRestore | undefined> {
  const call = { method: "POST", path: "/restores", body, expected: [409] } as const;
  const begun = await callAdmin<BegunRestore | Problem>(state, call);
  if (!("title" in begun)) return begun;
  console.error(`${begun.title}. --force writes over it.`);
  return undefined;
}

async function sendLines(state: string | undefined, file: string, sha256: string): Promise<void> {
  const sums = new BackupSums();
  let lines: BackupLine[] = [];
  let length = 0;
  const send = async (): Promise<void> => {
    if (lines.length === 0) return;
    const call = {
      method: "POST",
      path: `/restores/${sha256}/lines`,
      body: { lines },
      expected: [400, 422],
      patient: true,
    } as const;
    const reply = await callAdmin<{ lines: number } | Problem>(state, call);
    if ("title" in reply) throw refused(reply);
    [lines, length] = [[], 0];
  };
  for await (const line of backupLines(file, sums)) {
    const size = JSON.stringify(line).length;
    // What an origin keeps is put back by the config, which has to be there whole.
    if (lines.length >= MAX_LINES_A_CALL || length + size > MAX_BATCH_LENGTH) await send();
    lines.push(line);
    length += size;
  }
  if (sums.digest() !== sha256) throw new CliError(`${file} was changed while it was read: the restore has not ended`);
  await send();
}

function refused({ title, problems }: Problem): CliError {
  const list: readonly unknown[] = Array.isArray(problems) ? problems : [];
  const told = list.slice(0, 20).map((problem) => `\n  ${JSON.stringify(problem)}`);
  return new CliError(`${title}${told.join("")}`);
}

function summary(counts: Readonly<Record<string, number>>): string {
  const told = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`);
  return told.length === 0 ? "nothing" : told.join(", ");
}

export const backupCommand = backup;
export const restoreCommand = restore;
