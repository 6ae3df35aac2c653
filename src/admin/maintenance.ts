/** Maintenance by hand: kept by the coordinator of the origin concerned, a route's by that of the route's origin. */
import type * as z from "zod";
import { parseAccessEntry } from "../config/access-entry.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { type Maintenance, MAX_ALLOWED_TOGETHER, MAX_MAINTENANCES } from "../policy/degradation/maintenance.ts";
import { originObjectName } from "../protocol/origin.ts";
import { signature } from "./access.ts";
import {
  maintenanceBody,
  maintenanceEnded,
  maintenanceList,
  maintenanceParams,
  maintenanceView,
  type MaintenanceView,
} from "./contract/maintenance.ts";
import { originOf, routeOf } from "./lookup.ts";
import { type CallSite, operation } from "./operation.ts";
import { askEach, objectsOf } from "./origin-objects.ts";
import { COORDINATOR_DEADLINE_MS, problem } from "./reply.ts";

const TAG = "Maintenance";
const PATH = "/maintenance/{scope}/{id}";

const listMaintenance = operation(
  {
    id: "listMaintenance",
    method: "GET",
    path: "/maintenance",
    tag: TAG,
    summary: "List what is in maintenance, and what will be",
    result: maintenanceList,
  },
  async ({ env, tables, nowMs }) => {
    const ids = tables.origins.map(({ id }) => id);
    const { reached, unreachable } = await askEach(ids, async (id) =>
      (await readAll(env, id)).map((one) => viewOf(id, one, Math.max(nowMs, one.setAtMs))),
    );
    return { maintenance: reached.flat(), unreachable };
  },
);

const setMaintenance = operation(
  {
    id: "setMaintenance",
    method: "PUT",
    path: PATH,
    tag: TAG,
    summary: "Take an origin or a route out of service, now or later",
    description: "Takes the place of what was set for it before.",
    params: maintenanceParams,
    body: maintenanceBody,
    example: { forMs: 3_600_000, allow: ["192.0.2.0/24"], reason: "new database", by: "ann" },
    result: maintenanceView,
    refusals: {
      404: "There is no such origin or route.",
      409: "The origin has as many already as it may, or its allow-lists are too long together.",
    },
    keeps: ["origin", "startsAtMs", "endsAtMs", "allow", "pageOnly", "reason"],
  },
  async (call) => {
    const { env, actor, body } = call;
    const target = targetOf(call, call.params);
    if (target instanceof Response) return target;
    const allow = canonical(body.allow);
    if (allow instanceof Response) return allow;
    const { originId, routeId } = target;
    const known = (await readAll(env, originId)).find((one) => one.routeId === routeId);
    call.before(known === undefined ? null : viewOf(originId, known, known.setAtMs));
    const asked = { ...body, allow, routeId, by: signature(actor, body.by) };
    const [placed] = await Promise.all(
      objectsOf(originId).map((name) =>
        withDeadline(
          callCoordinator(env, "ORIGIN", name, "placeMaintenance", { v: 1, asked }),
          COORDINATOR_DEADLINE_MS,
        ),
      ),
    );
    if (placed?.kind === "refused") return problem(409, REFUSED[placed.reason](originId));
    const one = placed?.all.find((candidate) => candidate.routeId === routeId);
    return one === undefined ? problem(503, "The coordinator did not keep it") : viewOf(originId, one, one.setAtMs);
  },
);

const endMaintenance = operation(
  {
    id: "endMaintenance",
    method: "DELETE",
    path: PATH,
    tag: TAG,
    summary: "Put an origin or a route back into service",
    params: maintenanceParams,
    result: maintenanceEnded,
    refusals: { 404: "There is no such origin or route, or no maintenance of it." },
    keeps: ["scope", "id"],
  },
  async (call) => {
    const target = targetOf(call, call.params);
    if (target instanceof Response) return target;
    const { originId, routeId } = target;
    const answers = await Promise.all(
      objectsOf(originId).map((name) =>
        withDeadline(
          callCoordinator(call.env, "ORIGIN", name, "endMaintenance", { v: 1, routeId }),
          COORDINATOR_DEADLINE_MS,
        ),
      ),
    );
    const [scope, id] = routeId === undefined ? (["origin", originId] as const) : (["route", routeId] as const);
    return answers.some(({ ended }) => ended)
      ? { scope, id }
      : problem(404, `There is no maintenance of ${scope} "${id}"`);
  },
);

export const maintenanceOperations = [listMaintenance, setMaintenance, endMaintenance];

async function readAll(env: Env, originId: string): Promise<readonly Maintenance[]> {
  const asked = callCoordinator(env, "ORIGIN", originObjectName(originId), "listMaintenance", { v: 1 });
  return (await withDeadline(asked, COORDINATOR_DEADLINE_MS)).all;
}

const REFUSED = {
  "too-many": (origin: string) =>
    `Origin "${origin}" has ${MAX_MAINTENANCES} already, which is the most; end one first`,
  "allow-lists-too-long": (origin: string) =>
    `All allow-lists of origin "${origin}" together may have ${MAX_ALLOWED_TOGETHER} entries; name networks instead of addresses`,
} as const;

interface Target {
  readonly originId: string;
  readonly routeId: string | undefined;
}

function targetOf(call: CallSite, { scope, id }: z.output<typeof maintenanceParams>): Target | Response {
  if (scope === "origins") {
    const origin = originOf(call, id);
    return origin instanceof Response ? origin : { originId: id, routeId: undefined };
  }
  const route = routeOf(call, id);
  return route instanceof Response ? route : { originId: route.origin.id, routeId: id };
}

/** Each entry in its one text, once. */
function canonical(texts: readonly string[]): readonly string[] | Response {
  const allow = new Set<string>();
  for (const [index, text] of texts.entries()) {
    const entry = parseAccessEntry(text);
    if (entry.kind === "bad") return problem(400, `allow.${index}: ${entry.message}; found "${text}"`);
    allow.add(entry.text);
  }
  return [...allow];
}

/** `nowMs`: never before it was set, whatever this isolate's clock says. */
function viewOf(origin: string, { routeId, ...one }: Maintenance, nowMs: number): MaintenanceView {
  return {
    scope: routeId === undefined ? "origin" : "route",
    id: routeId ?? origin,
    origin,
    state: one.startsAtMs <= nowMs ? "in-force" : "to-come",
    ...one,
  };
}
