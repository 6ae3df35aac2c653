/**
 * A late cost that is no cost: an origin's header says that a request cost less than nothing, not a number, or everything.
 * Safe: only decimal numbers count, never below what was charged, never above the route's `max`.
 */
import { expect, it } from "vitest";
import { attacked, get, unused, withKey } from "./support/attack.ts";

const left = async (cost: string): Promise<number> => {
  const answer = await get(`${unused("late")}?cost=${encodeURIComponent(cost)}`, withKey(attacked.globex));
  expect([answer.status, answer.headers["x-cost"]]).toEqual([200, undefined]);
  const [, remaining = "NaN"] = /"dear";r=(\d+)/.exec(String(answer.headers["ratelimit"])) ?? [];
  return Number(remaining);
};

it("a negative, unreadable or endless cost is charged as one request", async () => {
  const before = await left("1");
  const costs = ["-1", "-1e308", "NaN", "Infinity", "1e308", "0x10", "1e3", "", " ", "1,000", "--1", "5 5"];
  for (const cost of costs) await left(cost);
  const after = await left("1");
  // One token each, no more; and nothing was given back.
  expect(before - after).toBe(costs.length + 1);
});

it("a cost above all measure is charged as the route's most", async () => {
  const before = await left("1");
  await left("99999999999999999999999999999999");
  await left("9".repeat(33));
  const after = await left("1");
  // The first: ten tokens. The second has too many digits to be a number: one.
  expect(before - after).toBe(10 + 1 + 1);
});
