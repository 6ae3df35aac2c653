/**
 * Parameter cloaking: the cache and the origin read a query differently, so that one sees a parameter that the other does
 * not. Safe: the query is keyed as it was sent, byte by byte; nothing is left out, sorted, split or decoded.
 */
import { expect, it } from "vitest";
import { arrivals, get, seenIn, unused } from "./support/attack.ts";

it.each([
  ["a semicolon", "?a=1", "?a=1;callback=evil"],
  ["a duplicate", "?a=1", "?a=1&a=2"],
  ["a duplicate the other way", "?a=1&a=2", "?a=2&a=1"],
  ["a campaign's parameter", "?a=1", "?a=1&utm_content=x;callback=evil"],
  ["another order", "?a=1&b=2", "?b=2&a=1"],
  ["a separator more", "?a=1", "?a=1&"],
  ["an escape", "?a=b", "?a=%62"],
  ["an escaped separator", "?a=1&b=2", "?a=1%26b=2"],
  ["a plus", "?a=b+c", "?a=b%20c"],
  ["another case", "?a=1", "?A=1"],
  ["brackets", "?a=1", "?a[]=1"],
  ["a question mark more", "?a=1", "??a=1"],
])("%s is another entry, and reaches the origin as it is", async (_what, one, other) => {
  const path = unused("shared");
  const first = await get(path + one);
  const second = await get(path + other);
  expect([first.served, second.served]).toEqual(["origin", "origin"]);
  expect([seenIn(first).url, seenIn(second).url]).toEqual([path + one, path + other]);
  expect(await arrivals(path)).toHaveLength(2);
});

it("an empty query is none, to the cache and to the origin", async () => {
  const path = unused("shared");
  await get(`${path}?`);
  expect((await get(path)).served).toBe("cache");
  expect((await arrivals(path)).map(({ url }) => url)).toEqual([path]);
});
