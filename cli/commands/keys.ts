/** `weir keys create|list|rotate|revoke TENANT`: API keys of one tenant. */
import { defineCommand } from "citty";
import type { CreatedKey, CreateKeyBody, KeyView, RotatedKey, RotateKeyBody } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { durationArgument } from "../duration.ts";
import { printJson, printTable, timeOf } from "../output.ts";

const tenant = { type: "positional", description: "Tenant id", required: true } as const;
const keyId = { type: "positional", description: "Key id", required: true } as const;
const label = { type: "string", description: "A note for people" } as const;
const scopes = {
  type: "string",
  description: "What it may do, by commas: read, write, route:ID, read:ID, write:ID",
} as const;
const expires = { type: "string", description: 'It expires after this: for example "90d"; 1s to 3650d' } as const;

const keysOf = (id: string): string => `/tenants/${encodeURIComponent(id)}/keys`;
const keyOf = (id: string, key: string): string => `${keysOf(id)}/${encodeURIComponent(key)}`;

const create = defineCommand({
  meta: { name: "create", description: "Make a key; it is shown this once" },
  args: { tenant, label, scopes, expires, ...gatewayArguments },
  async run({ args }) {
    const body = orderOf(args);
    const created = await callAdmin<CreatedKey>(args.state, { method: "POST", path: keysOf(args.tenant), body });
    if (args.json) printJson(created);
    else printOnce(created);
  },
});

const rotate = defineCommand({
  meta: { name: "rotate", description: "Make a key in the place of another, which ends later; it is shown this once" },
  args: {
    tenant,
    keyId,
    overlap: { type: "string", description: "The old key ends after this; 0s to 90d", default: "24h" },
    label: { ...label, description: "A note for people. Default: as before" },
    scopes: { ...scopes, description: `${scopes.description}. Default: as before` },
    expires: { ...expires, description: `${expires.description}. Default: as long as the old key's life` },
    ...gatewayArguments,
  },
  async run({ args }) {
    const body: RotateKeyBody = { ...orderOf(args), overlapMs: durationArgument("overlap", args.overlap) };
    const path = `${keyOf(args.tenant, args.keyId)}/rotate`;
    const rotated = await callAdmin<RotatedKey>(args.state, { method: "POST", path, body });
    if (args.json) {
      printJson(rotated);
      return;
    }
    printOnce(rotated);
    const { endsAtMs } = rotated.replaced;
    console.error(`key ${rotated.replaced.keyId} is good until ${endsAtMs === null ? "now" : timeOf(endsAtMs)}`);
  },
});

interface OrderArguments {
  readonly label?: string | undefined;
  readonly scopes?: string | undefined;
  readonly expires?: string | undefined;
}

function orderOf({ label: text, scopes: list, expires: life }: OrderArguments): CreateKeyBody {
  return {
    ...(text === undefined ? {} : { label: text }),
    ...(list === undefined ? {} : { scopes: list.split(",").map((scope) => scope.trim()) }),
    ...(life === undefined ? {} : { lifetimeMs: durationArgument("expires", life) }),
  };
}

/** The key alone on stdout, so that it can be piped. */
function printOnce(created: CreatedKey): void {
  process.stdout.write(`${created.key}\n`);
  const until = created.expiresAtMs === null ? "" : `, which expires ${timeOf(created.expiresAtMs)}`;
  console.error(`key ${created.keyId} of ${created.tenant}${until}: keep it now, it is not shown again`);
}

const list = defineCommand({
  meta: { name: "list", description: "List a tenant's keys" },
  args: { tenant, ...gatewayArguments },
  async run({ args }) {
    const { keys } = await callAdmin<{ keys: KeyView[] }>(args.state, { method: "GET", path: keysOf(args.tenant) });
    if (args.json) {
      printJson({ keys });
      return;
    }
    printTable([
      ["KEY ID", "LABEL", "STATE", "SCOPES", "CREATED", "LAST USED", "UNTIL"],
      ...keys.map((key) => [
        key.keyId,
        key.label,
        key.state,
        key.scopes.join(",") || "all",
        timeOf(key.createdAtMs),
        key.lastUsedAtMs === null ? "never" : timeOf(key.lastUsedAtMs),
        untilOf(key),
      ]),
    ]);
  },
});

function untilOf({ revokedAtMs, endsAtMs, expiresAtMs }: KeyView): string {
  const ends = [revokedAtMs, endsAtMs, expiresAtMs].filter((atMs) => atMs !== null);
  return ends.length === 0 ? "" : timeOf(Math.min(...ends));
}

const revoke = defineCommand({
  meta: { name: "revoke", description: "Revoke a key: refused everywhere within 5 seconds" },
  args: { tenant, keyId, ...gatewayArguments },
  async run({ args }) {
    const path = keyOf(args.tenant, args.keyId);
    const revoked = await callAdmin<KeyView>(args.state, { method: "DELETE", path });
    if (args.json) printJson(revoked);
    else process.stdout.write(`${revoked.keyId} is revoked\n`);
  },
});

export const keysCommand = defineCommand({
  meta: { name: "keys", description: "API keys of a tenant" },
  subCommands: { create, list, rotate, revoke },
});
