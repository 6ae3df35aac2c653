/**
 * Cache poisoning by unkeyed headers: a field that nothing keys changes an answer that all get. Safe: on routes that store,
 * an origin sees the fields that HTTP and browsers define (it names in Vary those it answers by), those that the route
 * names, and ours. Nothing else, so nothing else can change what is stored.
 */
import { describe, expect, it } from "vitest";
import { arrivals, get, seenIn, unused } from "./support/attack.ts";

const UNKEYED = [
  "X-Forwarded-Host",
  "X-Forwarded-Scheme",
  "X-Forwarded-Port",
  "X-Forwarded-Server",
  "X-Forwarded-Prefix",
  "X-Forwarded-SSL",
  "X-Forwarded",
  "Forwarded",
  "X-Host",
  "X-Original-Host",
  "X-Original-URL",
  "X-Rewrite-URL",
  "X-Http-Destinationurl",
  "X-Wap-Profile",
  "X-Amz-Website-Redirect-Location",
  "X-Backend",
  "X-Requested-With",
  "X-Api-Version",
  "X-Any-Header-At-All",
  "Content-Type",
  "Expect",
  "Max-Forwards",
  "Date",
  "Weir-Tenant",
];

describe.each(["shared", "own"])("on the route %s", (route) => {
  it.each(UNKEYED)("%s does not reach the origin, and poisons nobody", async (name) => {
    const path = unused(route);
    const poisoner = await get(path, { [name]: "evil.example" });
    expect(JSON.stringify(seenIn(poisoner).headers)).not.toContain("evil.example");
    const victim = await get(path);
    expect(victim.body).not.toContain("evil.example");
    expect(await arrivals(path)).toHaveLength(1);
  });
});

it("a field that the origin names in Vary is keyed", async () => {
  const url = `${unused("shared")}?vary=Referer`;
  await get(url, { referer: "https://evil.example/" });
  const victim = await get(url, { referer: "https://good.example/" });
  expect(victim.served).toBe("origin");
  expect((await get(url, { referer: "https://evil.example/" })).served).toBe("cache");
});

it("a route that stores nothing passes on what it does not know", async () => {
  expect(seenIn(await get(unused("plain"), { "x-api-version": "7" })).headers["x-api-version"]).toBe("7");
});
