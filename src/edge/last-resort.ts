/** The last rung: an answer that needs no config, no binding and no state. */
const RETRY_AFTER_SECONDS = "5";

export function lastResort(requestId: string): Response {
  const body = `{"type":"about:blank","title":"Service Unavailable","status":503,"requestId":"${requestId}"}`;
  return new Response(body, {
    status: 503,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "retry-after": RETRY_AFTER_SECONDS,
      "weir-served": "fallback",
    },
  });
}
