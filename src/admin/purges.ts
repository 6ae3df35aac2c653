/**
 * Purges by hand, and which there were. A purge goes to the coordinator of each origin that it concerns; where one does
 * not answer, that is said with what was reached, and the purge may simply be sent again: it holds from then on, too.
 */
import type * as z from "zod";
import { type CanonicalResult, canonicalUrl } from "../http/canonical-url.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import type { PurgeTarget } from "../policy/cache/purge.ts";
import { originObjectName } from "../protocol/origin.ts";
import { signature } from "./access.ts";
import { purgeBody, type PurgeReply, purgeReply, purgesQuery, purgesReply } from "./contract/purges.ts";
import { tenantOf } from "./lookup.ts";
import { type CallSite, operation } from "./operation.ts";
import { askEach, objectsOf } from "./origin-objects.ts";
import { COORDINATOR_DEADLINE_MS, problem, unknown } from "./reply.ts";

const TAG = "Purges";
/** Whose entries are kept apart, too, on routes that keep each tenant's. */
const ANONYMOUS = "anonymous";

const makePurge = operation(
  {
    id: "makePurge",
    method: "POST",
    path: "/purges",
    tag: TAG,
    summary: "Make what is stored stale, or gone, everywhere within 5 s",
    description: "Safe to repeat: what was stored since the last time is purged, too.",
    body: purgeBody,
    example: { prefix: "/catalog/", mode: "soft", reason: "new prices" },
    result: purgeReply,
    refusals: {
      404: "There is no such origin, or no such tenant.",
      503: "It may not have reached all origins: `unreachable` names them, `origins` those it has. Send it again.",
    },
    keeps: ["purged", "mode", "origins"],
  },
  async (call) => {
    const { env, actor, body } = call;
    const target = targetOf(body);
    if ("problem" in target) return problem(400, target.problem);
    const { tenant, mode, reason } = body;
    const known = tenant === undefined || tenant === ANONYMOUS ? undefined : await tenantOf(call, tenant);
    if (known instanceof Response) return known;
    const origins = originsOf(call, body.origin);
    if (origins instanceof Response) return origins;
    const request = { v: 1 as const, target, mode, reason, by: signature(actor, body.by) };
    const { reached, unreachable } = await askEach(origins, async (id) => {
      // What a trial stores is kept apart, and may be found again by the next one.
      const calls = objectsOf(id).map((name) => callCoordinator(env, "ORIGIN", name, "purge", request));
      const [own] = await withDeadline(Promise.all(calls), COORDINATOR_DEADLINE_MS);
      return { origin: id, epoch: own?.epoch ?? 0 };
    });
    const reply: PurgeReply = { purged: target, mode, origins: reached };
    if (unreachable.length === 0) return reply;
    const title = `The purge may not have reached ${unreachable.join(", ")}; send it again`;
    return problem(503, title, undefined, { ...reply, unreachable });
  },
);

const listPurges = operation(
  {
    id: "listPurges",
    method: "GET",
    path: "/purges",
    tag: TAG,
    summary: "List the purges that are remembered",
    query: purgesQuery,
    result: purgesReply,
    refusals: { 404: "There is no such origin." },
  },
  async (call) => {
    const origins = originsOf(call, call.query.origin);
    if (origins instanceof Response) return origins;
    const { reached, unreachable } = await askEach(origins, async (id) => {
      const asked = callCoordinator(call.env, "ORIGIN", originObjectName(id), "listPurges", { v: 1 });
      const { purges } = await withDeadline(asked, COORDINATOR_DEADLINE_MS);
      return purges.map(({ target, ...rest }) => ({ origin: id, purged: target, ...rest }));
    });
    return { purges: reached.flat().toSorted((a, b) => b.atMs - a.atMs || b.epoch - a.epoch), unreachable };
  },
);

export const purgeOperations = [makePurge, listPurges];

/** The one that is named, or all, those of a config on trial among them. */
function originsOf({ tables, edge }: CallSite, id: string | undefined): readonly string[] | Response {
  const onlyOnTrial = edge.config.canary?.tables.origins ?? [];
  const known = [...new Set([...tables.origins, ...onlyOnTrial].map((origin) => origin.id))];
  if (id === undefined) return known;
  return known.includes(id) ? [id] : unknown("origin", id, known);
}

/** In the form in which the store's keys are made, or what is wrong with it. */
function targetOf({ url, prefix, tag, tenant }: z.infer<typeof purgeBody>): PurgeTarget | { readonly problem: string } {
  const scope = tenant === undefined ? {} : { tenant };
  const given = [url, prefix, tag].filter((value) => value !== undefined);
  if (given.length !== 1) return { problem: "give one of url, prefix and tag" };
  if (tag !== undefined) return { kind: "tag", value: tag, ...scope };
  const kind = url === undefined ? "prefix" : "url";
  const text = url ?? prefix ?? "";
  const whole = /^https?:\/\/[^/?#]/i.test(text);
  if (!whole && !text.startsWith("/")) {
    return {
      problem: `${kind} must be a URL like https://shop.example/a, or a path like /a, not "${text.slice(0, 64)}"`,
    };
  }
  if (kind === "prefix" && text.endsWith("*")) {
    return { problem: "prefix needs no *: /shop/ stands for everything whose path begins so" };
  }
  const canonical: CanonicalResult = canonicalUrl(whole ? text : `http://every-host.invalid${text}`);
  if (!canonical.ok) return { problem: `${kind} was refused: ${canonical.reason}` };
  const { host, path, query } = canonical.url;
  return { kind, value: path + query, ...(whole ? { host } : {}), ...scope };
}
