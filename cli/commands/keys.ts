/** `weir keys create|list|revoke TENANT`: API keys of one tenant. */
import { defineCommand } from "citty";
import type { CreatedKey, KeyView } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { printJson, printTable } from "../output.ts";

const tenant = { type: "positional", description: "Tenant id", required: true } as const;
const keysOf = (id: string): string => `/tenants/${encodeURIComponent(id)}/keys`;

const create = defineCommand({
  meta: { name: "create", description: "Make a key; it is shown this once" },
  args: { tenant, label: { type: "string", description: "A note for people", default: "" }, ...gatewayArguments },
  async run({ args }) {
    const body = { label: args.label };
    const created = await callAdmin<CreatedKey>(args.state, { method: "POST", path: keysOf(args.tenant), body });
    if (args.json) printJson(created);
    else {
      process.stdout.write(`${created.key}\n`);
      console.error(`key ${created.keyId} of ${created.tenant}: keep it now, it is not shown again`);
    }
  },
});

const list = defineCommand({
  meta: { name: "list", description: "List a tenant's keys" },
  args: { tenant, ...gatewayArguments },
  async run({ args }) {
    const { keys } = await callAdmin<{ keys: KeyView[] }>(args.state, { method: "GET", path: keysOf(args.tenant) });
    if (args.json) {
      printJson({ keys });
      return;
    }
    const when = (ms: number): string => new Date(ms).toISOString();
    printTable([
      ["KEY ID", "LABEL", "CREATED", "REVOKED"],
      ...keys.map((key) => [
        key.keyId,
        key.label,
        when(key.createdAtMs),
        key.revokedAtMs === null ? "" : when(key.revokedAtMs),
      ]),
    ]);
  },
});

const revoke = defineCommand({
  meta: { name: "revoke", description: "Revoke a key: refused everywhere within seconds" },
  args: { tenant, keyId: { type: "positional", description: "Key id", required: true }, ...gatewayArguments },
  async run({ args }) {
    const path = `${keysOf(args.tenant)}/${encodeURIComponent(args.keyId)}`;
    const revoked = await callAdmin<KeyView>(args.state, { method: "DELETE", path });
    if (args.json) printJson(revoked);
    else process.stdout.write(`${revoked.keyId} is revoked\n`);
  },
});

export const keysCommand = defineCommand({
  meta: { name: "keys", description: "API keys of a tenant" },
  subCommands: { create, list, revoke },
});
