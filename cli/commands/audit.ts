/** `weir audit`: every write of the admin API, the newest first. */
import { defineCommand } from "citty";
import type { AuditEntry, AuditPage } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { durationArgument } from "../duration.ts";
import { CliError, EXIT, printJson, printTable, timeOf } from "../output.ts";

const MOST = 1_000;

export const auditCommand = defineCommand({
  meta: { name: "audit", description: "Who changed what, when, and what became of it" },
  args: {
    actor: { type: "string", description: 'Only of this token (its id, or "root")' },
    operation: { type: "string", description: "Only this operation: for example tripBreaker" },
    tenant: { type: "string", description: "Only what names this tenant" },
    outcome: { type: "string", description: "Only done, refused, failed or unfinished" },
    since: { type: "string", description: "Only of the last so long: for example 24h" },
    limit: { type: "string", description: `At most so many, up to ${MOST}`, default: "50" },
    cursor: { type: "string", description: "Go on where a page ended" },
    ...gatewayArguments,
  },
  async run({ args }) {
    const limit = Number(args.limit);
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST)
      throw new CliError(`--limit must be 1 to ${MOST}, not "${args.limit}"`, EXIT.usage);
    const { actor, operation, tenant, outcome, cursor } = args;
    const query = new URLSearchParams({ limit: String(limit) });
    for (const [name, value] of Object.entries({ actor, operation, tenant, outcome, cursor })) {
      if (value !== undefined) query.set(name, value);
    }
    if (args.since !== undefined) query.set("fromMs", String(Date.now() - durationArgument("since", args.since)));
    const page = await callAdmin<AuditPage>(args.state, { method: "GET", path: `/audit?${query.toString()}` });
    if (args.json) {
      printJson(page);
      return;
    }
    printTable([["TIME", "WHO", "OPERATION", "WHAT", "OUTCOME", "FROM"], ...page.entries.map(rowOf)]);
    if (page.next !== null) console.error(`there are more: --cursor ${page.next}`);
    if (page.dropped > 0) console.error(`${page.dropped} older entries are no longer kept`);
  },
});

const rowOf = ({ atMs, actor, operation, params, outcome, status, client }: AuditEntry): string[] => [
  timeOf(atMs),
  actor.id === actor.name ? actor.name : `${actor.name} ${actor.id}`,
  operation,
  Object.entries(params)
    .map(([name, value]) => `${name}=${value}`)
    .join(" "),
  status === 0 ? outcome : `${outcome} ${status}`,
  client,
];
