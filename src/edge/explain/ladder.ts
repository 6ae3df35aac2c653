/** What would answer if the origin could not, rung by rung, and what each of them has. */
import { ageMs, mayServeOnError } from "../../policy/cache/freshness.ts";
import type { Rung } from "../../policy/degradation/ladder.ts";
import { snapshotSite } from "../cache/receiving.ts";
import type { Edge } from "../edge.ts";
import type { Exchange } from "../exchange.ts";
import { rungsOf } from "../stages/degrade.ts";
import { DEFAULT, routePath } from "./config-paths.ts";

export interface RungStep {
  readonly rung: Rung;
  /** It would answer, as far as can be known. */
  readonly answers: boolean;
  readonly does: string;
  readonly source: string;
}

export async function ladderOf(edge: Edge, x: Exchange): Promise<readonly RungStep[]> {
  const { route, caller } = x;
  if (route === undefined || caller === undefined) return [];
  const path = routePath(x.tables, route);
  const steps: RungStep[] = [];
  for (const rung of rungsOf(edge, x, route, {
    isMaintenance: x.failure?.reason === "maintenance",
    hasOriginAnswer: true,
  })) {
    steps.push({ rung, source: sourceOf(rung, path, route.origin.id), ...(await reachOf(edge, x, rung)) });
  }
  return steps;
}

function sourceOf(rung: Rung, route: string, originId: string): string {
  switch (rung) {
    case "stale":
      return `${route}.cache`;
    case "snapshot":
      return `${route}.cache.snapshot`;
    case "failover":
      return `origins.${originId}.failover`;
    case "page":
      return `${route}.degraded`;
    case "origin-answer":
    case "plain":
      return DEFAULT;
  }
}

async function reachOf(edge: Edge, x: Exchange, rung: Rung): Promise<Pick<RungStep, "answers" | "does">> {
  const { route, caller, cache } = x;
  if (route === undefined || caller === undefined) return { answers: false, does: "" };
  const nowMs = edge.now();
  switch (rung) {
    case "stale": {
      const entry = cache?.entry;
      const answers = entry !== undefined && mayServeOnError(entry.freshness, nowMs);
      const age = entry === undefined ? 0 : Math.floor(ageMs(entry.freshness, nowMs) / 1_000);
      return { answers, does: `answers with what is stored, ${age} s old` };
    }
    case "snapshot": {
      const entry = cache === undefined ? undefined : await edge.snapshots.find(snapshotSite(edge, x, cache, route));
      return entry === undefined
        ? { answers: false, does: "has no snapshot of this URL" }
        : {
            answers: true,
            does: `answers with the snapshot, ${Math.floor(ageMs(entry.freshness, nowMs) / 1_000)} s old`,
          };
    }
    case "failover": {
      const { failover } = route;
      if (failover === undefined) return { answers: false, does: "" };
      const shut = edge.origins.isShut(failover.stateId);
      return { answers: !shut, does: shut ? `its breaker is open: "${failover.id}"` : `calls "${failover.id}"` };
    }
    case "page":
      return { answers: true, does: `answers ${route.config.degraded?.status ?? 503} with the route's page` };
    case "origin-answer":
      return { answers: false, does: "passes on the origin's own 5xx, if it answered" };
    case "plain":
      return { answers: true, does: "answers 503" };
  }
}
