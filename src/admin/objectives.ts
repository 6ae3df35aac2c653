/** Objectives: error budgets, burn rates, and what outages took. */
import type { Incident, ObjectiveStatus } from "../protocol/monitor.ts";
import { askMonitor } from "./ask-monitor.ts";
import { type IncidentView, type ObjectivesReply, objectivesReply, type ObjectiveView } from "./contract/objectives.ts";
import { operation } from "./operation.ts";

const readObjectives = operation(
  {
    id: "readObjectives",
    method: "GET",
    path: "/objectives",
    tag: "Monitoring",
    summary: "Read error budgets, burn rates and incidents",
    result: objectivesReply,
  },
  async ({ env }) => {
    const { objectives, incidents } = await askMonitor(env, "objectives", { v: 1 });
    return { objectives: objectives.map(viewOf), incidents: incidents.map(incidentView), means: meansOf(incidents) };
  },
);

export const objectiveOperations = [readObjectives];

function viewOf({ objective, ...status }: ObjectiveStatus): ObjectiveView {
  const { id, kind, origin = null, route = null, targetRatio, withinMs = null, windowMs } = objective;
  return { id, kind, origin, route, targetRatio, withinMs, windowMs, ...status };
}

function incidentView({ originId, pop, toldAtMs, recoveredAtMs, ...incident }: Incident): IncidentView {
  return {
    ...incident,
    origin: originId,
    pop: pop ?? null,
    toldAtMs: toldAtMs ?? null,
    recoveredAtMs: recoveredAtMs ?? null,
  };
}

/** By origin; what was done by hand is no outage. What lasts counts for the time until it was detected. */
function meansOf(incidents: readonly Incident[]): ObjectivesReply["means"] {
  const byOrigin = Map.groupBy(
    incidents.filter(({ byHand }) => !byHand),
    ({ originId }) => originId,
  );
  return [...byOrigin].map(([origin, own]) => ({
    origin,
    incidents: own.length,
    mttdMs: mean(own.map(({ beganAtMs, detectedAtMs }) => detectedAtMs - beganAtMs)),
    mttrMs: mean(own.flatMap(({ beganAtMs, recoveredAtMs: at }) => (at === undefined ? [] : [at - beganAtMs]))),
  }));
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
