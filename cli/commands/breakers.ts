/** `weir breakers trip|reset|history ORIGIN`: a breaker by hand, with a reason and an expiry; and what it did. */
import { defineCommand } from "citty";
import type { BreakerTransition, BreakerView } from "../../src/admin/contract.ts";
import { durationMs } from "../../src/config/units.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { operator } from "../operator.ts";
import { CliError, EXIT, printJson, printTable, timeOf } from "../output.ts";

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
    const body = { reason: args.reason, by: operator(), forMs, state };
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
    const body = { reason: args.reason, by: operator() };
    const status = await callAdmin<unknown>(args.state, { method: "POST", path, body });
    if (args.json) printJson(status);
    else process.stdout.write(`${args.origin} is closed\n`);
  },
});

const history = defineCommand({
  meta: { name: "history", description: "What a breaker did, when and why, and whose hand it was" },
  args: { origin, ...gatewayArguments },
  async run({ args }) {
    const path = `/breakers/${encodeURIComponent(args.origin)}`;
    const breaker = await callAdmin<BreakerView>(args.state, { method: "GET", path });
    if (args.json) {
      printJson(breaker);
      return;
    }
    const { state, forced, score, pops, underWay, slots, earlyAgeMs } = breaker;
    const hand = forced === null ? "" : ` (by ${forced.by}: ${forced.reason}, until ${timeOf(forced.untilMs)})`;
    const late = earlyAgeMs === null ? "" : `; a call is late after ${earlyAgeMs} ms`;
    const load = slots === null ? `${underWay} under way` : `${underWay} of ${slots} under way`;
    process.stdout.write(
      `${args.origin} is ${state}${hand}; evidence ${score.toFixed(1)}, ${pops} PoPs, ${load}${late}\n`,
    );
    printTable([["time", "from", "to", "why", "evidence", "PoPs", "by"], ...breaker.history.map(rowOf)]);
  },
});

const rowOf = ({ atMs, from, to, reason: why, score, pops, by }: BreakerTransition): string[] => [
  timeOf(atMs),
  from,
  to,
  why,
  score.toFixed(1),
  String(pops.length),
  by ?? "",
];

export const breakersCommand = defineCommand({
  meta: { name: "breakers", description: "Circuit breakers: by hand, and their history" },
  subCommands: { trip, reset, history },
});
