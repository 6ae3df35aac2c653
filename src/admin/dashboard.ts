/**
 * The dashboard's files, made by `npm run build:ui`. They hold no data, so they are shown wherever the admin API's documents
 * are. Its page is looked for anew each time; what its files are called changes with what is in them, so they are kept.
 */
import type { Env } from "../platform/bindings.ts";
import { problem } from "./reply.ts";

const BASE = "/_weir/";
const FILE = /^assets\/[a-z]{1,20}-[A-Z0-9]{8}\.(js|css)$/;
const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/** Scripts and styles are files; `frame-src`: previews of pages, which the API answers with a policy of their own. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "frame-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

export function isDashboardPath(pathname: string): boolean {
  return pathname === BASE || FILE.test(pathname.slice(BASE.length));
}

/** Only of paths that are the dashboard's. */
export async function answerDashboard(request: Request, pathname: string, env: Env): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") return problem(405, "There is only GET");
  const name = pathname === BASE ? "index.html" : pathname.slice(BASE.length);
  // The host plays no part; it is the binding that answers.
  const file = await env.ASSETS?.fetch(`https://assets.invalid/${name}`);
  if (file?.ok !== true) {
    await file?.body?.cancel();
    return problem(
      404,
      "There is no dashboard here",
      "npm run build:ui makes it; wrangler deploy and npm start do so.",
    );
  }
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
  const headers =
    type === undefined
      ? { "content-type": "text/html; charset=utf-8", "content-security-policy": POLICY }
      : { "content-type": type, "cache-control": "public, max-age=31536000, immutable" };
  return new Response(file.body, { headers });
}
