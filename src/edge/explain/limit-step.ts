/** What the limits decided, each with what is left of it here and in the world. */
import type { LimitConfig } from "../../config/model.ts";
import { callCoordinator, withDeadline } from "../../platform/coordinators.ts";
import { MICRO_TOKENS_PER_TOKEN } from "../../policy/limits/types.ts";
import type { PartitionStatus } from "../../protocol/tenant.ts";
import { admitRequest, chargesOnMiss } from "../stages/admit.ts";
import { limitPath, routePath, tenantPath } from "./config-paths.ts";
import { type Decided, passed, refused, type Seen } from "./step.ts";

const STATUS_DEADLINE_MS = 300;

/** `onMiss`: behind the cache. */
export async function explainLimits(seen: Seen, onMiss: boolean): Promise<Decided> {
  const { edge, x } = seen;
  const { route, caller } = x;
  if (route === undefined || caller === undefined) return passed("skipped", "Nobody is to be charged");
  if (onMiss && !chargesOnMiss(route)) return passed("skipped", "It has been charged before the cache");
  const charge = `${routePath(x.tables, route)}.charge`;
  if (!onMiss && chargesOnMiss(route)) {
    return (
      refused(seen, tenantPath(x.tables, caller.tenant)) ??
      passed("checked", "The caller's credential stands; it is charged only if the cache cannot answer", charge)
    );
  }
  const asked = admitRequest(edge, x, route, caller);
  const limits = [...asked.tenantLimits, ...asked.routeLimits];
  const readings = new Map(edge.lessees.describe(asked).map((reading) => [reading.limit, reading]));
  const world = await partitionsOf(seen, caller.coordinatorName);
  const described = limits.map((limit) => {
    const {
      partition,
      remainingTokens = null,
      resetSeconds = null,
      overridden = false,
    } = {
      partition: limit.partition === "principal" ? `${limit.id}|${caller.principal}` : limit.id,
      ...readings.get(limit),
    };
    return {
      name: limit.name,
      source: limitPath(x.tables, caller.tenant, route, limit),
      kind: limit.spec.kind,
      mode: limit.mode,
      failMode: limit.failMode,
      capacityTokens: readings.get(limit)?.quotaTokens ?? limit.quotaTokens,
      windowSeconds: readings.get(limit)?.windowSeconds ?? limit.windowSeconds,
      remainingTokens,
      resetSeconds,
      overridden,
      violated: x.violated.includes(limit),
      retryAfterMs: x.violated.includes(limit) ? (x.retryAfterMs ?? null) : null,
      world: worldOf(world, partition),
    };
  });
  const details = {
    costTokens: asked.costMicro / MICRO_TOKENS_PER_TOKEN,
    decidedBy: x.admission?.decidedBy ?? null,
    failMode: x.failMode ?? null,
    limits: described,
  };
  return { ...verdictOf(seen, limits, tenantPath(x.tables, caller.tenant)), details };
}

function verdictOf(seen: Seen, limits: readonly LimitConfig[], tenantSource: string): Decided {
  const { x } = seen;
  const [first] = x.violated;
  const source =
    first === undefined || x.caller === undefined ? tenantSource : limitPath(x.tables, x.caller.tenant, x.route, first);
  const no = refused(seen, source);
  if (no !== undefined) {
    const names = x.violated.map(({ name }) => `"${name}"`).join(", ");
    return first === undefined ? no : { ...no, decision: "throttled", reason: `${no.reason}: ${names}` };
  }
  if (x.caller?.exempt === true) return passed("admitted", "Exempt: only its concurrency counts", source);
  if (limits.length === 0) return passed("admitted", "No limit applies", source);
  const by = x.failMode === undefined ? "" : `, its coordinator being out of reach (fail mode ${x.failMode})`;
  return passed("admitted", `Every limit has enough left${by}`, source);
}

/** Undefined: the coordinator did not answer. */
async function partitionsOf({ env }: Seen, coordinatorName: string): Promise<readonly PartitionStatus[] | undefined> {
  try {
    const asked = callCoordinator(env, "TENANT", coordinatorName, "status", { v: 1 });
    return (await withDeadline(asked, STATUS_DEADLINE_MS)).partitions;
  } catch {
    // The decision itself has been made without it.
    return undefined;
  }
}

function worldOf(world: readonly PartitionStatus[] | undefined, partition: string): Record<string, unknown> | null {
  const known = world?.find((candidate) => candidate.partition === partition);
  if (known === undefined) return null;
  const { freeTokens, outstandingTokens, activeLessees, overriddenUntilMs = null } = known;
  return { freeTokens, outstandingTokens, activeLessees, overriddenUntilMs };
}
