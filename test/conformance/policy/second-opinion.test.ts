/**
 * A second opinion: `http-cache-semantics`, an independent reading of RFC 9111 and RFC 5861. Both judge the same random
 * responses and requests, and must agree, but for the differences listed here, each shown by an example: should the
 * library change its mind, that is seen, too.
 */
import * as fc from "fast-check";
import CachePolicy from "http-cache-semantics";
import { describe, expect, it } from "vitest";
import { date, type Fields, NOW, onError, stores, use } from "./cache-cases.ts";

const RUNS = 3_000;

class Theirs extends CachePolicy {
  // The library has no other clock.
  now(): number {
    return nowMs;
  }
}
let nowMs = NOW;

interface Case {
  readonly status: number;
  readonly response: Fields;
  readonly authorized: boolean;
  readonly asked: string | undefined;
  /** Since it was stored; never a whole number, so that no two instants are the same. */
  readonly seconds: number;
}

const withAsked = (asked: string | undefined, authorized: boolean): Record<string, string> => ({
  host: "example",
  ...(asked === undefined ? {} : { "cache-control": asked }),
  ...(authorized ? { authorization: "Basic YTpi" } : {}),
});

function theirs({ status, response, authorized, asked, seconds }: Case): {
  stores: boolean;
  use: string;
  onError: boolean;
} {
  nowMs = NOW;
  const policy = new Theirs(
    { method: "GET", url: "/", headers: withAsked(undefined, authorized) },
    { status, headers: { date: date(0), ...response } },
  );
  nowMs = NOW + seconds * 1_000;
  const { revalidation } = policy.evaluateRequest({ method: "GET", url: "/", headers: withAsked(asked, authorized) });
  const judged = revalidation === undefined ? "fresh" : revalidation.synchronous ? "stale" : "stale-while-revalidate";
  const validated = policy.revalidatedPolicy(
    { method: "GET", url: "/", headers: withAsked(undefined, authorized) },
    { status: 503, headers: {} },
  );
  return { stores: policy.storable(), use: judged, onError: !validated.modified };
}

const ours = ({ status, response, authorized, asked, seconds }: Case): ReturnType<typeof theirs> => ({
  stores: stores(response, { status, authorized }),
  use: use(response, seconds, asked),
  onError: onError(response, seconds),
});

const seconds = fc.constantFrom("0", "1", "30", "60", "100", "3600");
const valued = (name: string): fc.Arbitrary<string> => seconds.map((value) => `${name}=${value}`);
const responseDirective = fc.oneof(
  valued("max-age"),
  valued("stale-while-revalidate"),
  valued("stale-if-error"),
  fc.constantFrom("public", "private", "no-store", "no-cache", "unknown=1"),
);
const nameOf = (directive: string): string => directive.split("=")[0] ?? "";
const someCase: fc.Arbitrary<Case> = fc.record({
  status: fc.constantFrom(200, 203, 301, 404, 410),
  authorized: fc.boolean(),
  asked: fc.oneof(
    fc.constant(undefined),
    valued("max-age"),
    valued("min-fresh"),
    valued("max-stale"),
    fc.constantFrom("no-cache", "max-stale"),
  ),
  seconds: fc.nat(400).map((whole) => whole / 2 + 0.25),
  response: fc
    .record({
      // Once each: of duplicates the library takes the last.
      control: fc.uniqueArray(responseDirective, { selector: nameOf, maxLength: 4 }),
      expires: fc.option(fc.integer({ min: -100, max: 200 }), { nil: undefined }),
      modified: fc.option(fc.integer({ min: -10_000, max: 10 }), { nil: undefined }),
      age: fc.option(fc.nat(100), { nil: undefined }),
    })
    .map(({ control, expires, modified, age }): Fields => ({
      ...(control.length === 0 ? {} : { "cache-control": control.join(", ") }),
      ...(expires === undefined ? {} : { expires: date(expires) }),
      ...(modified === undefined ? {} : { "last-modified": date(modified) }),
      ...(age === undefined ? {} : { age: String(age) }),
    })),
});

/** What is not to be used at all, and what the library sees differently (below), is not compared. */
function comparesUse({ response, asked }: Case): boolean {
  const control = response["cache-control"] ?? "";
  return !(control.includes("no-cache") && (asked?.startsWith("max-stale") === true || control.includes("stale-")));
}

describe("a second opinion", () => {
  it("is the same about storing, about using, and about using when the origin fails", () => {
    fc.assert(
      fc.property(someCase, (one) => {
        const [mine, other] = [ours(one), theirs(one)];
        expect(mine.stores).toBe(other.stores);
        if (!mine.stores || !comparesUse(one)) return;
        expect(mine.use).toBe(other.use);
        // The library knows no stale-while-revalidate on error, and asks nothing while it is fresh.
        const control = one.response["cache-control"] ?? "";
        if (!control.includes("stale-while")) expect(mine.onError).toBe(other.onError);
      }),
      { numRuns: RUNS },
    );
  });
});

describe("differs, as known", () => {
  const base: Case = { status: 200, response: {}, authorized: false, asked: undefined, seconds: 0.5 };
  const control = (value: string, more: Partial<Case> = {}): Case => ({
    ...base,
    ...more,
    response: { "cache-control": value },
  });
  it.each<[string, Case, Partial<ReturnType<typeof theirs>>, Partial<ReturnType<typeof theirs>>]>([
    ["must-revalidate while fresh", control("max-age=60, must-revalidate"), { use: "fresh" }, { use: "stale" }],
    ["proxy-revalidate while fresh", control("max-age=60, proxy-revalidate"), { use: "fresh" }, { use: "stale" }],
    ["directives in capitals", control("MAX-AGE=60"), { use: "fresh" }, { use: "stale" }],
    ["a lifetime that is no number", control("max-age=60a"), { use: "stale" }, { use: "fresh" }],
    ["two lifetimes", control("max-age=0, max-age=60"), { use: "stale" }, { use: "fresh" }],
    [
      "a date in no form of HTTP",
      { ...base, response: { expires: "2099-01-01T00:00:00Z" } },
      { use: "stale" },
      { use: "fresh" },
    ],
    [
      "a list of ages",
      { ...base, response: { age: "-9, 1", "cache-control": "max-age=0" } },
      { use: "stale" },
      { use: "fresh" },
    ],
    [
      "must-revalidate, on error",
      control("max-age=0, must-revalidate, stale-if-error=60"),
      { onError: false },
      { onError: true },
    ],
    ["s-maxage, on error", control("s-maxage=0, stale-if-error=60"), { onError: false }, { onError: true }],
    [
      "no-cache and max-stale",
      control("no-cache, max-age=60", { asked: "max-stale" }),
      { use: "stale" },
      { use: "fresh" },
    ],
    ["a status that is not understood", control("max-age=60", { status: 299 }), { stores: true }, { stores: false }],
    ["403 with a lifetime", control("max-age=60", { status: 403 }), { stores: true }, { stores: false }],
    [
      "Set-Cookie",
      { ...base, response: { "set-cookie": "a=b", "cache-control": "public, max-age=60" } },
      { stores: false },
      { stores: true },
    ],
    [
      "Vary: *",
      { ...base, response: { vary: "*", "cache-control": "max-age=60" } },
      { stores: false },
      { stores: true },
    ],
  ])("about %s", (_about, one, mine, other) => {
    expect(ours(one)).toMatchObject(mine);
    expect(theirs(one)).toMatchObject(other);
  });
});
