/** The cache's rules by section of their specification. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCacheControl } from "../../../src/policy/cache/cache-control.ts";
import {
  ageMs,
  type CachePolicy,
  type Freshness,
  freshnessOf,
  judgeUse,
  mayServeOnError,
} from "../../../src/policy/cache/freshness.ts";
import { parseHttpDate } from "../../../src/policy/cache/http-date.ts";
import { isNotModified } from "../../../src/policy/cache/conditions.ts";
import { mayStore, mergeNotModified, primaryKey, varyFields, variantKey } from "../../../src/policy/cache/storing.ts";

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const reader =
  (headers: Readonly<Record<string, string>>) =>
  (name: string): string | null =>
    headers[name] ?? null;
const fresh = (headers: Record<string, string>, policy: CachePolicy = { scope: "shared" }, status = 200): Freshness =>
  freshnessOf(status, reader({ date: new Date(NOW).toUTCString(), ...headers }), policy, NOW, NOW);

describe("RFC 9111 §5.2: directives", () => {
  it.each([
    ["MAX-AGE=60", 60],
    ['max-age="60"', 60],
    ["max-age=60, max-age=30", 30],
    ["max-age=-1", 0],
    ["max-age=1.5", 0],
    ["max-age", 0],
    ["max-age=99999999999999", 2_147_483_648],
    ['ext="a, max-age=5", max-age=60', 60],
    ['ext="a\\", max-age=5", max-age=60', 60],
  ])("%s means %i seconds", (value, seconds) => {
    expect(parseCacheControl(value).maxAge).toBe(seconds);
  });

  it("parses any text without throwing", () => {
    fc.assert(fc.property(fc.string(), (text) => typeof parseCacheControl(text).noStore === "boolean"));
    fc.assert(fc.property(fc.string(), (text) => ["number", "undefined"].includes(typeof parseHttpDate(text, NOW))));
  });
});

describe("RFC 9110 §5.6.7: dates", () => {
  it.each(["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])(
    "%s is read",
    (text) => {
      expect(parseHttpDate(text, NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
    },
  );
  it.each([
    "0",
    "tomorrow",
    "Sun, 06 Nov 1994 08:49:37 PST",
    "Sun, 32 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 25:49:37 GMT",
    "",
  ])("%s is not", (text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined();
  });
});

describe("RFC 9111 §4.2.1: the lifetime", () => {
  const later = new Date(NOW + 90_000).toUTCString();
  it.each<[Record<string, string>, number]>([
    [{ "cache-control": "s-maxage=10, max-age=60", expires: later }, 10_000],
    [{ "cache-control": "max-age=60", expires: later }, 60_000],
    [{ expires: later }, 90_000],
    [{ expires: "0" }, 0],
    [{ expires: "not a date" }, 0],
    [{ "last-modified": new Date(NOW - 1_000_000).toUTCString() }, 100_000],
    [{ "last-modified": "Sun Nov  6 08:49:37 1994" }, 86_400_000],
    [{}, 0],
    [{ "cache-control": "max-age=5", "cdn-cache-control": "max-age=50" }, 50_000],
    [{ expires: later, "cdn-cache-control": "no-cache" }, 0],
  ])("of %j is %i ms", (headers, lifetimeMs) => {
    expect(fresh(headers).lifetimeMs).toBe(lifetimeMs);
  });

  it("comes from the route only where the origin says nothing", () => {
    const policy = { scope: "shared", freshForMs: 7_000 } as const;
    expect(fresh({}, policy).lifetimeMs).toBe(7_000);
    expect(fresh({ "cache-control": "max-age=1" }, policy).lifetimeMs).toBe(1_000);
    expect(fresh({}, policy, 500).lifetimeMs).toBe(0);
  });
});

describe("RFC 9111 §4.2.3: the age", () => {
  it("counts what other caches and the way here took", () => {
    const aged = freshnessOf(
      200,
      reader({ date: new Date(NOW - 5_000).toUTCString(), age: "30" }),
      { scope: "shared" },
      NOW - 2_000,
      NOW,
    );
    expect(ageMs(aged, NOW)).toBe(32_000);
    expect(ageMs(aged, NOW + 1_000)).toBe(33_000);
    expect(ageMs(fresh({ age: "rubbish" }), NOW)).toBe(0);
  });
});

describe("what a request may do with a stored response", () => {
  const use = (
    headers: Record<string, string>,
    asked: string | undefined,
    ageSeconds: number,
    policy?: CachePolicy,
  ): string =>
    judgeUse(
      fresh(headers, policy),
      asked === undefined ? undefined : parseCacheControl(asked),
      NOW + ageSeconds * 1_000,
    );

  it.each<[string, Record<string, string>, string | undefined, number, string]>([
    ["fresh within its lifetime", { "cache-control": "max-age=60" }, undefined, 59, "fresh"],
    ["stale at its end", { "cache-control": "max-age=60" }, undefined, 60, "stale"],
    ["§5.2.2.4 no-cache always asks", { "cache-control": "no-cache, max-age=60" }, undefined, 1, "stale"],
    ["§5.2.1.4 the client's no-cache asks", { "cache-control": "max-age=60" }, "no-cache", 1, "stale"],
    ["§5.2.1.1 the client's max-age", { "cache-control": "max-age=60" }, "max-age=5", 6, "stale"],
    ["§5.2.1.3 min-fresh", { "cache-control": "max-age=60" }, "min-fresh=30", 40, "stale"],
    ["§5.2.1.2 max-stale", { "cache-control": "max-age=60" }, "max-stale=30", 80, "fresh"],
    ["§5.2.1.2 any staleness", { "cache-control": "max-age=60" }, "max-stale", 9_999, "fresh"],
    [
      "§5.2.2.2 must-revalidate beats max-stale",
      { "cache-control": "max-age=60, must-revalidate" },
      "max-stale",
      61,
      "stale",
    ],
    [
      "RFC 5861 §3",
      { "cache-control": "max-age=60, stale-while-revalidate=30" },
      undefined,
      89,
      "stale-while-revalidate",
    ],
    [
      "RFC 5861 §3, after its window",
      { "cache-control": "max-age=60, stale-while-revalidate=30" },
      undefined,
      90,
      "stale",
    ],
    [
      "§5.2.2.10 s-maxage forbids it",
      { "cache-control": "s-maxage=60, stale-while-revalidate=30" },
      undefined,
      61,
      "stale",
    ],
    ["§5.4 Pragma", { pragma: "no-cache", expires: new Date(NOW + 60_000).toUTCString() }, undefined, 1, "stale"],
  ])("%s", (_name, headers, asked, ageSeconds, verdict) => {
    expect(use(headers, asked, ageSeconds)).toBe(verdict);
  });

  it.each<[string, Record<string, string>, CachePolicy, number, boolean]>([
    ["within the origin's window", { "cache-control": "max-age=1, stale-if-error=60" }, { scope: "shared" }, 50, true],
    ["after it", { "cache-control": "max-age=1, stale-if-error=60" }, { scope: "shared" }, 62, false],
    [
      "within the route's window",
      { "cache-control": "max-age=1" },
      { scope: "shared", staleIfErrorMs: 60_000 },
      50,
      true,
    ],
    [
      "the origin's own word beats the route's",
      { "cache-control": "max-age=1, stale-if-error=5" },
      { scope: "shared", staleIfErrorMs: 60_000 },
      50,
      false,
    ],
    [
      "must-revalidate",
      { "cache-control": "max-age=1, must-revalidate" },
      { scope: "shared", staleIfErrorMs: 60_000 },
      50,
      false,
    ],
    [
      "proxy-revalidate",
      { "cache-control": "max-age=1, proxy-revalidate" },
      { scope: "shared", staleIfErrorMs: 60_000 },
      50,
      false,
    ],
    ["no-cache", { "cache-control": "no-cache" }, { scope: "shared", staleIfErrorMs: 60_000 }, 50, false],
  ])("RFC 5861 §4, on error: %s", (_name, headers, policy, ageSeconds, may) => {
    expect(mayServeOnError(fresh(headers, policy), NOW + ageSeconds * 1_000)).toBe(may);
  });
});

describe("RFC 9111 §3: storing", () => {
  const context = { method: "GET", authorized: false, requestNoStore: false, status: 200, complete: true };
  const shared = { scope: "shared" } as const;
  it.each<[string, Partial<typeof context>, Record<string, string>, CachePolicy, boolean]>([
    ["a plain 200", {}, {}, shared, true],
    ["an unsafe method", { method: "POST" }, { "cache-control": "max-age=60" }, shared, false],
    ["an incomplete body", { complete: false }, { "cache-control": "max-age=60" }, shared, false],
    ["the client's no-store", { requestNoStore: true }, { "cache-control": "max-age=60" }, shared, false],
    ["no-store", {}, { "cache-control": "no-store, max-age=60" }, shared, false],
    ["private, shared", {}, { "cache-control": "private" }, shared, false],
    ["private, for its tenant alone", {}, { "cache-control": "private, max-age=5" }, { scope: "tenant" }, true],
    ["Set-Cookie", {}, { "set-cookie": "a=b", "cache-control": "public, max-age=60" }, shared, false],
    ["§3.5 Authorization", { authorized: true }, { "cache-control": "max-age=60" }, shared, false],
    ["§3.5 Authorization and public", { authorized: true }, { "cache-control": "public" }, shared, true],
    ["§3.5 Authorization and s-maxage", { authorized: true }, { "cache-control": "s-maxage=5" }, shared, true],
    ["206", { status: 206 }, { "cache-control": "max-age=60" }, shared, false],
    ["an unknown status that says nothing", { status: 299 }, {}, shared, false],
    ["an unknown status with a lifetime", { status: 299 }, { "cache-control": "max-age=60" }, shared, true],
    ["Vary: *", {}, { vary: "accept, *" }, shared, false],
  ])("%s", (_name, change, headers, policy, may) => {
    expect(mayStore({ ...context, ...change }, reader(headers), policy)).toBe(may);
  });
});

describe("RFC 9111 §4.1: keys", () => {
  it("parts of a key cannot run into each other", () => {
    // No part can hold a line break: the URL is canonical, the others are checked names.
    const part = fc.string().map((text) => text.replaceAll("\n", ""));
    fc.assert(
      fc.property(fc.tuple(part, part, part), fc.tuple(part, part, part), (a, b) => {
        const same = a.every((value, index) => value === b[index]);
        expect(primaryKey(a[0], a[1], `/${a[2]}`, "", "") === primaryKey(b[0], b[1], `/${b[2]}`, "", "")).toBe(same);
      }),
    );
    expect(primaryKey("o", "h", "/p", "", "t")).not.toBe(primaryKey("o", "h", "/p", "", ""));
  });

  it("variants differ by the named fields, not by spaces and order of negotiation", () => {
    const fields = varyFields("Accept-Encoding , X-A,x-a") ?? [];
    expect(fields).toEqual(["accept-encoding", "x-a"]);
    const of = (headers: Record<string, string>): string => variantKey(fields, reader(headers));
    expect(of({ "accept-encoding": "gzip, br" })).toBe(of({ "accept-encoding": "br,GZIP" }));
    expect(of({ "x-a": "1" })).not.toBe(of({ "x-a": "2" }));
    expect(of({ "x-a": "b" })).not.toBe(of({ "x-a": "B" }));
    expect(varyFields(Array.from({ length: 9 }, (_, index) => `x-${index}`).join())).toBeUndefined();
  });
});

describe("RFC 9111 §3.2 and §4.3: validation", () => {
  it("a 304 replaces fields, but the tag and what says how the body is coded", () => {
    const merged = mergeNotModified(
      [
        ["etag", '"1"'],
        ["content-type", "text/a"],
        ["x", "old"],
        ["y", "kept"],
      ],
      [
        ["etag", '"2"'],
        ["content-type", "text/b"],
        ["x", "new"],
        ["content-length", "0"],
        ["set-cookie", "a=b"],
      ],
    );
    expect(Object.fromEntries(merged)).toEqual({ etag: '"1"', "content-type": "text/b", x: "new", y: "kept" });
  });

  it.each<[Record<string, string>, boolean]>([
    [{ "if-none-match": '"a"' }, true],
    [{ "if-none-match": 'W/"a", "b"' }, true],
    [{ "if-none-match": "*" }, true],
    [{ "if-none-match": '"b"' }, false],
    // §13.2.2: If-Modified-Since counts only without If-None-Match.
    [{ "if-none-match": '"b"', "if-modified-since": new Date(NOW).toUTCString() }, false],
    [{ "if-modified-since": new Date(NOW).toUTCString() }, true],
    [{ "if-modified-since": new Date(NOW - 10_000).toUTCString() }, false],
    [{ "if-modified-since": "rubbish" }, false],
    [{}, false],
  ])("%j finds the client's copy good: %s", (headers, good) => {
    const stored = reader({ etag: '"a"', "last-modified": new Date(NOW - 5_000).toUTCString() });
    expect(isNotModified(reader(headers), stored, NOW)).toBe(good);
  });
});

describe("no response reaches a caller the origin would not have given it to", () => {
  const field = fc.constantFrom("x-user", "accept-language");
  const caller = fc.record({
    tenant: fc.constantFrom("a", "b"),
    authorization: fc.constantFrom("", "u1", "u2"),
    "x-user": fc.constantFrom("", "u1", "u2"),
    "accept-language": fc.constantFrom("", "de", "en"),
  });
  const response = fc.record({
    control: fc.constantFrom("", "private", "no-store", "max-age=60", "public, max-age=60", "s-maxage=60", "no-cache"),
    vary: fc.option(field, { nil: undefined }),
    cookie: fc.boolean(),
    status: fc.constantFrom(200, 206, 404, 500),
  });

  it.each(["shared", "tenant"] as const)("scope %s", (scope) => {
    const policy = { scope, freshForMs: 60_000, staleIfErrorMs: 60_000 } as const;
    fc.assert(
      fc.property(fc.array(fc.tuple(caller, response), { minLength: 2, maxLength: 30 }), (exchanges) => {
        const store = new Map<
          string,
          { fields: readonly string[]; variants: Map<string, { by: (typeof exchanges)[0] }> }
        >();
        for (const [index, exchange] of exchanges.entries()) {
          const [who, what] = exchange;
          const request = reader(who);
          const key = primaryKey("o", "h", "/p", "", scope === "tenant" ? who.tenant : "");
          const url = store.get(key);
          const hit = url?.variants.get(variantKey(url.fields, request));
          if (hit !== undefined) {
            const [first, said] = hit.by;
            expect(said.control).not.toMatch(scope === "shared" ? /private|no-store/ : /no-store/);
            expect(said.cookie).toBe(false);
            expect(said.status).not.toBe(206);
            if (scope === "tenant") expect(first.tenant).toBe(who.tenant);
            if (said.vary !== undefined) expect(first[said.vary]).toBe(who[said.vary]);
            if (scope === "shared" && first.authorization !== "") expect(said.control).toMatch(/public|s-maxage/);
          }
          const headers: Record<string, string> = { "cache-control": what.control };
          if (what.vary !== undefined) headers["vary"] = what.vary;
          if (what.cookie) headers["set-cookie"] = `n=${index}`;
          const may = mayStore(
            {
              method: "GET",
              authorized: who.authorization !== "",
              requestNoStore: false,
              status: what.status,
              complete: true,
            },
            reader(headers),
            policy,
          );
          if (!may) continue;
          const fields = varyFields(what.vary ?? null) ?? [];
          const variants = url !== undefined && url.fields.join() === fields.join() ? url.variants : new Map();
          variants.set(variantKey(fields, request), { by: exchange });
          store.set(key, { fields, variants });
        }
      }),
      { numRuns: 4_000 },
    );
  });
});
