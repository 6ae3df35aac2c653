/**
 * What was counted goes to this isolate's Metrics object, behind an answer. Where that is out of reach, it stays here and
 * goes with the next flush; the Monitor object and Analytics Engine are told on the way, and nothing waits for them.
 */
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { metricsObjectName, metricsShardOf } from "../protocol/metrics.ts";
import { MONITOR_OBJECT } from "../protocol/monitor.ts";
import { series } from "../protocol/series.ts";
import type { Edge } from "./edge.ts";
import type { Exchange } from "./exchange.ts";

const DEADLINE_MS = 5_000;
/** The second where the object was evicted, and asks for what it had received and not stored. */
const ROUNDS = 2;

export async function flush(edge: Edge, x: Exchange): Promise<void> {
  const { counters, tail } = edge;
  try {
    await new Promise((resolve) => setTimeout(resolve, counters.flushAfterMs));
    const batch = counters.closeBatch(edge.now());
    if (batch !== undefined) edge.analytics.note(x.env.ANALYTICS, batch, edge.now());
    // What a flush that fails had for those who watch is gone: they are shown fewer.
    const parts = tail.take();
    for (let round = 0; round < ROUNDS; round++) {
      const unsent = counters.unsent(edge.tables.configVersion);
      if (unsent === undefined) break;
      const told = round > 0 || parts === undefined ? unsent : { ...unsent, tail: parts };
      const call = callCoordinator(x.env, "METRICS", metricsObjectName(metricsShardOf(edge.id)), "flush", told);
      const reply = await withDeadline(call, DEADLINE_MS);
      counters.confirm(reply);
      tail.follow(reply.tail, edge.now());
      if (reply.wantsSettings) x.waitUntil(tellMonitor(edge, x));
    }
  } catch {
    // Kept, and sent again with the same numbers by the next flush.
    counters.countEvent(series("weir_metrics_flush_failures_total"));
  } finally {
    counters.endFlush();
  }
}

/** It has no config of its own: an isolate has, and is asked when that is newer. */
async function tellMonitor(edge: Edge, x: Exchange): Promise<void> {
  const { config, origins, routes } = edge.tables;
  const settings = {
    configVersion: config.configVersion,
    origins: origins.map(({ id }) => id),
    routes: routes.map(({ id, origin }) => ({ id, origin: origin.id })),
    objectives: config.objectives,
    alerts: config.alerts,
  };
  try {
    const call = callCoordinator(x.env, "MONITOR", MONITOR_OBJECT, "configure", { v: 1, settings });
    await withDeadline(call, DEADLINE_MS);
  } catch {
    // Another isolate is asked in a few seconds.
    edge.counters.countEvent(series("weir_monitor_settings_failures_total"));
  }
}
