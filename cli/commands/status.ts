/** `weir status [--tenant ID]`: remaining tokens by tenant, the breakers' states. */
import { defineCommand } from "citty";
import type { StatusReply } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { colour, printJson, printTable, timeOf } from "../output.ts";

export const statusCommand = defineCommand({
  meta: { name: "status", description: "Remaining tokens and breakers" },
  args: { tenant: { type: "string", description: "Only this tenant" }, ...gatewayArguments },
  async run({ args }) {
    const path = args.tenant === undefined ? "/status" : `/status?tenant=${encodeURIComponent(args.tenant)}`;
    const status = await callAdmin<StatusReply>(args.state, { method: "GET", path });
    if (args.json) {
      printJson(status);
      return;
    }
    printTable([["TENANT", "PLAN", "LIMIT", "FREE", "LEASED", "OF"], ...status.tenants.flatMap(tenantRows)]);
    for (const { tenant, mode, requests } of status.failModes ?? []) {
      console.error(colour.yellow(`${tenant}: ${requests} requests were decided by the fail mode ${mode}`));
    }
    if (status.truncated) console.error("more tenants exist: name one with --tenant");
    process.stdout.write("\n");
    printTable([
      ["ORIGIN", "BREAKER", "SCORE", "PROBES", "LAST CHANGE"],
      ...status.origins.map(({ origin, state, score, outstandingProbes, lastTransition: last }) => [
        origin,
        state,
        score.toFixed(1),
        String(outstandingProbes),
        last === null ? "" : `${last.from} -> ${last.to}: ${last.reason} (${timeOf(last.atMs)})`,
      ]),
    ]);
  },
});

function tenantRows({ tenant, plan, limits }: StatusReply["tenants"][number]): string[][] {
  if (limits === null) return [[tenant, plan, colour.red("its coordinator did not answer"), "", "", ""]];
  if (limits.length === 0) return [[tenant, plan, "(untouched: all full)", "", "", ""]];
  return limits.map((limit) => [
    tenant,
    plan,
    limit.partition,
    String(limit.freeTokens),
    String(limit.outstandingTokens),
    String(limit.capacityTokens),
  ]);
}
