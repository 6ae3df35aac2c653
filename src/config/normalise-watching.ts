/** Objectives, alerts and logs of a checked config file → the normalised model. */
import type { AlertSettings, Receiver } from "../policy/alerting/types.ts";
import type { Objective } from "../policy/objectives/types.ts";
import { LATENCY_BOUNDS_SECONDS } from "../policy/kernel/histogram.ts";
import { LATENCY_BOUNDS_TEXT } from "./latency-bounds.ts";
import type { LogSettings } from "./model.ts";
import type { ConfigFile } from "./schema.ts";
import type { ObjectiveFile, ReceiverFile } from "./schema-watching.ts";
import { durationMs } from "./units.ts";

const DAY_MS = 86_400_000;
const PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue";

/** A config that was stored before these were, or that says nothing of them, gets their defaults (`file` is `{}`). */
export function normaliseWatching(file: Pick<ConfigFile, "objectives" | "alerts" | "logs">): {
  readonly objectives: readonly Objective[];
  readonly alerts: AlertSettings;
  readonly logs: LogSettings;
} {
  const { objectives = {}, alerts = {}, logs = {} } = file;
  const spike = alerts.throttleSpike ?? {};
  return {
    objectives: Object.entries(objectives).map(([id, objective]) => normaliseObjective(id, objective)),
    alerts: {
      receivers: Object.entries(alerts.receivers ?? {}).map(([id, receiver]) => normaliseReceiver(id, receiver)),
      repeatMs: durationMs(alerts.repeat ?? "4h"),
      groupWaitMs: durationMs(alerts.groupWait ?? "1s"),
      spikeRatio: spike.share ?? 0.5,
      spikeForMs: durationMs(spike.for ?? "2m"),
      spikeLeast: spike.least ?? 100,
      watchdogMs: durationMs(alerts.watchdog ?? "5m"),
    },
    logs: { sampleRatio: logs.sample ?? 0.01, refusalsPerSecond: logs.refusalsPerSecond ?? 20 },
  };
}

function normaliseObjective(
  id: string,
  { kind = "good", origin, route, target, within, window }: ObjectiveFile,
): Objective {
  const withinSeconds = within === undefined ? undefined : LATENCY_BOUNDS_SECONDS[LATENCY_BOUNDS_TEXT.indexOf(within)];
  return {
    id,
    kind,
    ...(origin === undefined ? {} : { origin }),
    ...(route === undefined ? {} : { route }),
    targetRatio: target,
    ...(withinSeconds === undefined ? {} : { withinMs: withinSeconds * 1_000 }),
    windowMs: Number.parseInt(window ?? "30d", 10) * DAY_MS,
  };
}

function normaliseReceiver(id: string, receiver: ReceiverFile): Receiver {
  const shared = { id, kind: receiver.type, ...(receiver.kinds === undefined ? {} : { kinds: receiver.kinds }) };
  switch (receiver.type) {
    case "webhook":
      return {
        ...shared,
        url: receiver.url,
        secretName: receiver.signingSecret,
        severity: receiver.severity ?? "ticket",
      };
    case "slack":
      return { ...shared, secretName: receiver.urlSecret, severity: receiver.severity ?? "ticket" };
    case "pagerduty":
      return {
        ...shared,
        url: receiver.url ?? PAGERDUTY_URL,
        secretName: receiver.routingKeySecret,
        severity: receiver.severity ?? "page",
      };
  }
}
