/**
 * RFC 9110 section 9: methods.
 *
 * | requirement | test |
 * |---|---|
 * | 9.3.3 an answer to POST is cacheable with explicit freshness and a Content-Location of its own URL | `is kept…`, `is not kept…`; the URL: `scenarios/caching.test.ts` |
 */
import { describe, expect, it } from "vitest";
import type { StoringContext } from "../../../src/policy/cache/storing.ts";
import { mayStorePosted } from "../../../src/policy/cache/storing.ts";
import { type Fields, reader, SHARED, WHOLE_GET } from "./cache-cases.ts";

const ASKED_FOR = { ...SHARED, storePost: true };
const kept = (fields: Fields, change: Partial<StoringContext> = {}, policy = ASKED_FOR): boolean =>
  mayStorePosted({ ...WHOLE_GET, method: "POST", ...change }, reader(fields), policy);

describe("9.3.3: an answer to POST", () => {
  it.each<Fields>([
    { "cache-control": "max-age=60" },
    { "cache-control": "s-maxage=60" },
    { "cdn-cache-control": "max-age=60" },
    { expires: "Thu, 01 Jan 2099 00:00:00 GMT" },
  ])("is kept where it says for how long: %j", (fields) => {
    expect(kept(fields)).toBe(true);
    expect(kept(fields, {}, { ...SHARED, storePost: false })).toBe(false);
  });

  it.each<Fields>([
    {},
    { "cache-control": "public" },
    { "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT" },
    { "cache-control": "max-age=60, no-store" },
    { "cache-control": "max-age=60, private" },
    { "cache-control": "max-age=60", vary: "*" },
    { "cache-control": "max-age=60", "set-cookie": "a=b" },
    { "cdn-cache-control": "public", expires: "Thu, 01 Jan 2099 00:00:00 GMT" },
  ])("is not kept where it does not, or is not for others: %j", (fields) => {
    expect(kept(fields)).toBe(false);
  });

  it.each<Partial<StoringContext>>([
    { status: 201 },
    { status: 404 },
    { complete: false },
    { authorized: true },
    { withCookie: true },
    { requestNoStore: true },
  ])("is not kept of %j", (change) => {
    expect(kept({ "cache-control": "public, max-age=60" }, change)).toBe(false);
  });
});
