/**
 * Collapsing taken away: a client's credential makes an answer that is not for others, so that the origin gets every
 * concurrent miss of a popular page. Safe: requests with credentials collapse among themselves, and tell nothing of others.
 */
import { expect, it } from "vitest";
import { arrivals, get, unused } from "./support/attack.ts";

it.each([
  ["authorization", "Basic ZXZpbA=="],
  ["cookie", "session=evil"],
])("a %s that comes first changes nothing for 50 others", async (name, value) => {
  const path = unused("shared");
  const evil = get(path, { [name]: value });
  const others = await Promise.all(Array.from({ length: 50 }, () => get(path)));
  await evil;
  expect(others.map(({ status }) => status)).toEqual(others.map(() => 200));
  const seen = await arrivals(path);
  expect(seen.filter(({ headers }) => headers[name] === undefined)).toHaveLength(1);
});
