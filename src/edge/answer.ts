/** What an origin answered, as a Response whose headers are ours to change. The one copy of the origin's headers. */
import { cleanResponseHeaders } from "../http/headers.ts";
import type { OriginAnswer } from "./call-origin.ts";

/** Statuses that must not carry a body (the Response constructor refuses one). */
const NULL_BODY_STATUS: readonly number[] = [101, 204, 205, 304];

export function buildAnswer(answer: OriginAnswer): Response {
  const response = new Response(NULL_BODY_STATUS.includes(answer.status) ? null : answer.body, {
    status: answer.status,
    statusText: answer.statusText,
    headers: answer.headers,
  });
  cleanResponseHeaders(response.headers);
  return response;
}
