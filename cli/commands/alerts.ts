/** `weir alerts`, `weir silences add|list|end`, `weir deliveries list|retry`: what fires, who is told, and who is not. */
import { defineCommand } from "citty";
import type { AlertsReply, AlertView, DeliveryView, SilenceBody, SilenceView } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { durationArgument } from "../duration.ts";
import { operator } from "../operator.ts";
import { CliError, colour, EXIT, printJson, printTable, tableText, timeOf } from "../output.ts";
import { countArgument, turns } from "../watch.ts";

const LEAST_INTERVAL_MS = 1_000;

const readAlerts = (state: string | undefined): Promise<AlertsReply> =>
  callAdmin<AlertsReply>(state, { method: "GET", path: "/alerts" });

export const alertsCommand = defineCommand({
  meta: { name: "alerts", description: "What fires, since when, and whether somebody was told" },
  args: {
    firing: { type: "boolean", description: "Only what fires; exit code 3 when something does", default: false },
    watch: { type: "boolean", description: "Again and again, until Ctrl-C", default: false },
    interval: { type: "string", description: "With --watch: between two looks, 1s at least", default: "5s" },
    count: { type: "string", description: "With --watch: end after so many looks" },
    ...gatewayArguments,
  },
  async run({ args }) {
    const intervalMs = durationArgument("interval", args.interval);
    if (intervalMs < LEAST_INTERVAL_MS)
      throw new CliError(`--interval must be 1s at least, not "${args.interval}"`, EXIT.usage);
    let fires = false;
    for await (const _ of turns(intervalMs, args.watch ? countArgument("count", args.count) : 1)) {
      const { alerts } = await readAlerts(args.state);
      const shown = args.firing ? alerts.filter(({ state }) => state === "firing") : alerts;
      fires = shown.some(({ state }) => state === "firing");
      if (!args.json) process.stdout.write(alertTable(shown));
      else if (args.watch) process.stdout.write(`${JSON.stringify({ alerts: shown })}\n`);
      else printJson({ alerts: shown });
    }
    return args.firing && fires ? EXIT.differences : EXIT.ok;
  },
});

const alertTable = (alerts: readonly AlertView[]): string =>
  alerts.length === 0
    ? "no alerts\n"
    : tableText([["STATE", "SEVERITY", "KIND", "ABOUT", "SINCE", "TOLD", "SUMMARY"], ...alerts.map(alertCells)]);

const alertCells = ({ state, severity, kind, labels, sinceMs, quiet, summary }: AlertView): string[] => [
  state === "firing" ? colour.red(state) : state,
  severity,
  kind,
  labelsText(labels),
  timeOf(sinceMs),
  quiet === null ? "yes" : `no: ${quiet.by} ${quiet.id}`,
  summary,
];

const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

const add = defineCommand({
  meta: { name: "add", description: "Tell nobody of some alerts for a while; they are still listed" },
  args: {
    match: {
      type: "string",
      description: 'Which: labels that must all be equal, with commas between: "origin=shop,kind=breaker"',
      required: true,
    },
    for: { type: "string", description: "How long: 1s to 30d", default: "2h" },
    reason: { type: "string", description: "Why, for those who look later", required: true },
    ...gatewayArguments,
  },
  async run({ args }) {
    const body: SilenceBody = {
      match: matchOf(args.match),
      forMs: durationArgument("for", args.for),
      reason: args.reason,
      by: operator(),
    };
    const silence = await callAdmin<SilenceView>(args.state, { method: "POST", path: "/silences", body });
    if (args.json) printJson(silence);
    else process.stdout.write(`${silence.id}: ${labelsText(silence.match)} until ${timeOf(silence.untilMs)}\n`);
  },
});

function matchOf(text: string): Record<string, string> {
  const pairs = text.split(",").map((pair): [string, string] => {
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    if (at >= 1 && name !== "" && value !== "") return [name, value];
    throw new CliError(`--match must be labels like "origin=shop,kind=breaker", not "${text}"`, EXIT.usage);
  });
  return Object.fromEntries(pairs);
}

const listSilences = defineCommand({
  meta: { name: "list", description: "What is silenced, until when, by whom and why" },
  args: gatewayArguments,
  async run({ args }) {
    const { silences } = await readAlerts(args.state);
    if (args.json) {
      printJson({ silences });
      return;
    }
    printTable([
      ["ID", "MATCH", "UNTIL", "BY", "REASON"],
      ...silences.map(({ id, match, untilMs, by, reason }) => [id, labelsText(match), timeOf(untilMs), by, reason]),
    ]);
  },
});

const end = defineCommand({
  meta: { name: "end", description: "Before its time" },
  args: { id: { type: "positional", description: "Id of the silence", required: true }, ...gatewayArguments },
  async run({ args }) {
    const path = `/silences/${encodeURIComponent(args.id)}`;
    const ended = await callAdmin<unknown>(args.state, { method: "DELETE", path });
    if (args.json) printJson(ended);
    else process.stdout.write(`silence ${args.id} has ended\n`);
  },
});

export const silencesCommand = defineCommand({
  meta: { name: "silences", description: "Alerts that nobody is told of for a while" },
  subCommands: { add, list: listSilences, end },
});

const listDeliveries = defineCommand({
  meta: { name: "list", description: "What waits, what is dead, and the newest that arrived" },
  args: {
    dead: { type: "boolean", description: "Only the dead; exit code 3 when there are some", default: false },
    ...gatewayArguments,
  },
  async run({ args }) {
    const all = (await readAlerts(args.state)).deliveries;
    const deliveries = args.dead ? all.filter(({ state }) => state === "dead") : all;
    if (args.json) printJson({ deliveries });
    else {
      const head = ["ID", "RECEIVER", "STATE", "TRIES", "MADE", "NEXT TRY", "LAST RESULT"];
      printTable([head, ...deliveries.map(deliveryCells)]);
    }
    return args.dead && deliveries.length > 0 ? EXIT.differences : EXIT.ok;
  },
});

const deliveryCells = (delivery: DeliveryView): string[] => [
  delivery.id,
  delivery.receiver,
  delivery.state,
  String(delivery.attempts),
  timeOf(delivery.createdAtMs),
  delivery.nextAttemptAtMs === null ? "" : timeOf(delivery.nextAttemptAtMs),
  delivery.lastResult ?? "",
];

const retry = defineCommand({
  meta: { name: "retry", description: "Try a dead delivery anew, under the same id" },
  args: { id: { type: "positional", description: "Id of the delivery", required: true }, ...gatewayArguments },
  async run({ args }) {
    const path = `/deliveries/${encodeURIComponent(args.id)}/retry`;
    const reply = await callAdmin<unknown>(args.state, { method: "POST", path });
    if (args.json) printJson(reply);
    else process.stdout.write(`delivery ${args.id} is tried anew\n`);
  },
});

export const deliveriesCommand = defineCommand({
  meta: { name: "deliveries", description: "What receivers of alerts were sent, and what did not arrive" },
  subCommands: { list: listDeliveries, retry },
});
