/** What the cache found, under which key, and what stands against storing the answer. */
import { ageMs } from "../../policy/cache/freshness.ts";
import { ttlSeconds } from "../cache/answering.ts";
import { isPersonal } from "../cache/receiving.ts";
import type { CacheContext, Exchange } from "../exchange.ts";
import { routePath } from "./config-paths.ts";
import { type Decided, passed, refused, type Seen } from "./step.ts";

export function explainCache(seen: Seen): Decided {
  const { edge, x } = seen;
  const { route, cache, url, caller } = x;
  if (route === undefined) return passed("skipped", "Nothing is routed");
  if (cache === undefined || url === undefined || caller === undefined)
    return passed("none", "The route has no cache", routePath(x.tables, route));
  const scope = cache.policy.scope;
  const details = {
    key: {
      origin: route.origin.stateId,
      tenant: scope === "tenant" ? caller.tenant.id : null,
      site: url.site,
      path: url.path,
      query: url.query,
    },
    scope,
    stored: storedOf(cache, edge.now()),
    status: x.cacheStatus ?? null,
    underWay: edge.flights.isUnderWay(cache.key),
    notStored: againstStoring(seen, cache),
  };
  const source = `${routePath(x.tables, route)}.cache`;
  const no = refused(seen, source);
  if (no !== undefined) return { ...no, details };
  return { ...verdictOf(seen, x, cache), source, details };
}

function verdictOf(seen: Seen, x: Exchange, cache: CacheContext): Pick<Decided, "decision" | "reason"> {
  if (seen.answered) {
    return x.served === "cache"
      ? { decision: "hit", reason: "What is stored is fresh" }
      : { decision: "stale", reason: "What is stored is stale, and refreshed behind the answer" };
  }
  if (!cache.cacheable) return { decision: "bypass", reason: "This request can only be answered by the origin" };
  return cache.entry === undefined
    ? { decision: "miss", reason: "Nothing is stored that answers this request" }
    : { decision: "revalidate", reason: "What is stored may not answer before the origin has been asked" };
}

function storedOf({ entry, key }: CacheContext, nowMs: number): Record<string, unknown> | null {
  if (entry === undefined || key === "") return null;
  const { status, bytes, vary, freshness } = entry;
  const { staleWhileRevalidateMs, staleIfErrorMs, neverStale, noCache } = freshness;
  return {
    status,
    bytes,
    vary,
    ageSeconds: Math.floor(ageMs(freshness, nowMs) / 1_000),
    ttlSeconds: ttlSeconds(entry, nowMs),
    staleWhileRevalidateMs,
    staleIfErrorMs,
    neverStale,
    noCache,
  };
}

/** As far as the request and the last answer say: the next one's own headers may say more. */
function againstStoring({ edge, x }: Seen, { asked, cacheable, key, policy }: CacheContext): readonly string[] {
  const reasons: string[] = [];
  if (x.method !== "GET") reasons.push(`the method is ${x.method}`);
  if (!cacheable && x.method === "GET") reasons.push("the request passes the cache by");
  if (asked?.noStore === true) reasons.push("the request says no-store");
  if (policy.scope === "shared" && isPersonal(x))
    reasons.push("the request carries credentials to the origin, so only what is marked public is shared");
  if (edge.flights.isApart(key)) reasons.push("what the origin last answered was not for others");
  return reasons;
}
