/** `weir tenants list|get|set|remove|suspend|resume|import|export`: tenants without a config. */
import { createReadStream, createWriteStream, existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { defineCommand } from "citty";
import type { ImportReply, PutTenantBody, TenantList, TenantView } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments, type Problem } from "../client.ts";
import { agreed } from "../confirm.ts";
import { CliError, EXIT, printJson, printTable } from "../output.ts";
import { importTenants } from "../tenant-import.ts";

const MAX_CALLS_A_LIST = 100;

const tenant = { type: "positional", description: "Tenant id", required: true } as const;
const pathOf = (id: string): string => `/tenants/${encodeURIComponent(id)}`;

const list = defineCommand({
  meta: { name: "list", description: "Tenants, page by page; or those whose id or label has words that begin so" },
  args: {
    search: { type: "string", description: 'Beginnings of words: for example "acm eur"', default: "" },
    plan: { type: "string", description: "Only of this plan" },
    suspended: { type: "boolean", description: "Only those that are suspended", default: false },
    limit: { type: "string", description: "How many, at most 1000", default: "100" },
    cursor: { type: "string", description: "Where the page before ended" },
    ...gatewayArguments,
  },
  async run({ args }) {
    const most = Number(args.limit);
    if (!Number.isSafeInteger(most) || most < 1 || most > 1_000) {
      throw new CliError(`--limit must be a whole number from 1 to 1000, not "${args.limit}"`, EXIT.usage);
    }
    const query = new URLSearchParams({
      search: args.search,
      ...(args.plan === undefined ? {} : { plan: args.plan }),
      ...(args.suspended ? { suspended: "true" } : {}),
    });
    const page = await readPage(args.state, query, most, args.cursor ?? null);
    if (args.json) {
      printJson(page);
      return;
    }
    printTable([["TENANT", "PLAN", "FROM", "LABEL", "SUSPENDED"], ...page.tenants.map(rowOf)]);
    if (page.next !== null) console.error(`there are more: --cursor ${page.next}`);
  },
});

/** Pages of the gateway may be short: they are put together until there are so many, or it has been asked often enough. */
async function readPage(
  state: string | undefined,
  query: URLSearchParams,
  most: number,
  from: string | null,
): Promise<TenantList> {
  const tenants: TenantView[] = [];
  let next = from;
  for (let calls = 0; calls < MAX_CALLS_A_LIST; calls++) {
    query.set("limit", String(most - tenants.length));
    if (next !== null) query.set("cursor", next);
    const call = { method: "GET", path: `/tenants?${query}`, patient: true } as const;
    const page = await callAdmin<TenantList>(state, call);
    tenants.push(...page.tenants);
    next = page.next;
    if (next === null || tenants.length >= most) break;
  }
  return { tenants, next };
}

const rowOf = ({ tenant: id, plan, source, label, suspended }: TenantView): string[] => [
  id,
  plan,
  source,
  label,
  suspended ?? "",
];

const get = defineCommand({
  meta: { name: "get", description: "What a tenant is" },
  args: { tenant, ...gatewayArguments },
  async run({ args }) {
    show(await callAdmin<TenantView>(args.state, { method: "GET", path: pathOf(args.tenant) }), args.json);
  },
});

function show(view: TenantView, json: boolean): void {
  if (json) {
    printJson(view);
    return;
  }
  const suspended = view.suspended === null ? "" : `, suspended: ${view.suspended}`;
  process.stdout.write(`${view.tenant} (${view.source}): plan ${view.plan}${suspended}\n`);
  if (Object.keys(view.settings).length > 0) process.stdout.write(`${JSON.stringify(view.settings, null, 2)}\n`);
}

const set = defineCommand({
  meta: { name: "set", description: "Make a tenant, or replace what it is" },
  args: {
    tenant,
    plan: { type: "string", description: "A plan of the config", required: true },
    label: { type: "string", description: "For people, and for search", default: "" },
    settings: {
      type: "string",
      description: "File with what it has beside its plan, as a tenant in weir.jsonc, in JSON",
    },
    ...gatewayArguments,
  },
  async run({ args }) {
    const own = args.settings === undefined ? {} : readSettings(args.settings);
    const body: PutTenantBody = { ...own, plan: args.plan, label: args.label };
    const call = { method: "PUT", path: pathOf(args.tenant), body, expected: [422] } as const;
    const reply = await callAdmin<TenantView | Problem>(args.state, call);
    if ("title" in reply) throw refused(reply);
    show(reply, args.json);
  },
});

function readSettings(file: string): Partial<PutTenantBody> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new CliError(`${file} must hold one JSON object`);
}

function refused({ title, problems }: Problem): CliError {
  for (const problem of Array.isArray(problems) ? problems : []) {
    if (typeof problem === "object" && problem !== null && "path" in problem && "message" in problem) {
      console.error(`${String(problem.path)}: ${String(problem.message)}`);
    }
  }
  return new CliError(title);
}

const remove = defineCommand({
  meta: { name: "remove", description: "Remove a tenant; its keys end for good" },
  args: { tenant, yes: { type: "boolean", description: "Do not ask", default: false }, ...gatewayArguments },
  async run({ args }) {
    if (!(await agreed(args.yes, `Remove ${args.tenant} and end its keys for good?`))) return EXIT.refused;
    const removed = await callAdmin<{ tenant: string }>(args.state, { method: "DELETE", path: pathOf(args.tenant) });
    if (args.json) printJson(removed);
    else process.stdout.write(`${removed.tenant} is removed\n`);
    return EXIT.ok;
  },
});

const suspend = defineCommand({
  meta: { name: "suspend", description: "Refuse all calls of a tenant, within five seconds" },
  args: { tenant, reason: { type: "string", description: "Why", required: true }, ...gatewayArguments },
  async run({ args }) {
    const call = { method: "POST", path: `${pathOf(args.tenant)}/suspend`, body: { reason: args.reason } } as const;
    show(await callAdmin<TenantView>(args.state, call), args.json);
  },
});

const resume = defineCommand({
  meta: { name: "resume", description: "End a suspension" },
  args: { tenant, ...gatewayArguments },
  async run({ args }) {
    show(await callAdmin<TenantView>(args.state, { method: "POST", path: `${pathOf(args.tenant)}/resume` }), args.json);
  },
});

const importCommand = defineCommand({
  meta: { name: "import", description: "Make or change tenants, one in JSON on each line; may be repeated" },
  args: {
    file: { type: "positional", description: "The file, or - for standard input", required: true },
    "from-line": { type: "string", description: "Begin here, where an import before was cut off", default: "1" },
    ...gatewayArguments,
  },
  async run({ args }) {
    const fromLine = Number(args["from-line"]);
    if (!Number.isSafeInteger(fromLine) || fromLine < 1) {
      throw new CliError(`--from-line must be a whole number from 1, not "${args["from-line"]}"`, EXIT.usage);
    }
    if (args.file !== "-" && !existsSync(args.file))
      throw new CliError(`cannot read ${args.file}: there is no such file`);
    const input = args.file === "-" ? process.stdin : createReadStream(args.file);
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    const send = (tenants: readonly unknown[]): Promise<ImportReply | Problem> =>
      callAdmin<ImportReply | Problem>(args.state, {
        method: "POST",
        path: "/tenants/import",
        body: { tenants },
        expected: [400, 413, 422],
        patient: true,
      });
    const done = await importTenants(lines, fromLine, send);
    if (args.json) printJson(done);
    else {
      const { created, changed, same, lines: count } = done;
      process.stdout.write(`${count} tenants: ${created} made, ${changed} changed, ${same} as they were\n`);
    }
  },
});

const exportCommand = defineCommand({
  meta: { name: "export", description: "Tenants made through the API, one in JSON on each line, as import takes them" },
  args: { out: { type: "string", description: "Write to this file" }, ...gatewayArguments },
  async run({ args }) {
    const { out } = args;
    const counts = { tenants: 0, suspended: 0 };
    const lines = exportedLines(args.state, counts);
    await pipeline(lines, out === undefined ? process.stdout : createWriteStream(out), { end: out !== undefined });
    if (args.json && out !== undefined) printJson({ file: out, ...counts });
    else console.error(`${counts.tenants} tenants`);
    if (counts.suspended > 0) console.error(`${counts.suspended} of them are suspended, which the lines do not say`);
  },
});

/** As fast as it is written away. */
async function* exportedLines(
  state: string | undefined,
  counts: { tenants: number; suspended: number },
): AsyncGenerator<string> {
  let cursor: string | null = "";
  while (cursor !== null) {
    const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const call = { method: "GET", path: `/tenants?source=api&limit=1000${query}`, patient: true } as const;
    const page: TenantList = await callAdmin<TenantList>(state, call);
    counts.tenants += page.tenants.length;
    counts.suspended += page.tenants.filter(({ suspended }) => suspended !== null).length;
    yield page.tenants.map((view) => `${JSON.stringify(lineOf(view))}\n`).join("");
    cursor = page.next;
  }
}

const lineOf = ({ tenant: id, plan, label, settings }: TenantView) => ({ id, plan, label, ...settings });

export const tenantsCommand = defineCommand({
  meta: { name: "tenants", description: "Tenants without a config: a million of them, if need be" },
  subCommands: { list, get, set, remove, suspend, resume, import: importCommand, export: exportCommand },
});
