/** `weir maintenance start|end|list`: an origin or a route out of service for a while, by hand. */
import { defineCommand } from "citty";
import type { MaintenanceBody, MaintenanceList, MaintenanceView } from "../../src/admin/contract.ts";
import { durationMs } from "../../src/config/units.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { operator } from "../operator.ts";
import { CliError, EXIT, printJson, printTable, timeOf } from "../output.ts";

const target = {
  origin: { type: "string", description: "Origin id: all its routes" },
  route: { type: "string", description: "Route id: this route alone" },
} as const;

const start = defineCommand({
  meta: { name: "start", description: "Take an origin or a route out of service, now or later" },
  args: {
    ...target,
    for: { type: "string", description: 'How long: for example "30m", "2h"; 1s to 30d', required: true },
    from: {
      type: "string",
      description: 'Its start: "45m" from now, or a time like "2026-12-01T02:00:00Z". Default now',
    },
    allow: {
      type: "string",
      description: 'Who passes as usual: addresses, networks, "key:<key id>", with commas between',
    },
    "page-only": {
      type: "boolean",
      description: "The page at once, also where something stored could answer",
      default: false,
    },
    reason: { type: "string", description: "Why, for those who look later", default: "maintenance" },
    ...gatewayArguments,
  },
  async run({ args }) {
    const body: MaintenanceBody = {
      startInMs: args.from === undefined ? 0 : startInMs(args.from),
      forMs: lasting(args.for),
      allow: (args.allow ?? "").split(",").flatMap((entry) => (entry.trim() === "" ? [] : [entry.trim()])),
      pageOnly: args["page-only"],
      reason: args.reason,
      by: operator(),
    };
    const set = await callAdmin<MaintenanceView>(args.state, { method: "PUT", path: pathOf(args), body });
    if (args.json) printJson(set);
    else process.stdout.write(`${set.scope} ${set.id}: ${times(set)}${passing(set)}\n`);
  },
});

const end = defineCommand({
  meta: { name: "end", description: "Back into service, before its time" },
  args: { ...target, ...gatewayArguments },
  async run({ args }) {
    const ended = await callAdmin<Pick<MaintenanceView, "scope" | "id">>(args.state, {
      method: "DELETE",
      path: pathOf(args),
    });
    if (args.json) printJson(ended);
    else process.stdout.write(`${ended.scope} ${ended.id} is back in service\n`);
  },
});

const list = defineCommand({
  meta: { name: "list", description: "What is in maintenance, and what will be" },
  args: gatewayArguments,
  async run({ args }) {
    const listed = await callAdmin<MaintenanceList>(args.state, { method: "GET", path: "/maintenance" });
    if (args.json) {
      printJson(listed);
      return;
    }
    printTable([
      ["WHAT", "STATE", "WHEN", "OTHERS GET", "PASSING", "BY", "REASON"],
      ...listed.maintenance.map((one) => [
        `${one.scope} ${one.id}`,
        one.state,
        times(one),
        one.pageOnly ? "the page" : "what is stored, else the page",
        one.allow.length === 0 ? "nobody" : one.allow.join(" "),
        one.by,
        one.reason,
      ]),
    ]);
    for (const origin of listed.unreachable) console.error(`origin ${origin}: its coordinator did not answer`);
  },
});

function pathOf({
  origin,
  route,
}: {
  readonly origin?: string | undefined;
  readonly route?: string | undefined;
}): string {
  if (origin !== undefined && route === undefined) return `/maintenance/origins/${encodeURIComponent(origin)}`;
  if (route !== undefined && origin === undefined) return `/maintenance/routes/${encodeURIComponent(route)}`;
  throw new CliError("name what it is about: --origin ID or --route ID, one of them", EXIT.usage);
}

function lasting(text: string): number {
  const ms = durationMs(text);
  if (Number.isNaN(ms)) throw new CliError(`--for must be a duration like "30m", "2h", not "${text}"`, EXIT.usage);
  return ms;
}

function startInMs(text: string): number {
  const ms = durationMs(text);
  const fromNowMs = Number.isNaN(ms) ? Date.parse(text) - Date.now() : ms;
  if (Number.isNaN(fromNowMs)) {
    const valid = 'a duration from now like "45m", or a time like "2026-12-01T02:00:00Z"';
    throw new CliError(`--from must be ${valid}, not "${text}"`, EXIT.usage);
  }
  if (fromNowMs < 0) throw new CliError(`--from is past: ${text}`, EXIT.usage);
  return Math.round(fromNowMs);
}

const times = ({ startsAtMs, endsAtMs, state }: MaintenanceView): string => {
  const until = timeOf(endsAtMs);
  return state === "in-force" ? `now, until ${until}` : `from ${timeOf(startsAtMs)} until ${until}`;
};

const passing = ({ allow }: MaintenanceView): string => (allow.length === 0 ? "" : `; passing: ${allow.join(" ")}`);

export const maintenanceCommand = defineCommand({
  meta: { name: "maintenance", description: "Origins and routes out of service for a while, by hand" },
  subCommands: { start, end, list },
});
