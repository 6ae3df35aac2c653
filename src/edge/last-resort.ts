/**
 * The last rung: an answer that needs no config, no binding and no state. Its texts stand here as they are, so that
 * nothing else can be in their way.
 */
const RETRY_AFTER_SECONDS = "5";
const HTML = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>Service unavailable</title></head><body><main><h1>Service unavailable</h1><p>Please try again in a few seconds.</p></main></body></html>`;

/** `requestId` is ours, or "": letters and digits. `accept`: a browser gets a page. */
export function lastResort(requestId: string, accept: string | null): Response {
  const isBrowser = accept?.toLowerCase().includes("text/html") ?? false;
  const problem = `{"type":"about:blank","title":"Service Unavailable","status":503,"requestId":"${requestId}"}`;
  return new Response(isBrowser ? HTML : problem, {
    status: 503,
    headers: {
      "content-type": isBrowser ? "text/html; charset=utf-8" : "application/problem+json",
      "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "cache-control": "no-store",
      "retry-after": RETRY_AFTER_SECONDS,
      "weir-served": "fallback",
    },
  });
}
