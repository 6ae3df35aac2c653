/** `weir limits TENANT`: what limits a tenant, where that stands, what is left. */
import { defineCommand } from "citty";
import type { LimitList, LimitView } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { printJson, printTable, timeOf } from "../output.ts";

export const limitsCommand = defineCommand({
  meta: { name: "limits", description: "What limits a tenant, where that stands, and what is left" },
  args: { tenant: { type: "positional", description: "Tenant id", required: true }, ...gatewayArguments },
  async run({ args }) {
    const path = `/tenants/${encodeURIComponent(args.tenant)}/limits`;
    const list = await callAdmin<LimitList>(args.state, { method: "GET", path });
    if (args.json) {
      printJson(list);
      return;
    }
    printTable([["LIMIT", "IN FORCE", "LEFT", "FOR", "MODE", "FAILS", "FROM"], ...list.limits.map(rowOf)]);
  },
});

function rowOf({ limit, inForce, override, leastFreeTokens, partition, mode, failMode, source }: LimitView): string[] {
  const overridden = override === null ? "" : ` (until ${timeOf(override.expiresAtMs)}: ${override.reason})`;
  const left = leastFreeTokens === null ? "all" : String(leastFreeTokens);
  const each = partition === "principal" ? "each caller" : "the tenant";
  return [limit, inForce + overridden, left, each, mode, failMode, source];
}
