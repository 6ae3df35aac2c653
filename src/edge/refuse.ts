/** A refusal becomes an answer: noted on the exchange for the headers and the counters, and put on the wire. */
import { problemResponse, type Refusal } from "../http/problem.ts";
import type { Exchange } from "./exchange.ts";

export function refuse(x: Exchange, refusal: Refusal, detail?: string): Response {
  x.refusal = refusal;
  return problemResponse(refusal, x.request.headers.get("accept"), {
    requestId: x.requestId,
    ...(detail === undefined ? {} : { detail }),
    ...(x.violated.length === 0 ? {} : { violatedPolicies: x.violated.map((limit) => limit.name) }),
  });
}
