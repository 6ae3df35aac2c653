/** What depends on more than one place of the config file. Every problem is returned; none stops the search. */
import { canonicalUrl } from "../http/canonical-url.ts";
import { BREAKER_DEFAULTS } from "../policy/breaker/types.ts";
import type { LadderRung } from "../policy/degradation/ladder.ts";
import { parseAccessEntry } from "./access-entry.ts";
import { checkIdentity, identitySense } from "./identity-checks.ts";
import type { AccessFile, ConfigFile, LimitFile, TenantFile } from "./schema.ts";
import { BOUNDS } from "./schema-parts.ts";
import { suggest } from "./suggest.ts";
import { CONCURRENCY } from "./compile.ts";
import { durationMs, isExact, parseRate } from "./units.ts";
import { checkOriginUrl } from "./url-check.ts";
import { checkWatching } from "./watching-checks.ts";

export type Path = readonly (string | number)[];

export interface Finding {
  readonly path: Path;
  readonly message: string;
}

export function checkConfig(file: ConfigFile): Finding[] {
  const findings: Finding[] = [];
  const found = (path: Path, message: string): void => {
    findings.push({ path, message });
  };
  checkCounts(file, found);
  checkReferences(file, found);
  checkFailoverCycles(file, found);
  checkIdentity(file, found);
  for (const [id, origin] of Object.entries(file.origins)) checkOriginUrl(["origins", id, "url"], origin.url, found);
  for (const { path, limit } of allLimits(file)) {
    if (path[0] === "routes") checkLimit(path, limit, found);
    else checkNamedLimit(path, limit, found);
  }
  checkAccess(["access"], file.access, found);
  for (const [id, plan] of Object.entries(file.plans)) checkAccess(["plans", id, "access"], plan.access, found);
  for (const [id, tenant] of Object.entries(file.tenants ?? {})) {
    checkAccess(["tenants", id, "access"], tenant.access, found);
  }
  checkDurations(file, found);
  checkRoutePaths(file, found);
  checkRouteIds(file, found);
  checkLadders(file, found);
  checkWatching(file, found);
  return findings;
}

/** What is valid, but surely not meant. */
export function checkSense(file: ConfigFile): Finding[] {
  const findings: Finding[] = [];
  const found = (path: Path, message: string): void => {
    findings.push({ path, message });
  };
  checkCosts(file, found);
  identitySense(file, found);
  checkRungs(file, found);
  return findings;
}

/** One tenant by itself, as if it stood in the file. `path`: where it stands. */
export function checkTenant(tenant: TenantFile, plans: readonly string[], path: Path): Finding[] {
  const findings: Finding[] = [];
  const found = (at: Path, message: string): void => {
    findings.push({ path: at, message });
  };
  if (!plans.includes(tenant.plan)) {
    found([...path, "plan"], `unknown plan "${tenant.plan}"${suggest(tenant.plan, plans)}`);
  }
  const limits = Object.entries(tenant.limits ?? {});
  if (limits.length > BOUNDS.limitsPerScope) {
    found([...path, "limits"], `has ${limits.length} entries; at most ${BOUNDS.limitsPerScope} are allowed`);
  }
  for (const [name, limit] of limits) checkNamedLimit([...path, "limits", name], limit, found);
  checkAccess([...path, "access"], tenant.access, found);
  return findings;
}

export type Found = (path: Path, message: string) => void;

function checkCounts(file: ConfigFile, found: Found): void {
  const atMost = (path: Path, count: number, max: number): void => {
    if (count > max) found(path, `has ${count} entries; at most ${max} are allowed`);
  };
  atMost(["tenants"], Object.keys(file.tenants ?? {}).length, BOUNDS.tenants);
  atMost(["plans"], Object.keys(file.plans).length, BOUNDS.plans);
  atMost(["origins"], Object.keys(file.origins).length, BOUNDS.origins);
  for (const [id, plan] of Object.entries(file.plans)) {
    atMost(["plans", id, "limits"], Object.keys(plan.limits ?? {}).length, BOUNDS.limitsPerScope);
  }
  for (const [id, tenant] of Object.entries(file.tenants ?? {})) {
    atMost(["tenants", id, "limits"], Object.keys(tenant.limits ?? {}).length, BOUNDS.limitsPerScope);
  }
  for (const [index, route] of file.routes.entries()) {
    atMost(["routes", index, "limits"], Object.keys(route.limits ?? {}).length, BOUNDS.limitsPerScope);
  }
}

function checkAccess(path: Path, access: AccessFile | undefined, found: Found): void {
  for (const [name, list] of Object.entries(access ?? {})) {
    if (list === undefined) continue;
    if (list.length > BOUNDS.accessEntries) {
      found([...path, name], `has ${list.length} entries; at most ${BOUNDS.accessEntries} are allowed`);
      continue;
    }
    if (name === "allow" && list.length === 0) {
      found([...path, name], "is empty, which would refuse everybody; name who may call, or leave it out");
    }
    const earlier = new Map<string, number>();
    for (const [index, text] of list.entries()) {
      const entry = parseAccessEntry(text);
      if (entry.kind === "bad") {
        found([...path, name, index], entry.message);
        continue;
      }
      const same = earlier.get(entry.text);
      if (same === undefined) earlier.set(entry.text, index);
      else found([...path, name, index], `is the same as ${[...path, name, same].join(".")}`);
    }
  }
}

function checkReferences(file: ConfigFile, found: Found): void {
  const refer = (path: Path, kind: string, value: string, known: Readonly<Record<string, unknown>>): void => {
    if (!Object.hasOwn(known, value)) found(path, `unknown ${kind} "${value}"${suggest(value, Object.keys(known))}`);
  };
  for (const [id, tenant] of Object.entries(file.tenants ?? {})) {
    refer(["tenants", id, "plan"], "plan", tenant.plan, file.plans);
  }
  for (const [index, route] of file.routes.entries()) {
    refer(["routes", index, "origin"], "origin", route.origin, file.origins);
  }
  for (const [id, origin] of Object.entries(file.origins)) {
    if (origin.failover !== undefined) refer(["origins", id, "failover"], "origin", origin.failover, file.origins);
  }
}

function checkFailoverCycles(file: ConfigFile, found: Found): void {
  for (const id of Object.keys(file.origins)) {
    const seen = [id];
    for (let next = file.origins[id]?.failover; next !== undefined; next = file.origins[next]?.failover) {
      if (next === id) {
        found(["origins", id, "failover"], `goes round in a circle: ${[...seen, id].join(" -> ")}`);
        break;
      }
      if (seen.includes(next)) break;
      seen.push(next);
    }
  }
}

function checkDurations(file: ConfigFile, found: Found): void {
  const within = (path: Path, text: string | undefined, leastMs: number, mostMs: number): void => {
    const ms = text === undefined ? undefined : durationMs(text);
    if (ms === undefined || (ms >= leastMs && ms <= mostMs)) return;
    found(path, `must be between ${leastMs}ms and ${mostMs}ms`);
  };
  for (const [id, origin] of Object.entries(file.origins)) {
    const at = (...rest: string[]): Path => ["origins", id, ...rest];
    within(at("deadline"), origin.deadline, 1, BOUNDS.deadlineMs);
    within(at("tryTimeout"), origin.tryTimeout, 1, BOUNDS.deadlineMs);
    const { breaker } = origin;
    within(at("breaker", "earlyAge"), breaker?.earlyAge, 1, BOUNDS.deadlineMs);
    within(at("breaker", "backoff"), breaker?.backoff, 1, BOUNDS.backoffMs);
    within(at("breaker", "maxBackoff"), breaker?.maxBackoff, 1, BOUNDS.backoffMs);
    within(at("breaker", "flapWindow"), breaker?.flapWindow, 0, BOUNDS.longestMs);
    within(at("breaker", "flapMaxBackoff"), breaker?.flapMaxBackoff, 1, BOUNDS.backoffMs);
    within(at("breaker", "ramp"), breaker?.ramp, 1, BOUNDS.backoffMs);
    const { brownOutRatio = BREAKER_DEFAULTS.brownOutRatio, outageRatio = BREAKER_DEFAULTS.outageRatio } =
      breaker ?? {};
    const { concurrency } = origin;
    if (typeof concurrency === "object" && concurrency.min > concurrency.max) {
      found(at("concurrency", "min"), `must not be above max (${concurrency.max})`);
    }
    if (brownOutRatio >= outageRatio) {
      const place = breaker?.outageRatio === undefined ? "brownOutRatio" : "outageRatio";
      found(at("breaker", place), `brownOutRatio (${brownOutRatio}) must be below outageRatio (${outageRatio})`);
    }
    const [first, longest] = [durationMs(breaker?.backoff ?? "1s"), durationMs(breaker?.maxBackoff ?? "5s")];
    if (first > longest) found(at("breaker", "backoff"), `must not be longer than maxBackoff (${longest}ms)`);
  }
  for (const [index, route] of file.routes.entries()) {
    within(["routes", index, "deadline"], route.deadline, 1, BOUNDS.deadlineMs);
    within(["routes", index, "degraded", "retryAfter"], route.degraded?.retryAfter, 0, BOUNDS.longestMs);
    const { ttl, negativeTtl, staleWhileRevalidate, staleIfError, snapshot } = route.cache ?? {};
    for (const [key, text] of Object.entries({ ttl, negativeTtl, staleWhileRevalidate, staleIfError, snapshot })) {
      within(["routes", index, "cache", key], text, 0, BOUNDS.longestMs);
    }
  }
  for (const { path, limit } of allLimits(file)) within([...path, "deadline"], limit.deadline, 1, BOUNDS.deadlineMs);
}

/** Requests arrive in canonical form: a pattern in another form would never match. */
function checkRoutePaths(file: ConfigFile, found: Found): void {
  for (const [index, { match }] of file.routes.entries()) {
    const open = match.path.endsWith("/*");
    const literal = open ? match.path.slice(0, -1) : match.path;
    const canonical = canonicalUrl(`http://host${literal}`);
    const path = ["routes", index, "match", "path"];
    if (!canonical.ok) found(path, "is no valid path");
    else if (canonical.url.path !== literal || canonical.url.query !== "") {
      found(
        path,
        `would never match: requests arrive in canonical form; write "${canonical.url.path}${open ? "*" : ""}"`,
      );
    }
  }
}

/** Of a plan or a tenant. */
function checkNamedLimit(path: Path, limit: LimitFile, found: Found): void {
  checkLimit(path, limit, found);
  if (path.at(-1) === CONCURRENCY) {
    found(path, 'is reserved for the cap on concurrent requests; give it another name, or use the key "concurrency"');
  }
}

function checkLimit(path: Path, limit: LimitFile, found: Found): void {
  if (limit.rate !== undefined) {
    const rate = parseRate(limit.rate);
    if (rate === undefined) found([...path, "rate"], "must be above zero");
    else if (!isExact(rate, limit.burst ?? 1)) {
      found([...path, "burst"], "is too large for a rate of this precision: use fewer decimals or a smaller burst");
    }
  }
  if (limit.timeZone !== undefined) {
    try {
      Intl.DateTimeFormat("en", { timeZone: limit.timeZone });
    } catch {
      found([...path, "timeZone"], `unknown time zone "${limit.timeZone}"; valid is for example "Europe/Berlin"`);
    }
  }
}

function* allLimits(file: ConfigFile): Generator<{ readonly path: Path; readonly limit: LimitFile }> {
  const of = function* (path: Path, limits: Readonly<Record<string, LimitFile>> | undefined) {
    for (const [id, limit] of Object.entries(limits ?? {})) yield { path: [...path, "limits", id], limit };
  };
  for (const [id, plan] of Object.entries(file.plans)) yield* of(["plans", id], plan.limits);
  for (const [id, tenant] of Object.entries(file.tenants ?? {})) yield* of(["tenants", id], tenant.limits);
  for (const [index, route] of file.routes.entries()) yield* of(["routes", index], route.limits);
}

/** A cost that a bucket can never hold refuses every request of its tenants on that route. */
function checkCosts(file: ConfigFile, found: Found): void {
  for (const [index, route] of file.routes.entries()) {
    const cost = route.cost ?? 1;
    for (const { path, limit } of allLimits(file)) {
      if (path[0] === "routes" && path[1] !== index) continue;
      if ((limit.mode ?? "enforce") !== "enforce") continue;
      const capacity = capacityTokens(limit);
      if (capacity !== undefined && cost > capacity) {
        const always = "so it refuses every request on this route";
        found(
          ["routes", index, "cost"],
          `${cost} is more than ${path.join(".")} can ever hold (${capacity}), ${always}`,
        );
      }
    }
  }
}

function checkLadders(file: ConfigFile, found: Found): void {
  for (const [index, { degraded }] of file.routes.entries()) {
    for (const [at, rung] of (degraded?.ladder ?? []).entries()) {
      if (degraded?.ladder?.indexOf(rung) !== at) found(["routes", index, "degraded", "ladder", at], "comes twice");
    }
  }
}

/** Rungs of a ladder that never answer. */
function checkRungs(file: ConfigFile, found: Found): void {
  for (const [index, { degraded, cache, origin }] of file.routes.entries()) {
    const rungs = degraded?.ladder ?? [];
    const missing: Readonly<Partial<Record<LadderRung, string>>> = {
      ...(cache === undefined ? { stale: 'a "cache"' } : {}),
      ...(cache?.snapshot === undefined ? { snapshot: '"snapshot" in its "cache"' } : {}),
      ...(file.origins[origin]?.failover === undefined ? { failover: `a "failover" of origin "${origin}"` } : {}),
    };
    const page = rungs.indexOf("page");
    for (const [at, rung] of rungs.entries()) {
      const path = ["routes", index, "degraded", "ladder", at];
      const needs = missing[rung];
      if (needs !== undefined) found(path, `never answers: this route has no such rung without ${needs}`);
      else if (page !== -1 && at > page) found(path, 'is never reached: "page" before it always answers');
    }
    if (degraded?.pages !== undefined && degraded.ladder !== undefined && page === -1) {
      found(["routes", index, "degraded", "pages"], 'are never shown: "page" is missing in its "ladder"');
    }
  }
}

function capacityTokens(limit: LimitFile): number | undefined {
  if (limit.quota !== undefined) return limit.quota;
  if (limit.burst !== undefined) return limit.burst;
  const rate = parseRate(limit.rate ?? "");
  return rate === undefined ? undefined : Math.max(1, Math.ceil(rate.tokensPerSecond));
}

function checkRouteIds(file: ConfigFile, found: Found): void {
  const first = new Map<string, number>();
  for (const [index, route] of file.routes.entries()) {
    const earlier = first.get(route.id);
    if (earlier === undefined) first.set(route.id, index);
    else found(["routes", index, "id"], `"${route.id}" is already the id of routes.${earlier}`);
  }
}
