/** Alerts, silences, deliveries. */
import type * as protocol from "../protocol/monitor.ts";
import { signature } from "./access.ts";
import { askMonitor } from "./ask-monitor.ts";
import {
  type AlertView,
  alertsReply,
  deliveryParams,
  type DeliveryView,
  endSilenceReply,
  redeliverReply,
  silenceBody,
  silenceParams,
  silenceView,
} from "./contract/alerts.ts";
import { operation } from "./operation.ts";
import { problem } from "./reply.ts";

const TAG = "Alerts";

const listAlerts = operation(
  {
    id: "listAlerts",
    method: "GET",
    path: "/alerts",
    tag: TAG,
    summary: "List alerts, silences and deliveries",
    result: alertsReply,
  },
  async ({ env }) => {
    const { alerts, silences, deliveries } = await askMonitor(env, "alerts", { v: 1 });
    return { alerts: alerts.map(alertView), silences, deliveries: deliveries.map(deliveryView) };
  },
);

const makeSilence = operation(
  {
    id: "makeSilence",
    method: "POST",
    path: "/silences",
    tag: TAG,
    summary: "Silence alerts for a while",
    description: "They are still listed, and say which silence it is.",
    body: silenceBody,
    example: { match: { origin: "shop" }, forMs: 3_600_000, reason: "the shop is being moved", by: "ann" },
    result: silenceView,
    status: 201,
    refusals: { 409: "There are as many as there may be." },
    once: true,
    keeps: ["id", "match", "untilMs", "reason"],
  },
  async ({ env, actor, body }) => {
    const { match, forMs, reason } = body;
    const by = signature(actor, body.by);
    const made = await askMonitor(env, "silence", { v: 1, match, forMs, reason, by });
    return "kind" in made ? problem(409, "There are as many silences as there may be; end one first") : made;
  },
);

const endSilence = operation(
  {
    id: "endSilence",
    method: "DELETE",
    path: "/silences/{silence}",
    tag: TAG,
    summary: "End a silence",
    params: silenceParams,
    result: endSilenceReply,
    refusals: { 404: "There is no such silence." },
  },
  async ({ env, params }) => {
    const reply = await askMonitor(env, "endSilence", { v: 1, id: params.silence });
    return reply.ended ? reply : problem(404, "There is no such silence");
  },
);

const redeliver = operation(
  {
    id: "redeliver",
    method: "POST",
    path: "/deliveries/{delivery}/retry",
    tag: TAG,
    summary: "Try a dead delivery anew",
    params: deliveryParams,
    result: redeliverReply,
    refusals: { 404: "There is no such delivery, or it is not dead." },
  },
  async ({ env, params }) => {
    const reply = await askMonitor(env, "redeliver", { v: 1, id: params.delivery });
    return reply.found ? reply : problem(404, "There is no such delivery, or it is not dead");
  },
);

export const alertOperations = [listAlerts, makeSilence, endSilence, redeliver];

function alertView({ firedAtMs, resolvedAtMs, quiet, ...alert }: protocol.AlertView): AlertView {
  return { ...alert, firedAtMs: firedAtMs ?? null, resolvedAtMs: resolvedAtMs ?? null, quiet: quiet ?? null };
}

function deliveryView(delivery: protocol.DeliveryView): DeliveryView {
  const { firstAttemptAtMs, nextAttemptAtMs, lastResult } = delivery;
  return {
    ...delivery,
    firstAttemptAtMs: firstAttemptAtMs ?? null,
    nextAttemptAtMs: nextAttemptAtMs ?? null,
    lastResult: lastResult ?? null,
  };
}
