/**
 * RFC 9110 sections 5.6.7, 13 and 14: dates, conditional requests and ranges, answered from what is stored.
 *
 * | requirement | test |
 * |---|---|
 * | 5.6.7 three forms of dates are read, and nothing else | `is read`, `is not` |
 * | 13.1.2 If-None-Match: weak comparison, lists, `*` | `finds the client's copy good` |
 * | 13.1.3 If-Modified-Since, RFC 9111 4.3.2 | `finds the client's copy good`, `without Last-Modified…` |
 * | 13.1.5 If-Range: a strong tag or the very date | `If-Range…` |
 * | 13.2.2 If-None-Match goes before If-Modified-Since | `finds the client's copy good` |
 * | 14.1.2, 14.2 one range of bytes; others are ignored | `a range…` |
 */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isNotModified, judgeRange } from "../../../src/policy/cache/conditions.ts";
import { parseHttpDate } from "../../../src/policy/cache/http-date.ts";
import { date, type Fields, NOW, reader } from "./cache-cases.ts";

describe("5.6.7: a date", () => {
  it.each(["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])(
    "%s is read",
    (text) => {
      expect(parseHttpDate(text, NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
    },
  );

  it.each(["SUN, 06 NOV 1994 08:49:37 gMT", "sUNDAY, 06-nov-94 08:49:37 gmt", "SUN NOV  6 08:49:37 1994"])(
    "%s is read, too (RFC 9111 section 4.2)",
    (text) => {
      expect(parseHttpDate(text, NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
    },
  );

  it("of two digits more than 50 years ahead is of the century before", () => {
    expect(parseHttpDate("Sunday, 06-Nov-76 08:49:37 GMT", NOW)).toBe(Date.UTC(2076, 10, 6, 8, 49, 37));
    expect(parseHttpDate("Sunday, 06-Nov-77 08:49:37 GMT", NOW)).toBe(Date.UTC(1977, 10, 6, 8, 49, 37));
  });

  it.each([
    "0",
    "tomorrow",
    "Sun, 06 Nov 1994 08:49:37 PST",
    "Sun, 32 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 25:49:37 GMT",
    "Sun 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 94 08:49:37 GMT",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 06  Nov  1994 08:49:37 GMT",
    "Sun,  6 Nov 1994 08:49:37 GMT",
    "Sun, 06-Nov-1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 8:49:37 GMT",
    "Sun, 06 Nov 1994 08.49.37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sunday, 06 Nov 94 08:49:37 GMT",
    "Sun, 06-Nov-94 08:49:37 GMT",
    "Sun Nov 6 08:49:37 1994",
    "Sun Nov  6 08:49:37 94",
    "Sol, 06 Nov 1994 08:49:37 GMT",
    "",
  ])("%s is not", (text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined();
  });

  it("as the platform writes it is read, of any second of 1970 to 9999", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        expect(parseHttpDate(new Date(seconds * 1_000).toUTCString(), NOW)).toBe(seconds * 1_000);
      }),
    );
  });

  it("of any text is a number or nothing", () => {
    fc.assert(fc.property(fc.string(), (text) => ["number", "undefined"].includes(typeof parseHttpDate(text, NOW))));
  });
});

describe("13: a condition", () => {
  const stored = reader({ etag: '"a"', "last-modified": date(-5) });
  it.each<[Fields, boolean]>([
    [{ "if-none-match": '"a"' }, true],
    [{ "if-none-match": 'W/"a", "b"' }, true],
    [{ "if-none-match": '"b","a"' }, true],
    [{ "if-none-match": "*" }, true],
    [{ "if-none-match": '"b"' }, false],
    [{ "if-none-match": '"A"' }, false],
    [{ "if-none-match": '"b"', "if-modified-since": date(0) }, false],
    [{ "if-modified-since": date(0) }, true],
    [{ "if-modified-since": date(-5) }, true],
    [{ "if-modified-since": date(-6) }, false],
    [{ "if-modified-since": "rubbish" }, false],
    [{}, false],
  ])("%j finds the client's copy good: %s", (fields, good) => {
    expect(isNotModified(reader(fields), stored, NOW)).toBe(good);
  });

  it("without Last-Modified is judged by Date", () => {
    const dated = reader({ date: date(-5) });
    expect(isNotModified(reader({ "if-modified-since": date(-5) }), dated, NOW)).toBe(true);
    expect(isNotModified(reader({ "if-modified-since": date(-6) }), dated, NOW)).toBe(false);
  });
});

describe("14: a range", () => {
  const part = (from: number, to: number): unknown => ({ kind: "part", from, to });
  const whole = { kind: "whole" };
  it.each<[string, unknown]>([
    ["bytes=0-0", part(0, 0)],
    ["bytes=2-4", part(2, 4)],
    ["BYTES=2-4", part(2, 4)],
    ["bytes=7-", part(7, 9)],
    ["bytes=-3", part(7, 9)],
    ["bytes=-99", part(0, 9)],
    ["bytes=0-99", part(0, 9)],
    ["bytes=10-", { kind: "unsatisfiable" }],
    ["bytes=-0", { kind: "unsatisfiable" }],
    ["bytes=4-2", whole],
    ["bytes=0-1,4-5", whole],
    ["lines=1-2", whole],
    ["bytes=a-b", whole],
    ["bytes=-", whole],
    ["bytes", whole],
  ])("%s of ten bytes", (range, verdict) => {
    expect(judgeRange(reader({ range }), reader({}), 10)).toEqual(verdict);
  });

  it("always lies within the body", () => {
    const number = fc.oneof(fc.constant(""), fc.nat(30).map(String));
    fc.assert(
      fc.property(number, number, fc.nat(20), (first, last, bytes) => {
        const verdict = judgeRange(reader({ range: `bytes=${first}-${last}` }), reader({}), bytes);
        if (verdict.kind !== "part") return;
        expect(verdict.from).toBeGreaterThanOrEqual(0);
        expect(verdict.from).toBeLessThanOrEqual(verdict.to);
        expect(verdict.to).toBeLessThan(bytes);
      }),
    );
  });

  it.each<[string, boolean]>([
    ['"a"', true],
    ['"b"', false],
    ['W/"a"', false],
    [date(-5), true],
    [date(-4), false],
  ])("If-Range: %s lets it be: %s", (ifRange, may) => {
    const stored = reader({ etag: '"a"', "last-modified": date(-5) });
    const verdict = judgeRange(reader({ range: "bytes=0-1", "if-range": ifRange }), stored, 10);
    expect(verdict.kind).toBe(may ? "part" : "whole");
  });
});
