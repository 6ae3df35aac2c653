/**
 * RFC 9111 section 3: storing.
 *
 * | requirement | test |
 * |---|---|
 * | 3 the method is understood; the status is final | `a method…`, `a status…` |
 * | 3 must-understand | `must-understand…` |
 * | 3 no-store is absent; private is absent in a shared cache | `no-store…`, `private…` |
 * | 3 there is an explicit or a heuristic freshness, or public | `without a word of freshness…` |
 * | 3.1 fields of the connection are not stored | `keeps what describes…` |
 * | 3.2 a 304 updates fields, not the content's description | `a 304 replaces…` |
 * | 3.3, 3.4 incomplete and partial responses | `half of a body…`, `206…` |
 * | 3.5 Authorization | `an answer to Authorization…` |
 */
import { describe, expect, it } from "vitest";
import { mergeNotModified, storedHeaders } from "../../../src/policy/cache/storing.ts";
import { type Fields, stores } from "./cache-cases.ts";

const MINUTE: Fields = { "cache-control": "max-age=60" };

describe("3: may it be stored?", () => {
  it.each(["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PURGE"])("a method %s is not", (method) => {
    expect(stores(MINUTE, { method })).toBe(false);
  });

  it.each([100, 103, 199])("a status of %i, which is not final, is not", (status) => {
    expect(stores(MINUTE, { status })).toBe(false);
  });

  it.each([200, 203, 204, 299, 301, 302, 307, 400, 403, 404, 410, 500, 503, 599])(
    "a status of %i with a lifetime is",
    (status) => {
      expect(stores(MINUTE, { status })).toBe(true);
    },
  );

  it.each([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])(
    "without a word of freshness a status of %i is, to be heuristically fresh or revalidated",
    (status) => {
      expect(stores({}, { status })).toBe(true);
    },
  );

  it.each([201, 202, 299, 302, 303, 307, 400, 401, 403, 429, 500, 502, 503])(
    "without a word of freshness a status of %i is not",
    (status) => {
      expect(stores({}, { status })).toBe(false);
      expect(stores({ "cache-control": "public" }, { status })).toBe(true);
      expect(stores({ expires: "0" }, { status })).toBe(true);
    },
  );

  it.each(["no-store", "NO-STORE, max-age=60", 'max-age=60, no-store="x"', "max-age=60 , no-store"])(
    "no-store is not: %s",
    (value) => {
      expect(stores({ "cache-control": value })).toBe(false);
    },
  );

  it("must-understand overrides no-store for statuses that are understood, and forbids the others", () => {
    const fields = { "cache-control": "max-age=60, must-understand, no-store" };
    expect(stores(fields)).toBe(true);
    expect(stores(fields, { status: 299 })).toBe(false);
  });

  it("private is not, in a cache that is shared; in one of a tenant alone it is", () => {
    for (const value of ["private", "private, max-age=60", 'private="set-cookie", max-age=60']) {
      expect(stores({ "cache-control": value })).toBe(false);
      expect(stores({ "cache-control": value }, {}, { scope: "tenant" })).toBe(true);
    }
  });

  it("what the client asks not to store is not (5.2.1.5)", () => {
    expect(stores(MINUTE, { requestNoStore: true })).toBe(false);
  });

  it("what sets a cookie is not, whatever else it says: stricter than the RFC (7.3)", () => {
    for (const value of ["max-age=60", "public, s-maxage=60"]) {
      expect(stores({ "cache-control": value, "set-cookie": "a=b" })).toBe(false);
      expect(stores({ "cache-control": value, "set-cookie": "a=b" }, {}, { scope: "tenant" })).toBe(false);
    }
  });
});

describe("3.1: fields", () => {
  it("keeps what describes the content, and nothing of the connection", () => {
    const kept = storedHeaders([
      ["content-type", "text/html"],
      ["etag", '"1"'],
      ["x-anything", "kept"],
      ["connection", "close, x-hop"],
      ["x-hop", "1"],
      ["keep-alive", "timeout=5"],
      ["transfer-encoding", "chunked"],
      ["upgrade", "h2c"],
      ["te", "trailers"],
      ["proxy-authenticate", "Basic"],
      ["proxy-authentication-info", "x"],
      ["set-cookie", "a=b"],
    ]);
    expect(kept.map(([name]) => name)).toEqual(["content-type", "etag", "x-anything"]);
  });
});

describe("3.2: updating", () => {
  it("a 304 replaces fields, but the tag and what says how the content is coded", () => {
    const merged = mergeNotModified(
      [
        ["etag", '"1"'],
        ["content-type", "text/a"],
        ["content-encoding", "zstd"],
        ["x", "old"],
        ["y", "kept"],
      ],
      [
        ["etag", '"2"'],
        ["content-type", "text/b"],
        ["content-encoding", "identity"],
        ["content-range", "bytes 0-1/2"],
        ["x", "new"],
        ["content-length", "0"],
        ["set-cookie", "a=b"],
        ["connection", "x-hop"],
        ["x-hop", "1"],
      ],
    );
    expect(Object.fromEntries(merged)).toEqual({
      etag: '"1"',
      "content-type": "text/b",
      "content-encoding": "zstd",
      x: "new",
      y: "kept",
    });
  });
});

describe("3.3, 3.4: parts", () => {
  it("half of a body is not stored", () => {
    expect(stores(MINUTE, { complete: false })).toBe(false);
  });

  it("206 and 304 are not stored as answers", () => {
    expect(stores(MINUTE, { status: 206 })).toBe(false);
    expect(stores(MINUTE, { status: 304 })).toBe(false);
  });
});

describe("3.5: an answer to Authorization", () => {
  it.each([
    ["max-age=60", false],
    ["", false],
    ["public", true],
    ["public, max-age=60", true],
    ["s-maxage=60", true],
    ["max-age=60, must-revalidate", true],
    ["max-age=60, proxy-revalidate", false],
    ["public, private", false],
    ["public, no-store", false],
  ])("that says %j is stored for all: %s", (value, may) => {
    expect(stores({ "cache-control": value }, { authorized: true })).toBe(may);
  });

  it("is not stored for its tenant alone, either: a tenant has many users", () => {
    expect(stores(MINUTE, { authorized: true }, { scope: "tenant" })).toBe(false);
    expect(stores({ "cache-control": "s-maxage=5" }, { authorized: true }, { scope: "tenant" })).toBe(true);
  });
});

describe("stricter than the book", () => {
  it.each<[string, Record<string, string>, boolean]>([
    ["nothing", {}, false],
    ["a date", { "last-modified": "Mon, 02 Nov 2026 08:00:00 GMT" }, false],
    ["a lifetime", MINUTE, true],
    ["public", { "cache-control": "public" }, true],
  ])("an answer to Cookie that says %s is stored: %s", (_what, fields, may) => {
    expect(stores(fields, { withCookie: true }, { scope: "shared", freshForMs: 60_000 })).toBe(may);
  });

  it("private is stored for a tenant alone, but not where a cookie tells its users apart", () => {
    const fields = { "cache-control": "private, max-age=5" };
    expect(stores(fields, {}, { scope: "tenant" })).toBe(true);
    expect(stores(fields, { withCookie: true }, { scope: "tenant" })).toBe(false);
  });
});
