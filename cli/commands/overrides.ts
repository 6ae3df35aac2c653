/** `weir overrides set|list|remove TENANT`: one limit of one tenant, raised or lowered for a while. */
import { defineCommand } from "citty";
import type { OverrideBody, OverrideView } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { durationArgument } from "../duration.ts";
import { CliError, printJson, printTable, timeOf } from "../output.ts";

const tenant = { type: "positional", description: "Tenant id", required: true } as const;
const limit = {
  type: "positional",
  description: 'Limit: its name, "route:<route>:<name>", or "concurrency"',
  required: true,
} as const;
const overridesOf = (id: string): string => `/tenants/${encodeURIComponent(id)}/overrides`;

const set = defineCommand({
  meta: { name: "set", description: "Hold another limit for a while; what is not given stays as configured" },
  args: {
    tenant,
    limit,
    rate: { type: "string", description: 'Token bucket: for example "500/s"' },
    burst: { type: "string", description: "Token bucket: capacity in tokens" },
    quota: { type: "string", description: "Quota: tokens per period" },
    slots: { type: "string", description: "Concurrency: requests at once" },
    for: { type: "string", description: 'How long: for example "30m", "2h"; 1s to 90d', required: true },
    reason: { type: "string", description: "Why, for those who look later", required: true },
    ...gatewayArguments,
  },
  async run({ args }) {
    const body: OverrideBody = {
      ...(args.rate === undefined ? {} : { rate: args.rate }),
      ...wholeNumber("burst", args.burst),
      ...wholeNumber("quota", args.quota),
      ...wholeNumber("slots", args.slots),
      forMs: durationArgument("for", args.for),
      reason: args.reason,
    };
    const path = `${overridesOf(args.tenant)}/${encodeURIComponent(args.limit)}`;
    const override = await callAdmin<OverrideView>(args.state, { method: "PUT", path, body });
    if (args.json) printJson(override);
    else process.stdout.write(`${override.limit} of ${override.tenant}: ${override.inForce}, ${until(override)}\n`);
  },
});

function wholeNumber<Name extends string>(name: Name, text: string | undefined): Partial<Record<Name, number>> {
  if (text === undefined) return {};
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new CliError(`--${name} must be a whole number from 1, not "${text}"`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed key of one known name
  return { [name]: value } as Partial<Record<Name, number>>;
}

const MINUTE_MS = 60_000;

function until({ expiresAtMs }: OverrideView): string {
  const minutes = Math.max(1, Math.round((expiresAtMs - Date.now()) / MINUTE_MS));
  const [hours, days] = [Math.floor(minutes / 60), Math.floor(minutes / 1_440)];
  const left = days > 0 ? `${days} d ${hours % 24} h` : hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
  return `for another ${left}, until ${timeOf(expiresAtMs)}`;
}

const list = defineCommand({
  meta: { name: "list", description: "What holds now" },
  args: { tenant, ...gatewayArguments },
  async run({ args }) {
    const path = overridesOf(args.tenant);
    const { overrides } = await callAdmin<{ overrides: OverrideView[] }>(args.state, { method: "GET", path });
    if (args.json) {
      printJson({ overrides });
      return;
    }
    printTable([
      ["LIMIT", "IN FORCE", "UNTIL", "REASON"],
      ...overrides.map((override) => [override.limit, override.inForce, until(override), override.reason]),
    ]);
  },
});

const remove = defineCommand({
  meta: { name: "remove", description: "Back to the configured limit" },
  args: { tenant, limit, ...gatewayArguments },
  async run({ args }) {
    const path = `${overridesOf(args.tenant)}/${encodeURIComponent(args.limit)}`;
    const removed = await callAdmin<{ tenant: string; limit: string }>(args.state, { method: "DELETE", path });
    if (args.json) printJson(removed);
    else process.stdout.write(`${removed.limit} of ${removed.tenant} is as configured\n`);
  },
});

export const overridesCommand = defineCommand({
  meta: { name: "overrides", description: "Limits of a tenant that hold for a while" },
  subCommands: { set, list, remove },
});
