import fc from "fast-check";
import { isInnerList, parseList } from "structured-headers";
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
  it("names the error and the origin, and the status only when one came", () => {
    expect(read(proxyStatus("http_response_incomplete", "shop", 502)).map(String)).toHaveLength(1);
    const [[, received], [, none]] = [502, undefined].map(
      (status) => parseList(proxyStatus("http_response_timeout", "shop", status))[0]!,
    ) as [[unknown, Map<string, unknown>], [unknown, Map<string, unknown>]];
    expect([received.get("error"), none.get("error")].map(String)).toEqual(
      ["http_response_timeout", "http_response_timeout"],
    );
    expect([received.get("next-hop"), received.get("received-status")]).toEqual(["shop", 502]);
    expect(none.has("received-status")).toBe(false);
  });
});
