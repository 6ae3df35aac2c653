import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CanonicalResult, canonicalUrl, MAX_URL_LENGTH } from "../../src/http/canonical-url.ts";

const ORIGIN = "https://x.example";
const of = (rest: string): CanonicalResult => canonicalUrl(ORIGIN + rest);

/** The path, or why there is none. */
function pathOf(rest: string): string {
  const result = of(rest);
  return result.ok ? result.url.path : result.reason;
}

/** Made of what canonicalisation is about, so that most of them are interesting. */
const piece = fc.oneof(
  fc.constantFrom("/", "/", "\\", ".", "..", "%2e", "%2E", "%2f", "%2F", "%5c", "%5C", "%25", "%", "%zz", "%41", "%7e"),
  fc.constantFrom("%c3%a9", "%00", "%0a", "\u0001", ";", "a", "b", "~", "?", "#", "é", " ", "😀", "\uD800", ":", "@"),
  fc.string({ unit: "binary", maxLength: 3 }),
);
const rest = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
const anyUrl = fc.oneof(
  rest.map((text) => `${ORIGIN}/${text}`),
  rest.map((text) => `http://${text}`),
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
);

describe("the canonical URL of anything", () => {
  it("is its own canonical URL", () => {
    let accepted = 0;
    fc.assert(
      fc.property(anyUrl, (url) => {
        const once = canonicalUrl(url);
        if (!once.ok) return;
        accepted++;
        expect(canonicalUrl(`${once.url.site}${once.url.path}${once.url.query}`)).toEqual(once);
      }),
      { numRuns: 2_000 },
    );
    expect(accepted).toBeGreaterThan(200);
  });

  it("has a path of clean segments in printable ASCII", () => {
    fc.assert(
      fc.property(anyUrl, (url) => {
        const result = canonicalUrl(url);
        if (!result.ok) return;
        const { path } = result.url;
        expect(path).toMatch(/^\/[\x21-\x7e]*$/);
        expect(path).not.toMatch(/\/\/|\/\.{1,2}(?:\/|$)|\\|[?#]/);
        expect(path).not.toMatch(/%(?![0-9A-F]{2})|%[01]|%7F|%2E|%5C/);
      }),
      { numRuns: 2_000 },
    );
  });

  it("has the path of the URL standard where nothing is to be changed", () => {
    const segment = fc.stringMatching(/^[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]{0,8}$/);
    fc.assert(
      fc.property(fc.array(segment), fc.boolean(), (segments, slash) => {
        const path = `/${segments.join("/")}${slash && segments.length > 0 ? "/" : ""}`;
        expect(pathOf(path)).toBe(new URL(ORIGIN + path).pathname);
        expect(pathOf(path)).toBe(path);
      }),
    );
  });
});

describe("the canonical path", () => {
  it.each([
    ["", "/"],
    ["?a=1", "/"],
    ["/a//b///c", "/a/b/c"],
    ["//", "/"],
    ["/a/./b", "/a/b"],
    ["/a/../b", "/b"],
    ["/../../a", "/a"],
    ["/a/b/..", "/a/"],
    ["/a/..", "/"],
    ["/a/.", "/a/"],
    ["/a/%2e%2e/b", "/b"],
    ["/a/.%2E/b", "/b"],
    ["/a/%2e/b", "/a/b"],
    ["/a\\b", "/a/b"],
    ["/a\\..\\b", "/b"],
    ["/a%5cb", "/a/b"],
    ["/a/..%5Cb", "/b"],
    ["/a%5c%5cb", "/a/b"],
    ["/a%2Fb", "/a%2Fb"],
    ["/a%2fb", "/a%2Fb"],
    ["/a/..%2fb", "/a/..%2Fb"],
    ["/%41%7e%2d%5f", "/A~-_"],
    ["/caf%c3%a9", "/caf%C3%A9"],
    ["/café 😀", "/caf%C3%A9%20%F0%9F%98%80"],
    ["/%252e%252e/a", "/%252e%252e/a"],
    ["/a;v=1/b;", "/a;v=1/b;"],
    ["/a/..;/b", "/a/..;/b"],
    ["/.well-known/x", "/.well-known/x"],
    ["/a/...", "/a/..."],
    ["/a#/../b", "/a"],
    ["/A", "/A"],
  ])("of %s is %s", (raw, path) => {
    expect(pathOf(raw)).toBe(path);
  });

  it("is refused with a control byte in it, raw or encoded", () => {
    for (let byte = 0; byte < 0x100; byte++) {
      const control = byte < 0x20 || byte === 0x7f;
      const hex = byte.toString(16).padStart(2, "0");
      expect([hex, pathOf(`/a%${hex}b`) === "control-byte"]).toEqual([hex, control]);
      expect([hex, pathOf(`/a${String.fromCharCode(byte)}b`) === "control-byte"]).toEqual([hex, control]);
    }
  });

  it.each(["/%", "/%4", "/%zz", "/%4g", "/a%/b", "/%%41", "/%u0041"])("of %s is refused for its escape", (raw) => {
    expect(pathOf(raw)).toBe("bad-escape");
  });
});

describe("the canonical URL", () => {
  it("keeps the query as it came and drops the fragment", () => {
    const url = { site: ORIGIN, host: "x.example", path: "/b", query: "?q=%2e%2e/../%zz&b=//" };
    expect(of("/a/../b?q=%2e%2e/../%zz&b=//#top?x")).toEqual({ ok: true, url });
  });

  it.each(["?q=%00", "?q=%1b", "?q=%7F", "?q=a\u0000", "?q=\n"])(
    "is refused for a control byte in the query %j",
    (query) => {
      expect(of(`/${query}`)).toEqual({ ok: false, reason: "control-byte" });
    },
  );

  it("takes encoded line ends and tabs in a query, as forms send them", () => {
    expect(of("/?text=a%0D%0A%09b")).toMatchObject({ ok: true, url: { query: "?text=a%0D%0A%09b" } });
  });

  it("is refused one character beyond the longest path and query", () => {
    const longest = `/${"a".repeat(MAX_URL_LENGTH - 3)}?b`;
    expect(of(longest).ok).toBe(true);
    expect(of(`${longest}b`)).toEqual({ ok: false, reason: "too-long" });
    expect(of(`${longest}#${"f".repeat(100)}`).ok).toBe(true);
  });

  it.each([
    ["https://X.Example/", "x.example"],
    ["https://x.example:8443/", "x.example"],
    ["https://user:pass@x.example:1/", "x.example"],
    ["http://[::1]:8080/", "[::1]"],
    ["https://x.example./", "x.example"],
    ["http://x.example?@evil.example/", "x.example"],
    ["http://x.example\\@evil.example/", "x.example"],
  ])("of %s has the host %s", (url, host) => {
    expect(canonicalUrl(url)).toMatchObject({ ok: true, url: { host } });
  });

  it.each([
    ["https://X.Example/", "https://x.example"],
    ["https://x.example:443/", "https://x.example"],
    ["http://x.example:80/", "http://x.example"],
    ["http://x.example:443/", "http://x.example"],
    ["HTTPS://user@x.example.:8443/a", "https://x.example"],
    ["http://[::1]:8080/", "http://[::1]"],
  ])("of %s is of the site %s", (url, site) => {
    expect(canonicalUrl(url)).toMatchObject({ ok: true, url: { site } });
  });

  it.each(["http://a b/", "http://a%2fb/", "http://a,b/", 'http://a"/', "http://é/"])(
    "of %s is refused for its host",
    (url) => {
      expect(canonicalUrl(url)).toEqual({ ok: false, reason: "bad-host" });
    },
  );

  it("needs a scheme", () => {
    expect(canonicalUrl("/a/b")).toEqual({ ok: false, reason: "not-http" });
  });
});
