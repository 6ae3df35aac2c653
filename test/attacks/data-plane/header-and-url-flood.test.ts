/**
 * Floods of headers and of URL: memory and time before anything is decided. Safe: bounded by the platform (headers) and by
 * Weir (8,192 characters of URL); refused with an answer or a closed connection, and the next request is served.
 */
import { expect, it } from "vitest";
import { arrivals, get, raw, request, unused } from "./support/attack.ts";

it.each([
  ["10,000 headers", Array.from({ length: 10_000 }, (_, index) => `X-${index}: ${"v".repeat(20)}`)],
  ["one header of a megabyte", [`X-Large: ${"v".repeat(1_048_576)}`]],
  ["a cookie of a megabyte", [`Cookie: a=${"v".repeat(1_048_576)}`]],
  ["a megabyte of Accept-Language", [`Accept-Language: ${"en,".repeat(349_525)}en`]],
  ["a megabyte of Via", [`Via: ${"1.1 a,".repeat(174_762)}1.1 b`]],
])("%s: refused, and the gateway goes on", async (_what, headers) => {
  const path = unused("plain");
  const { statuses, closed } = await raw(request(`GET ${path}`, headers));
  expect(statuses.includes(200)).toBe(false);
  expect(closed || statuses.length > 0).toBe(true);
  expect(await arrivals(path)).toEqual([]);
  expect((await get(unused("plain"))).status).toBe(200);
});

it("a few hundred headers are no flood", async () => {
  const headers = Array.from({ length: 200 }, (_, index) => `X-${index}: v`);
  expect((await raw(request(`GET ${unused("plain")}`, headers))).statuses).toEqual([200]);
});

it.each([8_193, 60_000, 1_048_576])("a URL of %i characters is refused", async (length) => {
  const path = `${unused("shared")}?${"q".repeat(length)}`;
  const { statuses } = await raw(request(`GET ${path}`));
  expect(statuses.includes(200)).toBe(false);
  expect((await get(unused("plain"))).status).toBe(200);
});
