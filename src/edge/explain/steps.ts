/** What a stage decided, read off the exchange behind it: in one word, with its reason and its source in the config. */
import { callCoordinator, withDeadline } from "../../platform/coordinators.ts";
import { originObjectName } from "../../protocol/origin.ts";
import { originSettings } from "../origin-views.ts";
import type { Stage } from "../pipeline.ts";
import { access } from "../stages/access.ts";
import { admit, admitMiss } from "../stages/admit.ts";
import { breaker } from "../stages/breaker.ts";
import { cacheLookup } from "../stages/cache.ts";
import { degrade } from "../stages/degrade.ts";
import { forward } from "../stages/forward.ts";
import { hasCredential, identify } from "../stages/identify.ts";
import { ingress } from "../stages/ingress.ts";
import { maintenance } from "../stages/maintenance.ts";
import { rollout } from "../stages/rollout.ts";
import { route } from "../stages/route.ts";
import { explainCache } from "./cache-step.ts";
import { accessPath, DEFAULT, routePath, tenantPath } from "./config-paths.ts";
import { explainLimits } from "./limit-step.ts";
import { type Decided, passed, refused, type Seen, type Step } from "./step.ts";
import { ON_DENY } from "../stages/access.ts";

type Describe = (seen: Seen) => Decided | Promise<Decided>;

/** A stage that is not here says only whether it answered. */
const DESCRIBED = new Map<Stage, readonly [name: string, describe: Describe]>([
  [ingress, ["ingress", explainIngress]],
  [rollout, ["rollout", explainRollout]],
  [route, ["route", explainRoute]],
  [identify, ["identify", explainIdentity]],
  [access, ["access", explainAccess]],
  [maintenance, ["maintenance", explainMaintenance]],
  [admit, ["admit", (seen) => explainLimits(seen, false)]],
  [cacheLookup, ["cache", explainCache]],
  [admitMiss, ["admit on a miss", (seen) => explainLimits(seen, true)]],
  [breaker, ["breaker", explainBreaker]],
  [forward, ["forward", explainForward]],
  [degrade, ["degrade", explainLadder]],
]);

export async function describeStage(stage: Stage, seen: Seen): Promise<Step> {
  const known = DESCRIBED.get(stage);
  if (known === undefined) {
    const decided = { decision: seen.answered ? "answered" : "passed", reason: "", source: DEFAULT, details: {} };
    return { stage: stage.name, ...decided };
  }
  const [name, describe] = known;
  return { stage: name, ...(await describe(seen)) };
}

function explainIngress(seen: Seen): Decided {
  const { x } = seen;
  const { host, path, query } = x.url ?? { host: "", path: "", query: "" };
  return (
    refused(seen, DEFAULT) ??
    passed("accepted", "Its URL is canonical, and it has not been here before", DEFAULT, {
      method: x.method,
      host,
      path,
      query,
      address: x.clientIp === "" ? null : x.clientIp,
    })
  );
}

function explainRollout({ edge, x, wanted }: Seen): Decided {
  const { canary, number } = edge.config;
  const source = `config ${x.inCanary ? (canary?.number ?? number) : number}`;
  if (wanted.config !== undefined) return passed(wanted.config, "As was asked", source);
  if (canary === undefined) return passed("in-force", "No config is on trial", source);
  const details = { trial: canary.number, shareRatio: canary.shareRatio };
  return x.inCanary
    ? passed(
        "canary",
        `This caller is of the ${canary.shareRatio * 100} % that have the config on trial`,
        source,
        details,
      )
    : passed("in-force", "This caller is not of those that have the config on trial", source, details);
}

function explainRoute(seen: Seen): Decided {
  const { x } = seen;
  const { route: matched } = x;
  if (matched === undefined) {
    const allowed = x.url === undefined ? [] : x.tables.allowedMethods(x.url.host, x.url.path);
    const decided = refused(seen, "routes") ?? passed("skipped", "");
    return allowed.length === 0
      ? decided
      : { ...decided, details: { ...decided.details, allowed: [...new Set(allowed)] } };
  }
  const { methods, host, path } = matched.config;
  return passed("matched", `The first that matches is "${matched.id}"`, `${routePath(x.tables, matched)}.match`, {
    route: matched.id,
    path,
    host: host ?? null,
    methods: methods ?? null,
    origin: matched.origin.id,
  });
}

function explainIdentity(seen: Seen): Decided {
  const { x, wanted } = seen;
  const { identity } = x.tables;
  const index = identity.findIndex((candidate) => hasCredential(x.inbound, candidate));
  const rule = wanted.tenant === undefined ? identity[index] : undefined;
  const source = rule === undefined ? "identity" : `identity[${index}]`;
  const no = refused(seen, source);
  if (no !== undefined) return { ...no, details: { ...no.details, credential: rule?.type ?? null } };
  const { caller } = x;
  if (caller === undefined) return passed("skipped", "");
  const { tenant, keyId = null } = caller;
  const details = {
    tenant: tenant.id,
    anonymous: tenant.anonymous,
    plan: tenant.plan,
    tenantSource: tenantPath(x.tables, tenant),
    priority: tenant.priority,
    credential: rule?.type ?? null,
    keyId,
  };
  return rule === undefined
    ? passed("assumed", `As a caller of tenant "${tenant.id}" that has used nothing yet`, details.tenantSource, details)
    : passed(
        "known",
        `By ${rule.type}: ${tenant.anonymous ? "nobody in particular" : `tenant "${tenant.id}"`}`,
        source,
        details,
      );
}

function explainAccess(seen: Seen): Decided {
  const { x } = seen;
  const { caller } = x;
  if (caller?.tenant.access === undefined) return passed("passed", "No list concerns this caller");
  const { tenant, keyId } = caller;
  const source = (list: "deny" | "allow" | "exempt"): string =>
    accessPath(x.tables, tenant, list, { clientIp: x.clientIp, keyId });
  if (caller.exempt) return passed("exempt", "It is on an exempt list: limits do not charge it", source("exempt"));
  if (!seen.answered) return passed("passed", "It is on no deny list, and on every allow list there is");
  const denied = source("deny");
  const list = denied === DEFAULT || !isDenied(seen) ? "allow" : "deny";
  const reason = list === "deny" ? "It is on a deny list" : "It is missing on an allow list";
  return { ...(refused(seen, source(list)) ?? passed("refused", reason)), reason };
}

/** As `access` counted it: the edge beside counts for nobody else. */
const isDenied = ({ edge }: Seen): boolean => edge.counters.hasEvent(ON_DENY);

function explainMaintenance({ x }: Seen): Decided {
  const { maintenance: verdict, route: matched } = x;
  if (verdict === undefined) return passed("none", "As far as this isolate knows none is in force");
  const source = `maintenance of ${matched?.id ?? ""} or ${matched?.origin.id ?? ""}`;
  if (verdict.kind === "allowed") return passed("allowed", "In force, and its allow-list names the caller", source);
  const { retryAfterMs, pageOnly } = verdict;
  const reason = pageOnly ? "In force: the page is the answer" : "In force: no origin call is made";
  return passed("held", reason, source, { retryAfterMs, pageOnly });
}

const LOOK_DEADLINE_MS = 300;

async function explainBreaker({ edge, x, env }: Seen): Promise<Decided> {
  const { route: matched, breaker: passage } = x;
  if (matched === undefined || passage === undefined) return passed("skipped", "What is known already decides");
  const { origin } = matched;
  const { view, viewAtMs } = edge.origins.sight(origin.stateId);
  const asked = callCoordinator(env, "ORIGIN", originObjectName(origin.stateId), "look", {
    v: 1,
    pop: x.pop,
    settings: originSettings(origin, x.tables.configVersion),
  });
  const look = await withDeadline(asked, LOOK_DEADLINE_MS).catch(() => undefined);
  const seen = view ?? look?.view;
  const details = {
    origin: origin.id,
    state: seen?.state ?? "unknown",
    epoch: seen?.epoch ?? null,
    /** Null: the coordinator did not answer. */
    score: look?.score ?? null,
    tripScore: origin.config.breaker.tripScore,
    nextProbeInMs: seen !== undefined && "nextProbeInMs" in seen ? seen.nextProbeInMs : null,
    viewAgeMs: view === undefined ? null : Math.max(0, Math.round(edge.now() - viewAtMs)),
  };
  const source = `origins.${origin.id}.breaker`;
  switch (passage.kind) {
    case "go":
      return passed("go", `It is ${details.state}`, source, details);
    case "probe":
      return passed("probe", "A probe is due: this request would be it", source, details);
    case "refused": {
      const reason = passage.isMaintenance === true ? "Maintenance is in force" : `It is ${details.state}`;
      return passed("refused", reason, source, { ...details, retryAfterMs: passage.retryAfterMs });
    }
  }
}

function explainForward(seen: Seen): Decided {
  const { x, calls } = seen;
  const { route: matched, failure } = x;
  if (matched === undefined || x.breaker === undefined || x.breaker.kind === "refused")
    return passed("skipped", "No call is made");
  const source = `origins.${matched.origin.id}`;
  const concurrency = `${source}.concurrency`;
  if (failure?.reason === "bulkhead") return passed("shed", "The origin has no slot left for this caller", concurrency);
  const no = refused(seen, `${source}.concurrencyPerTenant`);
  if (no !== undefined) return no;
  const call = calls.find(({ origin, clientGone }) => clientGone !== undefined && origin === matched.origin);
  if (call === undefined) return passed("skipped", "No call is made");
  const { retry, tryTimeoutMs } = matched.origin.config;
  return passed("call", `The request goes to "${matched.origin.id}"`, `${source}.url`, {
    deadlineMs: matched.deadlineMs,
    tryTimeoutMs,
    attempts: retry.attempts,
  });
}

function explainLadder({ x }: Seen): Decided {
  const { rung, failure, route: matched } = x;
  if (matched === undefined || failure === undefined) return passed("skipped", "");
  const source = matched.config.degraded === undefined ? DEFAULT : `${routePath(x.tables, matched)}.degraded`;
  return passed(rung ?? "none", `The origin cannot answer: ${failure.reason}`, source, { failure: failure.reason });
}
