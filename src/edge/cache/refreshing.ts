/** Refreshing an entry behind an answer, and the conditions under which the origin is asked again. */
import type { CompiledRoute } from "../../config/tables.ts";
import { callThroughBulkhead } from "../bulkhead.ts";
import type { Edge } from "../edge.ts";
import type { CacheContext, Exchange } from "../exchange.ts";
import { isAttempt } from "../outbound.ts";
import { keep } from "./receiving.ts";
import type { StoredResponse } from "./response-store.ts";
import { stillStanding } from "./standing.ts";

const CONDITIONS: readonly string[] = ["if-none-match", "if-modified-since", "if-range"];
/** Refreshes under way in this isolate; more are left to later requests. */
const MAX_REFRESHES = 200;

/**
 * Before forwarding: the conditions are ours, because the answer is to be stored; the client's are met from it, and its
 * range, too, where there is something stored that the answer may renew.
 */
export function addConditions(edge: Edge, x: Exchange): void {
  if (x.cache === undefined) return;
  x.cache.purgeEpoch = x.cache.purges.epoch;
  if (!x.cache.cacheable || x.method !== "GET") return;
  const entry = stillStanding(edge, x, x.cache);
  if (entry === undefined && x.headers.has("range")) return;
  conditionsOf(x.headers, entry);
  if (entry !== undefined) x.headers.delete("range");
}

function conditionsOf(headers: Headers, entry: StoredResponse | undefined): void {
  for (const name of CONDITIONS) headers.delete(name);
  if (entry?.status !== 200) return;
  for (const [name, value] of entry.headers) {
    if (name === "etag") headers.set("if-none-match", value);
    if (name === "last-modified") headers.set("if-modified-since", value);
  }
}

/** One refresh of a URL at a time in this isolate. What fails leaves the stored entry as it is. */
export function refreshBehind(edge: Edge, x: Exchange, context: CacheContext, route: CompiledRoute): void {
  if (edge.refreshes.has(context.key) || edge.refreshes.size >= MAX_REFRESHES) return;
  edge.refreshes.add(context.key);
  x.waitUntil(
    refresh(edge, x, context, route).finally(() => {
      edge.refreshes.delete(context.key);
    }),
  );
}

async function refresh(edge: Edge, x: Exchange, context: CacheContext, route: CompiledRoute): Promise<void> {
  const { caller, url } = x;
  if (caller === undefined || url === undefined) return;
  const site = {
    env: x.env,
    waitUntil: x.waitUntil,
    configVersion: x.tables.configVersion,
    pop: x.pop,
    origin: route.origin,
  };
  const passage = await edge.origins.pass({
    ...site,
    nowMs: edge.now(),
    caller,
    method: "GET",
    routeId: route.id,
    clientIp: x.clientIp,
  });
  if (passage.kind === "refused") return;
  const headers = new Headers(x.headers);
  headers.delete("range");
  const asked = { ...context, requestedAtMs: edge.now(), purgeEpoch: context.purges.epoch };
  conditionsOf(headers, stillStanding(edge, x, asked));
  const answer = await callThroughBulkhead(edge, {
    ...site,
    method: "GET",
    path: url.path,
    query: url.query,
    headers,
    body: null,
    deadlineMs: route.deadlineMs,
    passage,
    priority: caller.tenant.priority,
    inboundAttempt: isAttempt(x),
    clientGone: undefined,
    caller,
    whileStreaming: (release) => {
      release();
    },
  });
  if (answer.kind === "failed" || answer.verdict.kind === "failure") {
    edge.flights.noteFailed(context.key, edge.now());
    return;
  }
  edge.flights.noteAnswered(context.key);
  const kept = keep(edge, x, asked, headers, answer, edge.now());
  const body = kept.body ?? answer.body;
  // Nobody reads it but the store.
  if (body instanceof ReadableStream) await (kept.body === undefined ? body.cancel() : drain(body));
}

async function drain(body: ReadableStream): Promise<void> {
  await body.pipeTo(new WritableStream());
}
