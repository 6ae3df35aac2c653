/**
 * Poisoning by what surrounds the Host: its port, its case, a dot at its end, a path in it, another host in the request
 * line. Safe: what is stored is of one scheme and host, and the origin is told exactly these.
 */
import { expect, it } from "vitest";
import { arrivals, raw, type RawAnswer, unused } from "./support/attack.ts";

const ask = (path: string, host: string, target = path): Promise<RawAnswer> =>
  raw(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);

it.each([
  ["a port", "shop.example:1337"],
  ["another case", "SHOP.example"],
  ["a dot at its end", "shop.example."],
  ["the default port", "shop.example:80"],
])("%s is neither keyed nor told to the origin", async (_what, host) => {
  const path = unused("shared");
  await ask(path, host);
  await ask(path, "shop.example");
  expect((await arrivals(path)).map(({ headers }) => headers["x-forwarded-host"])).toEqual(["shop.example"]);
});

it.each([
  "shop.example/evil?",
  "shop.example#",
  "shop.example@evil.example",
  "evil.example\\shop.example",
  "shop.example evil",
  "",
])("the host %j is refused, or names one place for all", async (host) => {
  const path = unused("shared");
  await ask(path, host);
  await ask(path, "shop.example");
  const victim = (await arrivals(path)).at(-1);
  expect(victim?.headers["x-forwarded-host"]).toBe("shop.example");
  for (const { headers } of await arrivals(path)) {
    expect(String(headers["x-forwarded-host"])).toMatch(/^[a-z0-9.:-]+$/);
  }
});

it("a host in the request line and another in Host are one host for all, or refused", async () => {
  const path = unused("shared");
  await ask(path, "shop.example", `http://evil.example${path}`);
  await ask(path, "shop.example");
  const seen = await arrivals(path);
  expect(seen.at(-1)?.headers["x-forwarded-host"]).toBe("shop.example");
});
