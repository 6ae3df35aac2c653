import * as fc from "fast-check";
import { isInnerList, parseList, Token } from "structured-headers";
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

  it("says of slots what they count, and no window", () => {
    const policy = rateLimitPolicy([
      { name: "concurrency", quotaTokens: 10, windowSeconds: 1, spec: { kind: "slots" } },
    ]);
    expect(policy).toBe('"concurrency";q=10;qu="concurrent-requests"');
  });
});

describe("RateLimit", () => {
  it("is read back to the same names and numbers, also from several members", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, count, count), { minLength: 1, maxLength: 5 }), (members) => {
        const field = members
          .map(([id, remaining, reset]) => rateLimitMember(id, remaining, reset, undefined))
          .join(", ");
        expect(read(field)).toEqual(members.map(([id, r, t]) => [id, { r, t }]));
      }),
    );
  });

  it("names the partition by bytes, and leaves out a reset that nobody knows", () => {
    const [[, { pk }]] = read(rateLimitMember("a", 1, 2, "AAECAwQFBgcICQoL")) as [[string, { pk: ArrayBuffer }]];
    expect([...new Uint8Array(pk)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(rateLimitMember("concurrency", 3, undefined, undefined)).toBe('"concurrency";r=3');
  });
});

describe("Proxy-Status", () => {
  it("names the error and the origin", () => {
    const expected = [[new Token("weir"), { error: new Token("http_response_timeout"), "next-hop": "shop" }]];
    expect(read(proxyStatus("http_response_timeout", "shop"))).toEqual(expected);
  });

  it("names the origin's status when one came", () => {
    const expected = [[new Token("weir"), expect.objectContaining({ "received-status": 502 })]];
    expect(read(proxyStatus("http_response_incomplete", "shop", 502))).toEqual(expected);
  });
});
