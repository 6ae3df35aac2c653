/** forward: one origin call, when the breaker lets it pass. What failed goes on to the ladder. */
import { buildAnswer } from "../answer.ts";
import { readRequestBody } from "../body.ts";
import { callOrigin, type OriginAnswer } from "../call-origin.ts";
import type { Edge } from "../edge.ts";
import type { Exchange } from "../exchange.ts";
import { addConditions, receiveFromOrigin } from "./cache.ts";

export async function forward(edge: Edge, x: Exchange): Promise<Response | undefined> {
  const { route, breaker: passage, url, caller } = x;
  if (
    route === undefined ||
    url === undefined ||
    caller === undefined ||
    passage === undefined ||
    passage.kind === "refused"
  )
    return undefined;
  addConditions(x);
  x.body = await readRequestBody(x.request);
  const call = callOrigin(edge.origins, {
    env: x.env,
    waitUntil: x.waitUntil,
    origin: route.origin,
    configVersion: x.tables.configVersion,
    method: x.method,
    path: url.path,
    query: url.query,
    headers: x.headers,
    body: x.body,
    deadlineMs: route.deadlineMs,
    passage,
    priority: caller.tenant.priority,
    pop: x.pop,
    inboundAttempt: x.inboundAttempt,
  });
  // It counts against the origin's concurrency until it ends: it must come to its end also when the client is gone.
  if (route.origin.config.concurrency !== undefined) x.waitUntil(call);
  const outcome = await call;
  if (outcome.kind === "failed") {
    x.failure = { reason: outcome.reason, retryAfterMs: undefined, response: undefined };
    return undefined;
  }
  noteAnswer(x, outcome);
  if (outcome.verdict.kind === "failure") {
    x.failure = { reason: "status", retryAfterMs: undefined, response: buildAnswer(outcome) };
    return undefined;
  }
  x.served = "origin";
  return receiveFromOrigin(edge, x, outcome);
}

/** What outlives the origin's answer: its late cost, and whether its body still comes. */
export function noteAnswer(x: Exchange, { headers, body }: OriginAnswer): void {
  x.streams = body instanceof ReadableStream;
  const lateCost = x.route?.lateCost;
  if (lateCost !== undefined) x.lateCost = headers.get(lateCost.header) ?? undefined;
}
