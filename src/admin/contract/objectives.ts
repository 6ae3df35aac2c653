/** Objectives: error budgets, burn rates, and what outages took. */
import * as z from "zod";
import { OBJECTIVE_KINDS } from "../../policy/objectives/types.ts";
import { SEVERITIES } from "../../policy/alerting/types.ts";
import { timeMs } from "./common.ts";

const burnStatus = z
  .object({
    longMs: z.number(),
    shortMs: z.number(),
    factor: z.number().describe("It burns when both windows burn the budget so many times as fast as it may."),
    severity: z.enum(SEVERITIES),
    longBurnRate: z.number(),
    shortBurnRate: z.number(),
    burning: z.boolean(),
    guarded: z.boolean().describe("Too little traffic to say."),
  })
  .readonly();

const objectiveStatus = z
  .object({
    id: z.string(),
    kind: z.enum(OBJECTIVE_KINDS),
    origin: z.string().nullable(),
    route: z.string().nullable(),
    targetRatio: z.number(),
    withinMs: z.number().nullable(),
    windowMs: z.number(),
    total: z.number().describe("Events of its window."),
    bad: z.number(),
    budgetLeftRatio: z.number().describe("1: untouched; below 0: overspent."),
    burn: z.array(burnStatus).readonly(),
    recordedSinceMs: timeMs,
  })
  .readonly();
export type ObjectiveView = z.infer<typeof objectiveStatus>;

const incident = z
  .object({
    origin: z.string(),
    pop: z.string().nullable().describe("Null: everywhere."),
    beganAtMs: timeMs.describe("The first failure that led to it."),
    detectedAtMs: timeMs.describe("The breaker opened."),
    toldAtMs: timeMs.nullable().describe("The first delivery of its alert was tried."),
    recoveredAtMs: timeMs.nullable().describe("The ramp was over; null: it lasts."),
    reason: z.string(),
    byHand: z.boolean().describe("Left out of the means."),
  })
  .readonly();
export type IncidentView = z.infer<typeof incident>;

const meanTimes = z
  .object({
    origin: z.string(),
    incidents: z.number().int(),
    mttdMs: z.number().nullable().describe("From the first failure to the opening."),
    mttrMs: z.number().nullable().describe("From the first failure to the ramp's end."),
  })
  .readonly();

export const objectivesReply = z
  .object({
    objectives: z.array(objectiveStatus).readonly(),
    incidents: z.array(incident).readonly().describe("The newest first."),
    means: z.array(meanTimes).readonly(),
  })
  .readonly();
export type ObjectivesReply = z.infer<typeof objectivesReply>;
