/** Maintenance: origins and routes out of service for a while, by hand. */
import * as z from "zod";
import { MAX_ALLOWED } from "../../policy/degradation/maintenance.ts";
import { by, DAY_MS, reason, timeMs } from "./common.ts";

export const maintenanceParams = z.strictObject({
  scope: z
    .enum(["origins", "routes"])
    .describe("All routes of an origin, or one route.")
    .meta({ examples: ["origins"] }),
  id: z
    .string()
    .min(1)
    .max(64)
    .describe("Of the origin or the route.")
    .meta({ examples: ["shop"] }),
});

export const maintenanceBody = z.strictObject({
  startInMs: z
    .number()
    .int()
    .min(0)
    .max(90 * DAY_MS)
    .default(0)
    .describe("Its start, in milliseconds from now: up to 90 days. Default now."),
  forMs: z
    .number()
    .int()
    .min(1_000)
    .max(30 * DAY_MS)
    .describe("How long from its start, in milliseconds: 1 s to 30 days."),
  allow: z
    .array(z.string().max(100))
    .max(MAX_ALLOWED)
    .default([])
    .describe("Who passes: addresses, networks (CIDR), key:<key id>."),
  pageOnly: z
    .boolean()
    .default(false)
    .describe("The page at once, also where something stored could answer. Default false."),
  reason: reason.default("maintenance"),
  by,
});
export type MaintenanceBody = z.input<typeof maintenanceBody>;

const target = {
  scope: z.enum(["origin", "route"]),
  id: z.string(),
};

export const maintenanceEnded = z.object(target).readonly();

export const maintenanceView = z
  .object({
    ...target,
    origin: z.string().describe("Whose coordinator keeps it."),
    state: z.enum(["in-force", "to-come"]),
    startsAtMs: timeMs,
    endsAtMs: timeMs,
    allow: z.array(z.string()).readonly().describe("In canonical text."),
    pageOnly: z.boolean(),
    reason: z.string(),
    by: z.string(),
    setAtMs: timeMs,
  })
  .readonly();
export type MaintenanceView = z.infer<typeof maintenanceView>;

export const maintenanceList = z
  .object({
    maintenance: z.array(maintenanceView).readonly().describe("In force, and to come."),
    unreachable: z.array(z.string()).readonly().describe("Origins whose coordinators did not answer."),
  })
  .readonly();
export type MaintenanceList = z.infer<typeof maintenanceList>;
