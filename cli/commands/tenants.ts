/** `weir tenants list|get|set|remove|suspend|resume|import|export`: tenants without a config. */
import { createReadStream, createWriteStream, existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { defineCommand } from "citty";
import type { ImportReply, PutTenantBody, TenantList, TenantView } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments, type Problem } from "../client.ts";
import { agreed } from "../confirm.ts";
import { CliError, EXIT, printJson, printTable } from "../output.ts";
import { importTenants } from "../tenant-import.ts";

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
    const query = new URLSearchParams({
      search: args.search,
      limit: args.limit,
      ...(args.plan === undefined ? {} : { plan: args.plan }),
      ...(args.suspended ? { suspended: "true" } : {}),
      ...(args.cursor === undefined ? {} : { cursor: args.cursor }),
    });
    const page = await callAdmin<TenantList>(args.state, { method: "GET", path: `/tenants?${query}` });
    if (args.json) {
      printJson(page);
      return;
    }
    printTable([["TENANT", "PLAN", "FROM", "LABEL", "SUSPENDED"], ...page.tenants.map(rowOf)]);
    if (page.next !== null) console.error(`there are more: --cursor ${page.next}`);
  },
});

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
    const file = args.out === undefined ? undefined : createWriteStream(args.out);
    const out = file ?? process.stdout;
    let count = 0;
    let cursor: string | null = "";
    while (cursor !== null) {
      const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const path = `/tenants?source=api&limit=1000${query}`;
      const page: TenantList = await callAdmin<TenantList>(args.state, { method: "GET", path });
      for (const view of page.tenants) out.write(`${JSON.stringify(lineOf(view))}\n`);
      count += page.tenants.length;
      cursor = page.next;
    }
    if (file !== undefined) {
      await new Promise<void>((resolve) => {
        file.end(resolve);
      });
    }
    console.error(`${count} tenants`);
  },
});

const lineOf = ({ tenant: id, plan, label, settings }: TenantView) => ({ id, plan, label, ...settings });

export const tenantsCommand = defineCommand({
  meta: { name: "tenants", description: "Tenants without a config: a million of them, if need be" },
  subCommands: { list, get, set, remove, suspend, resume, import: importCommand, export: exportCommand },
});
