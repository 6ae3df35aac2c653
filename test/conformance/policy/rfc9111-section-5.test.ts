/**
 * RFC 9111 section 5: fields.
 *
 * | requirement | test |
 * |---|---|
 * | 1.2.2 delta-seconds | `means … seconds` |
 * | 5.1 Age: the first value counts, an unreadable one is ignored | `Age: …` |
 * | 5.2 names are case-insensitive, values may be quoted, unknown directives mean nothing | `means … seconds`, `parses any text…` |
 * | 5.2.1.1–7 the request's directives | `a request that says…` |
 * | 5.2.2.1–10 the response's directives | here, and sections 3 and 4.2.4 |
 * | 5.3 Expires: an unreadable one is in the past | `Expires…` |
 * | 5.4 Pragma, where Cache-Control is absent | `Pragma…` |
 */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCacheControl } from "../../../src/policy/cache/cache-control.ts";
import { ageMs } from "../../../src/policy/cache/freshness.ts";
import { date, type Fields, NOW, received, use } from "./cache-cases.ts";

describe("5.1: Age", () => {
  it.each([
    ["7", 7],
    ["7, 9", 7],
    ["0, 7200", 0],
    ["7200, 0", 7_200],
    [" 7 ", 7],
    ["abc", 0],
    ["-7200", 0],
    ["7200;foo=bar", 0],
    ["7200.0", 0],
    ["1e3", 0],
    ["0x10", 0],
    ["007", 7],
    ["", 0],
    ["2147483648", 2_147_483_648],
    ["99999999999", 2_147_483_648],
  ])("%j is %i seconds", (age, seconds) => {
    expect(ageMs(received({ age, "cache-control": "max-age=60" }), NOW)).toBe(seconds * 1_000);
  });
});

describe("5.2: directives", () => {
  it.each([
    ["MAX-AGE=60", 60],
    ['max-age="60"', 60],
    [" max-age=60 ", 60],
    ["max-age=60, max-age=30", 30],
    ["max-age=30, max-age=60", 30],
    ["max-age=-1", 0],
    ["max-age=1.5", 0],
    ["max-age=60a", 0],
    ["max-age", 0],
    ["max-age=", 0],
    ["max-age=99999999999999", 2_147_483_648],
    ['ext="a, max-age=5", max-age=60', 60],
    ['ext="a\\", max-age=5", max-age=60', 60],
    ["ext=max-age, ext2, max-age=60", 60],
    [",,max-age=60,,", 60],
  ])("%s means %i seconds", (value, seconds) => {
    expect(parseCacheControl(value).maxAge).toBe(seconds);
  });

  it("parses any text without throwing, and finds no lifetime that is not a whole number of seconds", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { maxAge, sMaxage } = parseCacheControl(text);
        for (const found of [maxAge, sMaxage]) expect(found === undefined || Number.isSafeInteger(found)).toBe(true);
      }),
    );
  });

  it("adding a directive never makes an answer fresh for longer", () => {
    const directive = fc.constantFrom("no-cache", "no-store", "private", "max-age=10", "max-age=99", "must-revalidate");
    fc.assert(
      fc.property(fc.array(directive, { minLength: 1, maxLength: 5 }), directive, (list, more) => {
        const fields = (all: readonly string[]): Fields => ({ "cache-control": ["max-age=60", ...all].join(", ") });
        for (const seconds of [0, 30, 60, 90]) {
          if (use(fields(list), seconds) === "stale") expect(use(fields([...list, more]), seconds)).toBe("stale");
        }
      }),
    );
  });
});

describe("5.2.1: a request that says", () => {
  const MINUTE = { "cache-control": "max-age=60" };
  it.each<[string, string, Fields, number, string]>([
    ["5.2.1.1", "max-age=5", MINUTE, 5, "fresh"],
    ["5.2.1.1", "max-age=5", MINUTE, 6, "stale"],
    ["5.2.1.1", "max-age=0", MINUTE, 1, "stale"],
    ["5.2.1.2", "max-stale=30", MINUTE, 90, "fresh"],
    ["5.2.1.2", "max-stale=30", MINUTE, 91, "stale"],
    ["5.2.1.2", "max-stale", MINUTE, 9_999, "fresh"],
    ["5.2.1.3", "min-fresh=30", MINUTE, 30, "fresh"],
    ["5.2.1.3", "min-fresh=30", MINUTE, 31, "stale"],
    ["5.2.1.4", "no-cache", MINUTE, 1, "stale"],
    ["5.2.1.7", "only-if-cached", MINUTE, 1, "fresh"],
    ["5.2.3", "unknown=1", MINUTE, 1, "fresh"],
  ])("(%s) %s of %j, %i s old, finds it %s", (_section, asked, _fields, seconds, verdict) => {
    expect(use(MINUTE, seconds, asked)).toBe(verdict);
  });

  it("max-age and max-stale together: the age counts first", () => {
    expect(use(MINUTE, 61, "max-age=61, max-stale")).toBe("fresh");
    expect(use(MINUTE, 62, "max-age=61, max-stale")).toBe("stale");
  });
});

describe("5.2.2: a response that says", () => {
  it("(5.2.2.4) no-cache, also with field names, is asked about before each use", () => {
    for (const value of ["no-cache, max-age=60", 'no-cache="set-cookie", max-age=60', "NO-CACHE,max-age=60"]) {
      expect(use({ "cache-control": value }, 0)).toBe("stale");
      expect(use({ "cache-control": value }, 0, "max-stale")).toBe("stale");
    }
  });

  it("(5.2.2.2, 5.2.2.8) must-revalidate and proxy-revalidate is used without a question while it is fresh", () => {
    for (const value of ["max-age=60, must-revalidate", "max-age=60, proxy-revalidate"]) {
      expect(use({ "cache-control": value }, 59)).toBe("fresh");
    }
  });
});

describe("5.3: Expires", () => {
  it.each([
    "0",
    "-1",
    "not a date",
    "",
    "Thu, 01 Jan 2099 00:00:00 PST",
    "Thursday 01 Jan 2099 00:00:00 GMT",
    "Thu, 1 Jan 2099 0:00:00 GMT",
  ])("%j is in the past", (expires) => {
    expect(received({ expires, "last-modified": date(-10_000) }).lifetimeMs).toBe(0);
  });
});

describe("5.4: Pragma", () => {
  it("no-cache counts where Cache-Control is absent, and only there", () => {
    expect(use({ pragma: "no-cache", expires: date(60) }, 1)).toBe("stale");
    expect(use({ pragma: "no-cache", "cache-control": "max-age=60" }, 1)).toBe("fresh");
  });
});
