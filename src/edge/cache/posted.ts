/** Whether the answer to a POST is what its URL answers a GET with (RFC 9110 section 9.3.3). */
import { mayStorePosted } from "../../policy/cache/storing.ts";
import type { OriginAnswer } from "../call-origin.ts";
import type { CacheContext, Exchange } from "../exchange.ts";
import { wentAsGet } from "../outbound.ts";
import { responseReader } from "./answering.ts";
import { keyOf, resolveOnHost } from "./key.ts";

/**
 * Where the route asks for it, the origin says so by naming the very URL in Content-Location, and it saw no field that it
 * would not have seen of a GET: nothing keys that. What it says during maintenance is not for everybody.
 */
export function isForGets(x: Exchange, { key, policy, asked }: CacheContext, answer: OriginAnswer): boolean {
  const { route, caller, maintenance, method, headers } = x;
  const location = answer.headers.get("content-location");
  if (policy.storePost !== true || method !== "POST" || location === null) return false;
  if (route === undefined || caller === undefined || maintenance !== undefined || !wentAsGet(x)) return false;
  const named = resolveOnHost(location, x.request.url);
  if (named === undefined || keyOf(route, caller, named) !== key) return false;
  const context = {
    method,
    authorized: headers.has("authorization"),
    withCookie: headers.has("cookie"),
    requestNoStore: asked?.noStore === true,
    status: answer.status,
    complete: answer.complete,
  };
  return mayStorePosted(context, responseReader(answer.headers), policy);
}
