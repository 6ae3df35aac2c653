/** The schema of what watches: objectives, alerts, logs. */
import * as z from "zod";
import { ALERT_KINDS, SEVERITIES } from "../policy/alerting/types.ts";
import { OBJECTIVE_KINDS } from "../policy/objectives/types.ts";
import { LATENCY_BOUNDS_TEXT } from "./latency-bounds.ts";
import { count, duration, name, strict } from "./schema-parts.ts";

const ratio = z.number().min(0).max(1);
export const objective = strict({
  origin: name.describe("Of all routes of this origin.").optional(),
  route: name.describe("Of this route.").optional(),
  kind: z
    .enum(OBJECTIVE_KINDS)
    .describe(
      "What counts as good: good (from the origin, or fresh), good-or-degraded (stale, snapshot, failover and deferred, too), latency (of the good ones, those within `within`). Default good.",
    )
    .optional(),
  target: z.number().min(0.5).max(0.99999).describe("Share that must be good."),
  within: z
    .enum(LATENCY_BOUNDS_TEXT)
    .describe("latency only: the time that counts as good; one of the histogram's bounds.")
    .optional(),
  window: z.enum(["7d", "28d", "30d"]).describe("What the error budget is for. Default 30d.").optional(),
});

const secretName = z
  .string()
  .regex(/^WEIR_[A-Z0-9_]{1,56}$/, "must be the name of a Worker secret: WEIR_ and A-Z 0-9 _")
  .describe("Name of the Worker's secret, set with `wrangler secret put`.");
const receiver = z.discriminatedUnion("type", [
  strict({
    type: z.literal("webhook"),
    url: z.string().max(2_048).describe("https URL that takes signed JSON (Standard Webhooks); http on this machine."),
    signingSecret: secretName,
    severity: z.enum(SEVERITIES).describe("Least severity it gets. Default ticket.").optional(),
    kinds: z.array(z.enum(ALERT_KINDS)).min(1).describe("What it gets. Default: everything.").optional(),
  }),
  strict({
    type: z.literal("slack"),
    urlSecret: secretName,
    severity: z.enum(SEVERITIES).describe("Least severity it gets. Default ticket.").optional(),
    kinds: z.array(z.enum(ALERT_KINDS)).min(1).describe("What it gets. Default: everything.").optional(),
  }),
  strict({
    type: z.literal("pagerduty"),
    routingKeySecret: secretName,
    url: z
      .string()
      .max(2_048)
      .describe("Of the events API. Default https://events.pagerduty.com/v2/enqueue.")
      .optional(),
    severity: z.enum(SEVERITIES).describe("Least severity it gets. Default page.").optional(),
    kinds: z.array(z.enum(ALERT_KINDS)).min(1).describe("What it gets. Default: everything.").optional(),
  }),
]);

export const alerts = strict({
  receivers: z.record(name, receiver).describe("Who is told, by name.").optional(),
  repeat: duration.describe("What still fires is told again after so long. Default 4h.").optional(),
  groupWait: duration.describe("What comes within this time is told together. Default 1s; at most 5m.").optional(),
  watchdog: duration
    .describe("An alert that always fires is told so often, to receivers that name the kind watchdog. Default 5m.")
    .optional(),
  throttleSpike: strict({
    share: ratio.describe("Share of a tenant's requests that is throttled. Default 0.5.").optional(),
    for: duration.describe("For so long. Default 2m.").optional(),
    least: count(1_000_000).describe("And so many requests at least. Default 100.").optional(),
  }).optional(),
});

export const logs = strict({
  sample: ratio
    .describe("Share of requests of which a line is logged; refusals by policy are always. Default 0.01.")
    .optional(),
  refusalsPerSecond: z
    .number()
    .int()
    .min(0)
    .max(1_000)
    .describe("Lines about refusals, each second in each isolate; more are counted only. Default 20.")
    .optional(),
});

export type ObjectiveFile = z.infer<typeof objective>;
export type ReceiverFile = z.infer<typeof receiver>;
