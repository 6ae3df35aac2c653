/** Alerts, silences, deliveries. */
import * as z from "zod";
import { ALERT_KINDS, SEVERITIES } from "../../policy/alerting/types.ts";
import { by, DAY_MS, reason, timeMs } from "./common.ts";

const labels = z.record(z.string(), z.string()).readonly();

const alertView = z
  .object({
    fingerprint: z.string(),
    kind: z.enum(ALERT_KINDS),
    severity: z.enum(SEVERITIES),
    state: z.enum(["pending", "firing", "resolved"]),
    labels,
    summary: z.string(),
    sinceMs: timeMs,
    firedAtMs: timeMs.nullable(),
    resolvedAtMs: timeMs.nullable(),
    quiet: z
      .object({ by: z.enum(["silence", "inhibition"]), id: z.string() })
      .readonly()
      .nullable()
      .describe("Why it is not told."),
  })
  .readonly();
export type AlertView = z.infer<typeof alertView>;

export const silenceView = z
  .object({
    id: z.string(),
    match: labels.describe("All must be equal; `kind` and `severity` count as labels."),
    untilMs: timeMs,
    reason: z.string(),
    by: z.string(),
  })
  .readonly();
export type SilenceView = z.infer<typeof silenceView>;

const deliveryView = z
  .object({
    id: z.string().describe("`webhook-id` at the receiver: the same for every try."),
    receiver: z.string(),
    state: z.enum(["waiting", "delivered", "dead"]),
    attempts: z.number().int(),
    createdAtMs: timeMs,
    firstAttemptAtMs: timeMs.nullable(),
    nextAttemptAtMs: timeMs.nullable(),
    lastResult: z.string().nullable(),
    alerts: z.array(z.string()).readonly().describe("Fingerprints."),
  })
  .readonly();
export type DeliveryView = z.infer<typeof deliveryView>;

export const alertsReply = z
  .object({
    alerts: z.array(alertView).readonly(),
    silences: z.array(silenceView).readonly(),
    deliveries: z.array(deliveryView).readonly().describe("Those that wait, the dead, and the newest delivered."),
  })
  .readonly();
export type AlertsReply = z.infer<typeof alertsReply>;

export const silenceBody = z.strictObject({
  match: z.record(z.string().max(32), z.string().max(128)).refine((value) => Object.keys(value).length > 0, {
    error: "must name one label at least: nothing silences everything",
  }),
  forMs: z
    .number()
    .int()
    .min(1_000)
    .max(30 * DAY_MS)
    .default(7_200_000)
    .describe("How long, in milliseconds: 1 s to 30 days. Default 2 hours."),
  reason,
  by,
});
export type SilenceBody = z.input<typeof silenceBody>;

export const silenceParams = z.strictObject({ silence: z.string().min(1).max(64) });
export const endSilenceReply = z.object({ ended: z.boolean() }).readonly();
export const deliveryParams = z.strictObject({ delivery: z.string().min(1).max(64) });
export const redeliverReply = z.object({ found: z.boolean() }).readonly();
