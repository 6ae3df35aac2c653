/** forward: one origin call, when the breaker lets it pass. What failed goes on to the ladder. */
import { buildAnswer } from "../answer.ts";
import { readRequestBody } from "../body.ts";
import { callThroughBulkhead } from "../bulkhead.ts";
import type { OriginAnswer, OriginFailed } from "../call-origin.ts";
import type { Edge } from "../edge.ts";
import { atEnd, type Exchange } from "../exchange.ts";
import { isAttempt } from "../outbound.ts";
import { refuse } from "../refuse.ts";
import { receiveFromOrigin } from "../cache/receiving.ts";
import { addConditions } from "../cache/refreshing.ts";
import { stillStanding } from "../cache/standing.ts";

/** Nobody sees it; as nginx counts it. */
const CLIENT_CLOSED_REQUEST = 499;

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
  const sent = await readRequestBody(x.request, route.deadlineMs);
  if (sent.kind === "broken") return clientGone();
  if (sent.kind === "refused") return refuse(x, sent.refusal);
  const upload = sent.kind === "upload" ? sent.upload : undefined;
  x.body = sent.kind === "upload" ? sent.upload.stream : sent.body;
  const call = (): Promise<OriginAnswer | OriginFailed> => {
    addConditions(edge, x);
    return callThroughBulkhead(edge, {
      env: x.env,
      waitUntil: x.waitUntil,
      origin: route.origin,
      configVersion: x.tables.configVersion,
      method: x.method,
      path: url.path,
      query: url.query,
      headers: x.headers,
      body: x.body,
      upload,
      deadlineMs: route.deadlineMs,
      passage,
      priority: caller.tenant.priority,
      pop: x.pop,
      inboundAttempt: isAttempt(x),
      clientGone: x.cache?.flight?.endsWith(x.request.signal) ?? x.request.signal,
      caller,
      whileStreaming: (release) => {
        atEnd(x, release);
      },
    });
  };
  let outcome = await call();
  if (isOfPurged(edge, x, outcome)) {
    if (passage.kind === "probe") outcome = { kind: "failed", reason: "internal", attempts: 1 };
    else outcome = await call();
  }
  x.attempts = outcome.attempts;
  if (outcome.kind === "failed") return noteFailed(x, outcome);
  noteAnswer(x, outcome);
  if (outcome.verdict.kind === "failure") {
    x.failure = { reason: "status", retryAfterMs: undefined, response: buildAnswer(outcome), answer: outcome };
    return undefined;
  }
  x.served = "origin";
  return receiveFromOrigin(edge, x, outcome);
}

/** "Not modified", said of what was purged while the origin was asked: there is nothing to answer with. */
function isOfPurged(edge: Edge, x: Exchange, outcome: OriginAnswer | OriginFailed): boolean {
  if (outcome.kind === "failed" || outcome.status !== 304 || x.cache?.entry === undefined) return false;
  return stillStanding(edge, x, x.cache) === undefined;
}

const clientGone = (): Response => new Response(null, { status: CLIENT_CLOSED_REQUEST });

/** The tenant's own slots are a limit of the tenant; everything else is a failure of the origin, for the ladder. */
function noteFailed(x: Exchange, { reason, violated, retryAfterMs }: OriginFailed): Response | undefined {
  if (reason === "client-gone") return clientGone();
  if (reason === "body-late" || reason === "body-too-large") return refuse(x, reason);
  if (reason !== "tenant-bulkhead") {
    x.failure = { reason, retryAfterMs, response: undefined };
    return undefined;
  }
  x.violated = violated ?? [];
  x.retryAfterMs = retryAfterMs;
  return refuse(x, "concurrency");
}

/** What outlives the origin's answer: its late cost, and whether its body still comes. */
export function noteAnswer(x: Exchange, { headers, body }: Pick<OriginAnswer, "headers" | "body">): void {
  x.streams = body instanceof ReadableStream;
  const lateCost = x.route?.lateCost;
  if (lateCost !== undefined) x.lateCost = headers.get(lateCost.header) ?? undefined;
}
