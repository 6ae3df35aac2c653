/** `weir tokens create|list|revoke`: tokens of the admin API, with a role, for as long as they are needed. */
import { defineCommand } from "citty";
import type { CreatedToken, TokenList, TokenView } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { durationArgument } from "../duration.ts";
import { printJson, printTable, timeOf } from "../output.ts";

const create = defineCommand({
  meta: { name: "create", description: "Make a token; it is shown this once" },
  args: {
    label: { type: "positional", description: "Whose it is: the name in the audit", required: true },
    role: { type: "string", description: "reader, operator or admin", default: "reader" },
    tenants: { type: "string", description: "Only for these tenants, by commas. Default: all" },
    for: { type: "string", description: "How long it holds; 1s to 366d", default: "90d" },
    ...gatewayArguments,
  },
  async run({ args }) {
    const body = {
      label: args.label,
      role: args.role,
      forMs: durationArgument("for", args.for),
      ...(args.tenants === undefined ? {} : { tenants: args.tenants.split(",").map((tenant) => tenant.trim()) }),
    };
    const created = await callAdmin<CreatedToken>(args.state, { method: "POST", path: "/tokens", body });
    if (args.json) {
      printJson(created);
      return;
    }
    // Alone on stdout, so that it can be piped.
    process.stdout.write(`${created.token}\n`);
    const { tokenId, label, role, expiresAtMs } = created;
    console.error(`token ${tokenId} of ${label} (${role}), which expires ${timeOf(expiresAtMs)}: keep it now`);
  },
});

const list = defineCommand({
  meta: { name: "list", description: "List the tokens" },
  args: { ...gatewayArguments },
  async run({ args }) {
    const tokens: TokenView[] = [];
    let cursor = "";
    for (;;) {
      const page = await callAdmin<TokenList>(args.state, { method: "GET", path: `/tokens?limit=1000${cursor}` });
      tokens.push(...page.tokens);
      if (page.next === null) break;
      cursor = `&cursor=${encodeURIComponent(page.next)}`;
    }
    if (args.json) {
      printJson({ tokens });
      return;
    }
    printTable([
      ["TOKEN ID", "LABEL", "ROLE", "TENANTS", "MADE BY", "LAST USED", "UNTIL"],
      ...tokens.map((token) => [
        token.tokenId,
        token.label,
        token.role,
        token.tenants?.join(",") ?? "all",
        token.createdBy,
        token.lastUsedAtMs === null ? "never" : timeOf(token.lastUsedAtMs),
        token.revokedAtMs === null ? timeOf(token.expiresAtMs) : `revoked ${timeOf(token.revokedAtMs)}`,
      ]),
    ]);
  },
});

const revoke = defineCommand({
  meta: { name: "revoke", description: "Revoke a token: refused everywhere within 5 seconds" },
  args: { tokenId: { type: "positional", description: "Token id", required: true }, ...gatewayArguments },
  async run({ args }) {
    const path = `/tokens/${encodeURIComponent(args.tokenId)}`;
    const revoked = await callAdmin<TokenView>(args.state, { method: "DELETE", path });
    if (args.json) printJson(revoked);
    else process.stdout.write(`${revoked.tokenId} of ${revoked.label} is revoked\n`);
  },
});

export const tokensCommand = defineCommand({
  meta: { name: "tokens", description: "Tokens of the admin API, with roles" },
  subCommands: { create, list, revoke },
});
