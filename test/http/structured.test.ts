import fc from "fast-check";
import { isInnerList, type Item, parseList } from "structured-headers";
import { describe, expect, it } from "vitest";
import { proxyStatus, rateLimitMember, rateLimitPolicy } from "../../src/http/structured.ts";

/** Name and parameters of every member, as another implementation reads them. */
const read = (field: string): unknown[] =>
  parseList(field).map((member) => (isInnerList(member) ? "a list" : [member[0], Object.fromEntries(member[1])]));

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const count = fc.integer({ min: 0, max: 10_000_000 });
const quota = fc.record({ name, quotaTokens: count, windowSeconds: count });

describe("RateLimit-Policy", () => {
  it("is read back to the same names and numbers", () => {
    fc.assert(
      fc.property(fc.array(quota, { minLength: 1, maxLength: 5 }), (quotas) => {
        const expected = quotas.map((one) => [one.name, { q: one.quotaTokens, w: one.windowSeconds }]);
        expect(read(rateLimitPolicy(quotas))).toEqual(expected);
      }),
    );
  });

  it("looks as in the draft", () => {
    const policy = rateLimitPolicy([
      { name: "burst", quotaTokens: 100, windowSeconds: 60 },
      { name: "daily", quotaTokens: 10_000, windowSeconds: 86_400 },
    ]);
    expect(policy).toBe('"burst";q=100;w=60, "daily";q=10000;w=86400');
  });
});

describe("RateLimit", () => {
  it("is read back to the same names and numbers, also from several members", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, count, count), { minLength: 1, maxLength: 5 }), (members) => {
        const field = members.map(([id, remaining, reset]) => rateLimitMember(id, remaining, reset)).join(", ");
        expect(read(field)).toEqual(members.map(([id, r, t]) => [id, { r, t }]));
      }),
    );
  });
});

describe("Proxy-Status", () => {
  it("names the error and the origin", () => {
    const [[proxy, parameters]] = parseList(proxyStatus("http_response_timeout", "shop")) as [Item];
    expect(String(proxy)).toBe("weir");
    expect([...parameters].map(([key, value]) => [key, String(value)])).toEqual([
      ["error", "http_response_timeout"],
      ["next-hop", "shop"],
    ]);
  });

  it("names the origin's status when one came", () => {
    const [[, parameters]] = parseList(proxyStatus("http_response_incomplete", "shop", 502)) as [Item];
    expect(parameters.get("received-status")).toBe(502);
  });
});
