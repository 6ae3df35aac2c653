/** Loops: an origin's address leads back to the gateway. Safe: what has been through Weir before is answered 508, at once. */
import { expect, it } from "vitest";
import { arrivals, get, unused } from "./support/attack.ts";

it.each([
  ["CDN-Loop", "weir"],
  ["CDN-Loop", "other.example; x=1, Weir ; hops=3"],
  ["Via", "1.1 weir"],
  ["Via", "1.0 a, 1.1 weir (comment), 2 b"],
])("%s: %s", async (name, value) => {
  const path = unused("plain");
  expect((await get(path, { [name]: value })).status).toBe(508);
  expect(await arrivals(path)).toEqual([]);
});

it("what an origin would send back to us is recognised by either field alone", async () => {
  const seen = JSON.parse((await get(unused("plain"))).body) as { headers: Record<string, string> };
  for (const name of ["via", "cdn-loop"]) {
    expect((await get(unused("plain"), { [name]: seen.headers[name] ?? "" })).status).toBe(508);
  }
});

it("another's fields are none, and are passed on with ours behind them", async () => {
  const answer = await get(unused("plain"), { via: "1.1 weirdo", "cdn-loop": "weirdo" });
  expect(JSON.parse(answer.body)).toMatchObject({
    headers: { via: "1.1 weirdo, 1.1 weir", "cdn-loop": "weirdo, weir" },
  });
});
