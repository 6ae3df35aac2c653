/** What an isolate sends that has counted so many requests of one route. */
import { Counters } from "../../src/edge/counters.ts";
import type { MetricsFlush } from "../../src/protocol/metrics.ts";

export function flushOfRequests(requests: number, tenants = 0, edgeId = "edge-1"): MetricsFlush {
  const counters = new Counters(edgeId);
  for (let index = 0; index < requests; index++) counters.countRequest("all", "app", "origin", index);
  for (let index = 0; index < tenants; index++) counters.countTenant(`tenant-${index}`, true, 1_000_000, index);
  counters.closeBatch(1_000);
  const flush = counters.unsent(1);
  if (flush === undefined) throw new Error("nothing was counted");
  return flush;
}
