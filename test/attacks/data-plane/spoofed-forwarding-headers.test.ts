/**
 * Spoofed forwarding headers: a client claims another address, scheme or host, or speaks as Weir. Safe: all of these are
 * dropped and rebuilt; limits count by the address that the platform names.
 */
import { expect, it } from "vitest";
import { get, seenIn, unused } from "./support/attack.ts";

const CLAIMS = {
  "x-forwarded-for": "203.0.113.99",
  "x-forwarded-proto": "https",
  "x-forwarded-host": "evil.example",
  "x-forwarded-port": "1337",
  forwarded: "for=203.0.113.99;host=evil.example",
  "x-real-ip": "203.0.113.99",
  "x-client-ip": "203.0.113.99",
  "x-cluster-client-ip": "203.0.113.99",
  "x-originating-ip": "203.0.113.99",
  "x-remote-ip": "203.0.113.99",
  "true-client-ip": "203.0.113.99",
  "cf-ipcountry": "XX",
  "cf-ray": "forged",
  "weir-tenant": "acme",
  "weir-served": "cache",
  "weir-request-id": "forged",
  "weir-anything": "forged",
};

it("none of them is believed, on any route, for any method", async () => {
  for (const route of ["shared", "plain"]) {
    for (const method of ["GET", "POST"]) {
      const answer = await get(unused(route), { ...CLAIMS, "cf-connecting-ip": "192.0.2.7" }, method);
      const { headers } = seenIn(answer);
      expect(headers["x-forwarded-for"]).toBe("192.0.2.7");
      expect(headers["x-forwarded-proto"]).toBe("http");
      expect(JSON.stringify(headers)).not.toMatch(/203\.0\.113\.99|evil\.example|1337|forged|acme/);
      expect(answer.headers["weir-request-id"]).toMatch(/^[0-9a-f]{24}$/);
    }
  }
});

it("whoever claims another address with each request is limited as one", async () => {
  const path = unused("limited");
  const statuses: number[] = [];
  for (let index = 0; index < 12; index++) {
    const claimed = `203.0.113.${index}`;
    const headers = { "x-forwarded-for": claimed, "x-real-ip": claimed, forwarded: `for=${claimed}` };
    statuses.push((await get(path, { ...headers, "cf-connecting-ip": "192.0.2.8" })).status);
  }
  expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(5);
  expect(statuses.at(-1)).toBe(429);
});
