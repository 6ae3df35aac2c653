/**
 * RFC 5861: stale content. The origin's word goes before the route's.
 *
 * | requirement | test |
 * |---|---|
 * | 3 stale-while-revalidate: within its window it may be served while it is refreshed | `within…`, `after…` |
 * | 4 stale-if-error: within its window it may be served when the origin fails | `on error, …` |
 * | RFC 9111 5.2.2.2, 5.2.2.8, 5.2.2.10 forbid both | `forbidden…` |
 */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CachePolicy } from "../../../src/policy/cache/freshness.ts";
import { type Fields, onError, SHARED, use } from "./cache-cases.ts";

const SWR: Fields = { "cache-control": "max-age=60, stale-while-revalidate=30" };
const ROUTE: CachePolicy = { scope: "shared", staleIfErrorMs: 60_000, staleWhileRevalidateMs: 60_000 };

describe("3: stale-while-revalidate", () => {
  it("within its window it is served while it is refreshed, after it it is not", () => {
    expect([59, 60, 89, 90].map((seconds) => use(SWR, seconds))).toEqual([
      "fresh",
      "stale-while-revalidate",
      "stale-while-revalidate",
      "stale",
    ]);
  });

  it("is the route's where the origin says nothing, and the origin's where it says none", () => {
    expect(use({ "cache-control": "max-age=60" }, 100, undefined, ROUTE)).toBe("stale-while-revalidate");
    expect(use({ "cache-control": "max-age=60, stale-while-revalidate=0" }, 61, undefined, ROUTE)).toBe("stale");
  });

  it("does not serve who asks for something fresh", () => {
    expect(use(SWR, 61, "no-cache")).toBe("stale");
    expect(use(SWR, 61, "max-age=60")).toBe("stale");
    expect(use(SWR, 61, "min-fresh=1")).toBe("stale");
  });
});

describe("4: stale-if-error", () => {
  it.each<[string, Fields, CachePolicy, number, boolean]>([
    ["within the origin's window", { "cache-control": "max-age=1, stale-if-error=60" }, SHARED, 61, true],
    ["after it", { "cache-control": "max-age=1, stale-if-error=60" }, SHARED, 62, false],
    ["within the route's window", { "cache-control": "max-age=1" }, ROUTE, 61, true],
    ["after that", { "cache-control": "max-age=1" }, ROUTE, 62, false],
    [
      "the origin's own word goes first",
      { "cache-control": "max-age=1, stale-if-error=5" },
      { scope: "shared", staleIfErrorMs: 60_000 },
      50,
      false,
    ],
    ["the origin may allow none", { "cache-control": "max-age=1, stale-if-error=0" }, SHARED, 2, false],
    ["within stale-while-revalidate, too", SWR, SHARED, 89, true],
    ["while it is fresh", { "cache-control": "max-age=60" }, SHARED, 59, true],
    ["with no word at all", { "cache-control": "max-age=1" }, SHARED, 2, false],
    ["forbidden by must-revalidate", { "cache-control": "max-age=1, must-revalidate" }, ROUTE, 50, false],
    ["forbidden by proxy-revalidate", { "cache-control": "max-age=1, proxy-revalidate" }, ROUTE, 50, false],
    ["forbidden by s-maxage", { "cache-control": "s-maxage=1, stale-if-error=60" }, ROUTE, 50, false],
    ["forbidden by no-cache", { "cache-control": "no-cache" }, ROUTE, 50, false],
  ])("on error, %s", (_name, fields, policy, seconds, may) => {
    expect(onError(fields, seconds, policy)).toBe(may);
  });

  it("what may be served without an error may be served with one", () => {
    const directive = fc.constantFrom(
      "max-age=60",
      "s-maxage=60",
      "stale-while-revalidate=30",
      "stale-if-error=10",
      "must-revalidate",
      "no-cache",
    );
    fc.assert(
      fc.property(fc.uniqueArray(directive), fc.nat(150), (directives, seconds) => {
        const fields = { "cache-control": directives.join(", ") };
        if (use(fields, seconds) !== "stale") expect(onError(fields, seconds)).toBe(true);
      }),
    );
  });
});
