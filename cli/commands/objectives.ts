/** `weir objectives`, `weir incidents`: error budgets and how fast they burn; what outages took. */
import { defineCommand } from "citty";
import type { IncidentView, ObjectivesReply, ObjectiveView } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { colour, printJson, printTable, timeOf } from "../output.ts";

const DAY_MS = 86_400_000;

const readObjectives = (state: string | undefined): Promise<ObjectivesReply> =>
  callAdmin<ObjectivesReply>(state, { method: "GET", path: "/objectives" });

export const objectivesCommand = defineCommand({
  meta: { name: "objectives", description: "What was promised, what is left of each error budget, how fast it burns" },
  args: gatewayArguments,
  async run({ args }) {
    const { objectives } = await readObjectives(args.state);
    if (args.json) {
      printJson({ objectives });
      return;
    }
    if (objectives.length === 0) {
      process.stdout.write("the config has no objectives\n");
      return;
    }
    printTable([
      ["OBJECTIVE", "OF", "KIND", "TARGET", "WINDOW", "EVENTS", "BAD", "BUDGET LEFT", "BURNS"],
      ...objectives.map(objectiveCells),
    ]);
  },
});

function objectiveCells(objective: ObjectiveView): string[] {
  const { id, kind, origin, route, targetRatio, withinMs, windowMs, total, bad, budgetLeftRatio } = objective;
  return [
    id,
    origin === null ? `route ${route ?? ""}` : `origin ${origin}`,
    withinMs === null ? kind : `${kind} ${withinMs}ms`,
    percent(targetRatio),
    `${windowMs / DAY_MS}d`,
    String(total),
    String(bad),
    budgetLeftRatio < 0 ? colour.red(percent(budgetLeftRatio)) : percent(budgetLeftRatio),
    burnText(objective),
  ];
}

/** Three decimals at most. */
const percent = (ratio: number): string => `${Number((ratio * 100).toFixed(3))}%`;

/** Times as fast as the budget allows, of the gravest pair of windows that burns. */
function burnText({ burn }: ObjectiveView): string {
  const burning = burn.find((status) => status.burning);
  if (burning !== undefined) return colour.red(`${burning.longBurnRate.toFixed(1)}x, ${burning.severity}`);
  return burn.length > 0 && burn.every(({ guarded }) => guarded) ? "too little traffic to say" : "no";
}

export const incidentsCommand = defineCommand({
  meta: { name: "incidents", description: "Outages by the breakers' history: when seen, when told, when over" },
  args: { origin: { type: "string", description: "Only of this origin" }, ...gatewayArguments },
  async run({ args }) {
    const reply = await readObjectives(args.state);
    const isShown = ({ origin }: { readonly origin: string }): boolean =>
      args.origin === undefined || origin === args.origin;
    const incidents = reply.incidents.filter(isShown);
    const means = reply.means.filter(isShown);
    if (args.json) {
      printJson({ incidents, means });
      return;
    }
    printTable([
      ["ORIGIN", "WHERE", "BEGAN", "SEEN AFTER", "TOLD AFTER", "LASTED", "REASON"],
      ...incidents.map(incidentCells),
    ]);
    for (const { origin, incidents: count, mttdMs, mttrMs } of means) {
      const [seen, lasted] = [mttdMs, mttrMs].map((ms) => (ms === null ? "not known yet" : seconds(ms)));
      process.stdout.write(`${origin}: ${count} in all, seen after ${seen} on average, over after ${lasted}\n`);
    }
  },
});

const incidentCells = (incident: IncidentView): string[] => [
  incident.origin,
  incident.pop ?? "everywhere",
  timeOf(incident.beganAtMs),
  seconds(incident.detectedAtMs - incident.beganAtMs),
  incident.toldAtMs === null ? "" : seconds(incident.toldAtMs - incident.beganAtMs),
  incident.recoveredAtMs === null ? colour.red("it lasts") : seconds(incident.recoveredAtMs - incident.beganAtMs),
  incident.byHand ? `by hand: ${incident.reason}` : incident.reason,
];

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)}s`;
