/** `weir breakers trip|reset ORIGIN`: a breaker by hand, with a reason and an expiry. */
import { defineCommand } from "citty";
import { durationMs } from "../../src/config/units.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { CliError, EXIT, printJson } from "../output.ts";

const origin = { type: "positional", description: "Origin id", required: true } as const;
const reason = { type: "string", description: "Why; kept in the history", default: "by hand" } as const;

const trip = defineCommand({
  meta: { name: "trip", description: "Force a breaker open (or closed) for a while" },
  args: {
    origin,
    reason,
    for: { type: "string", description: "How long", default: "10m" },
    closed: { type: "boolean", description: "Force it closed instead", default: false },
    ...gatewayArguments,
  },
  async run({ args }) {
    const forMs = durationMs(args.for);
    if (Number.isNaN(forMs)) throw new CliError(`--for must be a duration like "10m", not "${args.for}"`, EXIT.usage);
    const state = args.closed ? "closed" : "open";
    const path = `/breakers/${encodeURIComponent(args.origin)}/trip`;
    const body = { reason: args.reason, forMs, state };
    const status = await callAdmin<unknown>(args.state, { method: "POST", path, body });
    if (args.json) printJson(status);
    else process.stdout.write(`${args.origin} is forced ${state} for ${args.for}\n`);
  },
});

const reset = defineCommand({
  meta: { name: "reset", description: "Close a breaker, whatever it was" },
  args: { origin, reason, ...gatewayArguments },
  async run({ args }) {
    const path = `/breakers/${encodeURIComponent(args.origin)}/reset`;
    const status = await callAdmin<unknown>(args.state, { method: "POST", path, body: { reason: args.reason } });
    if (args.json) printJson(status);
    else process.stdout.write(`${args.origin} is closed\n`);
  },
});

export const breakersCommand = defineCommand({
  meta: { name: "breakers", description: "Circuit breakers by hand" },
  subCommands: { trip, reset },
});
