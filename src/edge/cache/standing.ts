/** What is stored, as far as purges left it standing. */
import type { CompiledRoute } from "../../config/tables.ts";
import type { Edge } from "../edge.ts";
import type { CacheContext, Exchange } from "../exchange.ts";
import type { PurgeSite } from "../purges.ts";
import type { StoredResponse } from "./response-store.ts";
import { series } from "../../protocol/series.ts";

/** The entry, stale where a soft purge has hit it; undefined where a hard one has. Nothing to do while none is new. */
export function standing(
  edge: Edge,
  x: Pick<Exchange, "waitUntil">,
  { key, purges }: CacheContext,
  entry: StoredResponse | undefined,
): StoredResponse | undefined {
  if (entry === undefined || entry.purgeEpoch >= purges.epoch) return entry;
  const mode = purges.apply(key, entry);
  if (mode === undefined) return entry;
  edge.counters.countEvent(series("weir_purged_responses_total", { mode }));
  if (mode === "soft") return entry;
  x.waitUntil(edge.responses.forget(key));
  return undefined;
}

/** What this request found stored, if it still stands: purges may have come since. */
export function stillStanding(
  edge: Edge,
  x: Pick<Exchange, "waitUntil">,
  context: CacheContext,
): StoredResponse | undefined {
  context.entry = standing(edge, x, context, context.entry);
  return context.entry;
}

/** The origin's coordinator is out of reach: what is stored is served, whatever was purged meanwhile. */
export function countUnpurged(edge: Edge, { origin }: CompiledRoute): void {
  edge.counters.countEvent(series("weir_served_without_purges_total", { origin: origin.id }));
}

export const purgeSite = ({ env, waitUntil, pop }: Exchange, { origin }: CompiledRoute): PurgeSite => ({
  env,
  waitUntil,
  pop,
  originId: origin.stateId,
});
