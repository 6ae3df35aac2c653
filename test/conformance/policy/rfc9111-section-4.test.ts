/**
 * RFC 9111 section 4: constructing responses from caches.
 *
 * | requirement | test |
 * |---|---|
 * | 4.1 a stored response is selected by URL and by the fields of Vary | `parts of a key…`, `variants…` |
 * | 4.1 what has the same meaning for the resource matches: languages, where the route says so | `a language…` |
 * | 4.1 `Vary: *` matches nothing | `Vary: *…` |
 * | 4.2.1 s-maxage, then max-age, then Expires | `of … is` |
 * | 4.2.2 a heuristic only where nothing is explicit, and the status allows it | `a heuristic…` |
 * | 4.2.3 Age: what other caches and the way here took | `counts what…` |
 * | 4.2.4 nothing stale that is forbidden | `is never served stale…` |
 * | 4.3.4, 4.3.5 freshening by 304 and HEAD | `a HEAD…`; section 3.2 |
 * | 4.4 invalidation | `names what else…`; through the gateway: `scenarios/caching.test.ts`, `cache-bodies.test.ts` |
 */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ageMs, freshnessOf } from "../../../src/policy/cache/freshness.ts";
import {
  INVALIDATING_FIELDS,
  judgeHead,
  languageKey,
  languageOf,
  primaryKey,
  varyFields,
  variantKey,
} from "../../../src/policy/cache/storing.ts";
import { date, type Fields, NOW, onError, reader, received, SHARED, stores, use } from "./cache-cases.ts";

describe("4.1: keys", () => {
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
    const of = (headers: Fields): string => variantKey(fields, reader(headers));
    expect(of({ "accept-encoding": "gzip, br" })).toBe(of({ "accept-encoding": "br,GZIP" }));
    expect(of({ "x-a": "1" })).not.toBe(of({ "x-a": "2" }));
    expect(of({ "x-a": "b" })).not.toBe(of({ "x-a": "B" }));
    expect(of({ "x-a": "1,2" })).toBe(of({ "x-a": "1 , 2" }));
    // In a quoted string a comma is data.
    expect(of({ "x-a": '"1,2"' })).not.toBe(of({ "x-a": '"1 , 2"' }));
  });

  it("variants never run into each other, whatever the fields say", () => {
    const value = fc.string().map((text) => text.replaceAll(/[\r\n]/g, ""));
    const fields = ["x-a", "x-b"];
    fc.assert(
      fc.property(value, value, value, value, (a, b, c, d) => {
        const one = variantKey(fields, reader({ "x-a": a, "x-b": b }));
        const other = variantKey(fields, reader({ "x-a": c, "x-b": d }));
        const alike = (left: string, right: string): boolean =>
          variantKey(["x"], reader({ x: left })) === variantKey(["x"], reader({ x: right }));
        expect(one === other).toBe(alike(a, c) && alike(b, d));
      }),
    );
  });

  it.each<[readonly string[], string | null, string | undefined]>([
    [["accept-language"], "de", "de"],
    [["accept-language", "x-a"], " de-AT ", "de-at"],
    [["accept-language"], "de, en", undefined],
    [["accept-language"], "", undefined],
    [["accept-language"], null, undefined],
    [["accept-language"], "x".repeat(36), undefined],
    [["x-a"], "de", undefined],
  ])("a language: of what varies by %j and is in %j it is %j", (vary, language, found) => {
    expect(languageOf(vary, (name) => (name === "content-language" ? language : null))).toBe(found);
  });

  it("a language keys apart from every Accept-Language, and together with all else that is varied by", () => {
    const fields = ["accept-language", "content-language", "x-a"];
    const german = languageKey(fields, reader({ "accept-language": "en", "x-a": "1" }), "de");
    expect(languageKey(fields, reader({ "accept-language": "fr, de", "x-a": "1" }), "de")).toBe(german);
    expect(languageKey(fields, reader({ "x-a": "2" }), "de")).not.toBe(german);
    expect(languageKey(fields, reader({ "x-a": "1", "content-language": "de" }), "de")).not.toBe(german);
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom("de", "=de"), fc.string()), (text) => {
        const asked = text.replaceAll(/[\r\n]/g, "");
        expect(variantKey(fields, reader({ "accept-language": asked, "x-a": "1" }))).not.toBe(german);
      }),
    );
  });

  it("Vary: *, alone or among others, and too many fields are never stored", () => {
    for (const vary of ["*", "accept, *", "*,accept", Array.from({ length: 9 }, (_, index) => `x-${index}`).join()]) {
      expect(varyFields(vary)).toBeUndefined();
      expect(stores({ vary, "cache-control": "max-age=60" })).toBe(false);
    }
  });
});

describe("4.2.1: the lifetime", () => {
  const later = date(90);
  it.each<[Fields, number]>([
    [{ "cache-control": "s-maxage=10, max-age=60", expires: later }, 10_000],
    [{ "cache-control": "max-age=60", expires: later }, 60_000],
    [{ "cache-control": "public", expires: later }, 90_000],
    [{ expires: later }, 90_000],
    [{}, 0],
  ])("of %j is %i ms", (fields, lifetimeMs) => {
    expect(received(fields).lifetimeMs).toBe(lifetimeMs);
  });

  it("by Expires counts from Date, not from when it came", () => {
    expect(received({ date: date(-30), expires: date(30) }).lifetimeMs).toBe(60_000);
  });

  it("comes from the route only where the origin says nothing", () => {
    const policy = { scope: "shared", freshForMs: 7_000, negativeForMs: 3_000 } as const;
    expect(received({}, policy).lifetimeMs).toBe(7_000);
    expect(received({ "cache-control": "max-age=1" }, policy).lifetimeMs).toBe(1_000);
    expect(received({}, policy, 404).lifetimeMs).toBe(3_000);
    expect(received({}, policy, 500).lifetimeMs).toBe(0);
  });
});

describe("4.2.2: a heuristic", () => {
  it("is a tenth of the time since Last-Modified, a day at most", () => {
    expect(received({ "last-modified": date(-1_000) }).lifetimeMs).toBe(100_000);
    expect(received({ "last-modified": "Sun Nov  6 08:49:37 1994" }).lifetimeMs).toBe(86_400_000);
    expect(received({ "last-modified": date(1_000) }).lifetimeMs).toBe(0);
    expect(received({ "last-modified": "rubbish" }).lifetimeMs).toBe(0);
  });

  it("is not used where a lifetime is given, even an unreadable one, nor for statuses that have none", () => {
    expect(received({ "last-modified": date(-1_000), "cache-control": "max-age=a" }).lifetimeMs).toBe(0);
    expect(received({ "last-modified": date(-1_000), expires: "a" }).lifetimeMs).toBe(0);
    expect(received({ "last-modified": date(-1_000) }, SHARED, 302).lifetimeMs).toBe(0);
    const open = { "last-modified": date(-1_000), "cache-control": "public" };
    expect(received(open, SHARED, 302).lifetimeMs).toBe(100_000);
  });
});

describe("4.2.3: the age", () => {
  it("counts what other caches and the way here took, and grows", () => {
    const aged = freshnessOf(200, reader({ date: date(-5), age: "30" }), SHARED, NOW - 2_000, NOW);
    expect(ageMs(aged, NOW)).toBe(32_000);
    expect(ageMs(aged, NOW + 1_000)).toBe(33_000);
  });

  it("is at least the time since Date, and never negative", () => {
    expect(ageMs(received({ date: date(-40), age: "10" }), NOW)).toBe(40_000);
    expect(ageMs(received({ date: date(40) }), NOW)).toBe(0);
    expect(ageMs(received({}), NOW - 60_000)).toBe(0);
  });
});

describe("4.2.4: what is stale", () => {
  it("begins at the end of the lifetime, not before", () => {
    expect([use({ "cache-control": "max-age=60" }, 59), use({ "cache-control": "max-age=60" }, 60)]).toEqual([
      "fresh",
      "stale",
    ]);
  });

  it.each(["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"])(
    "is never served stale after %s, whoever asks and whatever fails",
    (directive) => {
      const fields = {
        "cache-control": `max-age=60, ${directive}, stale-while-revalidate=600, stale-if-error=600`,
      };
      const policy = { scope: "shared", staleIfErrorMs: 600_000, staleWhileRevalidateMs: 600_000 } as const;
      for (const asked of [undefined, "max-stale", "max-stale=600"])
        expect(use(fields, 61, asked, policy)).toBe("stale");
      expect(onError(fields, 61, policy)).toBe(false);
    },
  );
});

describe("4.3.5: a HEAD", () => {
  it.each<[Fields, string]>([
    [{ etag: '"1"' }, "renewed"],
    [{ etag: '"2"' }, "outdated"],
    [{ "last-modified": date(-100), etag: '"1"' }, "renewed"],
    [{ "last-modified": date(-50), etag: '"1"' }, "outdated"],
    [{ "content-length": "10" }, "renewed"],
    [{ "content-length": "11" }, "outdated"],
    [{}, "renewed"],
  ])("that says %j finds what is stored %s", (head, verdict) => {
    const stored = reader({ etag: '"1"', "last-modified": date(-100) });
    expect(judgeHead(stored, reader(head), 10)).toBe(verdict);
  });
});

describe("4.4: invalidation", () => {
  it("names what else a write may have changed", () => {
    expect(INVALIDATING_FIELDS).toEqual(["location", "content-location"]);
  });
});
